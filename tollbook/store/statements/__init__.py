"""Statements in PostgreSQL: those that were issued, whom they are for, and the sums that they are computed from."""
