"""`tollbook doctor`: checks everything that Tollbook needs, and says what to do."""
