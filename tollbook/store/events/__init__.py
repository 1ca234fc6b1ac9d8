"""Events out: who is told of calls, what happened to them, and what is still to be delivered."""
