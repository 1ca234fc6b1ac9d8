"""The verdicts of `tollbook doctor`: pure functions, each from a measured value to a finding."""
