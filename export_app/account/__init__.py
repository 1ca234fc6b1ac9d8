"""`/v1/account` and `/v1/numbers`: who the account of a key is, and which numbers it owns."""
