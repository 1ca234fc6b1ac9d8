"""Process 1: listens to the switches over their Event Sockets and writes the call records. Runs on gevent."""
