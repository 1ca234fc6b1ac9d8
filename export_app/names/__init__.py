"""`/v1/names`: queues, agents and accounts, by a part of their names."""
