"""The Event Socket, as FreeSWITCH speaks it: the framer that all use, and a small client."""
