"""`tollbook recover`: calls from the switch's own JSON CDR files."""
