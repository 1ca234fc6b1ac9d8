"""The rules of a call's details, one file a noun. docs/calls.md has a section for each."""
