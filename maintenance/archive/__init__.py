"""`tollbook archive run`, `attach` and `query`: from the outbox into the archive, and back to it."""
