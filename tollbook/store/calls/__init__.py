"""Calls and their legs: written in batches, read in pages."""
