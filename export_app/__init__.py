"""Process 2: hands call records out over HTTP."""
