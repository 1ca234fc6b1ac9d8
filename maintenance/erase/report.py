"""What an erasure comes to, as its command prints it."""

from dataclasses import dataclass
from pathlib import Path

from maintenance.erase.preview import begun_later, still_up
from tollbook.store.erasure.receipts import Erasure


@dataclass(frozen=True, kw_only=True)
class EraseReport:
    """A finished erasure, the file of its receipt, and how many calls were left.

    `open` are still up, `later` began after the first attempt.
    """

    erasure: Erasure
    receipt: Path
    open: int
    later: int

    def __str__(self) -> str:
        """Return it as a line, and another if calls are still up."""
        places = ", ".join(f"{count} {place}" for place, count in sorted(self.erasure.counts.items()) if count)
        erased = f"erased: {self.erasure.calls} calls ({places or 'nothing was there'}); receipt {self.receipt}"
        lines = [erased]
        if self.later:
            lines.append(begun_later(self.later))
        if self.open:
            lines.append(still_up(self.open))
        return "\n".join(lines)
