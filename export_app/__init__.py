"""Process 2: serves call records over HTTP."""
