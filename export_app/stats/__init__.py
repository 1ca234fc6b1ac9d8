"""`/v1/stats`: sums of calls."""
