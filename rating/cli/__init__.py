"""The commands `account`, `rates` and `explain`."""
