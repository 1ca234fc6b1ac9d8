"""Authentication by API key, and `/v1/whoami`."""
