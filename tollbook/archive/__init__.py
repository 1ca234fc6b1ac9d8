"""The archive, read only: its catalog, the schema of its one table, and scans. `maintenance` alone writes it."""
