"""Agents: whose they are, and what their closed days came to in the archive."""
