"""Whose request it is: keys, identities, and `/v1/whoami`."""
