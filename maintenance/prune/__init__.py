"""`tollbook prune`: drops from PostgreSQL the days that the archive has."""
