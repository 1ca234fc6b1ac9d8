"""Process 1: listens to the switches' Event Sockets and writes the call records. Runs on gevent."""
