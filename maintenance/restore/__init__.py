"""`tollbook archive restore`, and what `tollbook archive attach` does to the window."""
