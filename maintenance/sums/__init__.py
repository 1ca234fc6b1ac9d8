"""`tollbook stats rebuild`: builds the sums of days anew, from rows and archive."""
