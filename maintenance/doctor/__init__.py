"""`tollbook doctor`: what is wrong, and what helps."""
