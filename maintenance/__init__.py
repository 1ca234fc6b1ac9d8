"""Process 3, run by timers: keeps the archive. The only package that writes Iceberg."""
