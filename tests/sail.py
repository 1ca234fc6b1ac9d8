"""Sail, a server that speaks Spark Connect, as a process of its own: `python -m tests.sail`.

In this process its stop would wait for a question that was given up, for as long as that takes.
"""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from tests.paths import ROOT

# A worker of pytest-xdist has a main module without a file, which pyspark, when it is imported, takes for a run of its
# own doctests, and exits.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__


@contextmanager
def running_sail() -> Generator[str]:
    """Start Sail on a free port of loopback, yield its URL, and end it."""
    command = [sys.executable, "-m", "tests.sail"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            port = process.stdout.readline().strip()
            assert port, "Sail has ended"
            yield f"sc://127.0.0.1:{port}"
        finally:
            process.kill()


def main() -> None:
    """Serve, with the port as the only line, until killed or until nobody holds the standard input any more."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start()
    print(server.listening_address[1], flush=True)  # noqa: T201 - its answer
    sys.stdin.read()


if __name__ == "__main__":
    main()
