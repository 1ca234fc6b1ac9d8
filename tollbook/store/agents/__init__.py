"""Agents: what each switch says of them, whose they are, and what their days came to."""
