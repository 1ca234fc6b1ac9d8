"""The metrics of a listener that a test has started."""

import re
from collections.abc import Callable
from urllib.request import urlopen

from tests.commands import free_port
from tests.waiting import wait_until


class Metrics:
    """Reads what a listener reports to Prometheus."""

    def __init__(self) -> None:
        self.bind = f"127.0.0.1:{free_port()}"

    def __getitem__(self, name: str) -> float:
        with urlopen(f"http://{self.bind}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        match = re.search(rf"^tollbook_{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert match, f"{name} is not in {text}"
        return float(match[1])

    def wait_until(self, name: str, holds: Callable[[float], bool], timeout_s: float = 30.0) -> None:
        wait_until(lambda: holds(self[name]), timeout_s, every_s=0.05, what=lambda: f"of tollbook_{name} {self[name]}")

    def wait_until_spooled(self) -> None:
        """Wait until everything sent has been read and is on the disk."""
        seen = -1.0

        def spooled() -> bool:
            nonlocal seen
            before, seen = seen, self["events_total"]
            return seen == before and not self["legs_waiting"]

        wait_until(spooled, 60, every_s=0.3)

    def wait_until_written(self, timeout_s: float = 30.0) -> None:
        """Wait until nothing is left to write, in memory or on the disk."""
        self.wait_until("spool_bytes", lambda value: value == 0, timeout_s)
        self.wait_until("legs_waiting", lambda value: value == 0)
