"""`tollbook account export`: hands over all calls of an account, with a manifest that any recipient can check."""
