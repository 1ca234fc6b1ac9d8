"""`tollbook archive run`, `attach` and `query`: writes the archive from the outbox, finds it again, and reads it."""
