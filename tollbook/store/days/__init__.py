"""The days of the window: partitions, late calls, and dropping a day."""
