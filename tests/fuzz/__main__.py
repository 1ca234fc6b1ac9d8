"""`make fuzz`: bytes of a hostile switch through the listener, guided by the lines and branches that they reach.

    make fuzz ARGS=--minutes=60
    make fuzz ARGS=.fuzz/crash-…        what it found, again

What reaches new code is kept in .fuzz/corpus, and the next run goes on from there. Exit code 0: nothing was found.
"""

import argparse
import logging
import random
import sys
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("atheris is missing: there are wheels for Linux on x86_64 and Python 3.11 to 3.13; try `make install-dev`")

from tests.paths import ROOT

# Only what turns bytes into rows: to count in gevent and psycopg would cost time and find nothing of ours.
with atheris.instrument_imports(
    include=["tollbook.esl", "tollbook.model", "tollbook.store.calls.batch_plan", "esl_listener", "maintenance.recover"]
):
    from tests.fuzz.wire import check
from tests.fuzz.mutator import Mutator, split
from tests.fuzz.seeds import seeds

# Room for two of the longest seeds; longer inputs reach nothing new, and take longer.
_MAX_INPUT_BYTES = 130_000
# The listener's own bound is a body of 64 MiB, which no input reaches: what grows beyond this leaks.
_MAX_MEMORY_MB = 1_000
# A chunk of the size of any input takes milliseconds, and a hundred times that while atheris counts on a busy machine.
_MAX_INPUT_S = 20


def main() -> None:
    """Fuzz for some minutes, or replay inputs that were kept."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--folder", type=Path, default=ROOT / ".fuzz", help="the corpus, and what is found")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("inputs", nargs="*", type=Path, help="replay these instead")
    options = parser.parse_args()
    # The listener logs what a switch does wrong, which is here everything.
    logging.disable(logging.CRITICAL)
    corpus: Path = options.folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for name, content in seeds():
        (corpus / name).write_bytes(content)
    donors = [frame for _, content in seeds() for frame in split(content) if len(frame) < _MAX_INPUT_BYTES // 10]
    mutator = Mutator(donors, lambda frame: atheris.Mutate(frame, len(frame) + 64))
    limits = [
        f"-max_len={_MAX_INPUT_BYTES}",
        f"-rss_limit_mb={_MAX_MEMORY_MB}",
        f"-timeout={_MAX_INPUT_S}",
        f"-max_total_time={round(options.minutes * 60)}",
        f"-seed={options.seed or random.randrange(1, 2**31)}",
        f"-artifact_prefix={options.folder}/",
        "-print_final_stats=1",
    ]
    what = [str(path) for path in options.inputs] or [str(corpus)]
    atheris.Setup([sys.argv[0], *limits, *what], check, custom_mutator=mutator.mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
