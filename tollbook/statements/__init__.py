"""Statements: what an account's calls of a month add up to, issued once, and corrected by the next one."""
