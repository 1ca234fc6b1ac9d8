"""`tollbook import`: the calls of another system's records, each once, into the window and the archive."""
