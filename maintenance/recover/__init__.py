"""`tollbook recover`: adds calls, and makes estimates exact, from the switch's own JSON CDR files."""
