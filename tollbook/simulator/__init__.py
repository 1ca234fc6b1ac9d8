"""A FreeSWITCH for tests, ours and our users': recorded calls over a real Event Socket."""
