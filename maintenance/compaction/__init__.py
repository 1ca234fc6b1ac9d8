"""`tollbook archive compact`: few files, no old snapshots, no orphans."""
