"""The rate engine: what a call costs, in integers, from an account's rate plan."""
