"""`tollbook setup`: from a machine without Tollbook to one that records calls. Safe to run again at any time."""
