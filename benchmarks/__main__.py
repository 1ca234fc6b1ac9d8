"""`make bench`: run all benchmarks, or those named; `make bench ARGS='memory calls=1000000'` changes an amount."""

import importlib
import inspect
import sys

NAMES = ("events", "memory", "rating", "archive", "prune", "api", "stats")


def main(words: list[str]) -> None:
    """Run benchmarks, each with the amounts that follow its name, and print each figure as soon as it is there."""
    wanted: list[tuple[str, dict[str, int]]] = []
    for word in words or NAMES:
        name, separator, value = word.partition("=")
        if not separator and name in NAMES:
            wanted.append((name, {}))
        elif separator and value.isdecimal() and wanted:
            wanted[-1][1][name] = int(value)
        else:
            sys.exit(f"{word!r} is none of {', '.join(NAMES)}, nor an amount such as calls=1000 after one of them")
    for name, amounts in wanted:
        run = importlib.import_module(f"benchmarks.{name}").run
        known = inspect.signature(run).parameters
        if unknown := amounts.keys() - known.keys():
            sys.exit(f"{name} has no {', '.join(unknown)}: its amounts are {', '.join(known)}")
        print(f"{name}: " + ", ".join(f"{amount}={amounts.get(amount, known[amount].default):,}" for amount in known))
        for figure in run(**amounts):
            print(f"  {figure}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
