"""`tollbook statement`: shows, issues and writes statements."""
