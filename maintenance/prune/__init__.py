"""`tollbook prune`: drops the days that the archive holds."""
