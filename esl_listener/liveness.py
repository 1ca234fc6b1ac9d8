"""Signs of life of the switches' processes: on their way to the database, and when they should have come."""

from dataclasses import replace

from tollbook.store.calls.switch_processes import Life

# The year 2100. A clock beyond it is none, and PostgreSQL would refuse it again at every retry.
_CLOCK_UNTIL_US = 4_102_444_800_000_000

# So many heartbeats missing are a dead connection; but a switch or a network may well hold its breath for so long.
_MISSED = 3
_LEAST_LIMIT_S = 3.0
# Until two heartbeats have told how often they come. FreeSWITCH's own interval is 20 s, hence a limit of 60 s; its
# switch.conf may say another, and a limit below the interval would cut a quiet switch off for ever.
_MOST_LIMIT_S = 180.0


class Signs:
    """Collects what heartbeats, and the first event of each process, say; the writer takes it from here."""

    def __init__(self) -> None:
        self._waiting: dict[str, Life] = {}

    def note(self, core: str, address: str, switch: str, seen_us: int, unheard: int = 0) -> None:
        """Note that the process `core` lived at `seen_us`, and how many sessions it has told nothing of since."""
        if core and 0 < seen_us < _CLOCK_UNTIL_US:
            self._add(Life(core=core, address=address, switch=switch, seen_us=seen_us, unheard=unheard))

    def _add(self, life: Life) -> None:
        before = self._waiting.get(life.core)
        waited = before.unheard if before else 0
        self._waiting[life.core] = replace(life, unheard=life.unheard + waited)

    def take(self) -> list[Life]:
        """Remove and give what waits."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken

    def put_back(self, lives: list[Life]) -> None:
        """Return what could not be written."""
        newer, self._waiting = self._waiting, {life.core: life for life in lives}
        for life in newer.values():
            self._add(life)


class Pulse:
    """Learns how often a switch beats, and so how long it may be silent before its connection is given up."""

    def __init__(self) -> None:
        self.limit_s = _MOST_LIMIT_S
        self._last: tuple[float, int] | None = None

    def skip(self) -> None:
        """Forget the last beat, for others were missed since; the limit stays."""
        self._last = None

    def beat(self, now_s: float, at_us: int) -> None:
        """Take in a heartbeat that was sent at `at_us` by the switch's clock and read at `now_s` by ours."""
        if self._last is not None:
            # The longer of both: after a stall several are read at once, and a switch's clock may be set back.
            interval_s = max(now_s - self._last[0], (at_us - self._last[1]) / 1_000_000)
            self.limit_s = min(max(_MISSED * interval_s, _LEAST_LIMIT_S), _MOST_LIMIT_S)
        self._last = (now_s, at_us)
