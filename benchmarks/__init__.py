"""Benchmarks: what Tollbook does in a second, beside something that does comparable work in the same run."""
