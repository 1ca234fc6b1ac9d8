"""The server process: gunicorn, its socket and its log."""
