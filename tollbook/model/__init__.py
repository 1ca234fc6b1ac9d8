"""What a call is: events become facts about legs, legs become calls, calls become rows. No I/O."""
