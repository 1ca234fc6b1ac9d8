"""The server process: waitress, with a deadline for each client and a bound on their number."""
