"""`tollbook account erase`: removes the calls of an account, or of a number, from everywhere, and writes a receipt."""
