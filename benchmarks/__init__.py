"""Benchmarks: each figure is a ratio of ours to something else, on the same bytes, in one run."""
