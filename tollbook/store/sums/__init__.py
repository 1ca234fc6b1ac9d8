"""Sums of all calls, kept for ever: what each row adds, the cubes that hold it, and the questions that they answer."""
