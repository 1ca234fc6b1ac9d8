"""Figures as ratios: ours and the thing it is compared with, on the same bytes, in one run."""
