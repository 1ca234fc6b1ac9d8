"""The rules of docs/calls.md, each in one place: a decision is a value, the rule that gave it, and its legs."""
