"""Signs of life of the switches' processes, on their way to the database."""

from tollbook.store.lives import Life

# The year 2100. A clock beyond it is none, and PostgreSQL would refuse it again at every retry.
_CLOCK_UNTIL_US = 4_102_444_800_000_000


class Signs:
    """Collects what heartbeats, and the first event of each process, say; the writer takes it from here."""

    def __init__(self) -> None:
        self._waiting: dict[str, Life] = {}

    def note(self, core: str, address: str, switch: str, seen_us: int) -> None:
        """Note that the process `core` lived at `seen_us`."""
        if core and 0 < seen_us < _CLOCK_UNTIL_US:
            self._waiting[core] = Life(core=core, address=address, switch=switch, seen_us=seen_us)

    def take(self) -> list[Life]:
        """Remove and give what waits."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken

    def put_back(self, lives: list[Life]) -> None:
        """Return what could not be written."""
        self._waiting = {life.core: life for life in lives} | self._waiting
