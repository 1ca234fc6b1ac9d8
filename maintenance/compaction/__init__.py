"""`tollbook archive compact`: one file per account and closed month, no old snapshots, no orphaned files."""
