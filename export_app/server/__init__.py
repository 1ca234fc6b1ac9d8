"""The process: gunicorn, its socket and its log."""
