"""Accounts, plans, decks and prices."""
