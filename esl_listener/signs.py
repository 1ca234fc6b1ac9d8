"""Signs of life of the switches' processes, on their way to the database."""

from tollbook.store.lives import Life


class Signs:
    """Collects what heartbeats, and the first event of each process, say; the writer takes it from here."""

    def __init__(self) -> None:
        self._waiting: dict[str, Life] = {}
        self._known: dict[str, str] = {}

    def note(self, core: str, address: str, switch: str, seen_us: int) -> None:
        """Note that the process `core` lived at `seen_us`."""
        if core and seen_us > 0:
            self._known[address] = core
            self._waiting[core] = Life(core=core, address=address, switch=switch, seen_us=seen_us)

    def note_first(self, core: str, address: str, switch: str, seen_us: int) -> None:
        """Note it when this process was not heard at this address yet; its heartbeats tell the rest."""
        if self._known.get(address) != core:
            self.note(core, address, switch, seen_us)

    def take(self) -> list[Life]:
        """Remove and give what waits."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken

    def put_back(self, lives: list[Life]) -> None:
        """Return what could not be written."""
        self._waiting = {life.core: life for life in lives} | self._waiting
