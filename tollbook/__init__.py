"""Tollbook: the call records of FreeSWITCH, one right row per call."""
