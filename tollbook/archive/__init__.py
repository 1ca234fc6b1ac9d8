"""The archive, read only: its catalog, the schema of its one table, and readers. Only `maintenance` writes it."""
