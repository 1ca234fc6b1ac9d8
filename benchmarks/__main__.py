"""`make bench`: run all benchmarks, or those named."""

import importlib
import sys

ALL = ("events", "memory", "rating", "archive", "prune", "api", "stats")

for name in sys.argv[1:] or ALL:
    importlib.import_module(f"benchmarks.{name}").run()
