"""An agent's figures: how long it was in each bucket, how many callers it was connected with, and the usual shares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tollbook.model.agents.spans import BUCKETS, AgentSpan, Bucket

# Where the agent is at work. `unknown` is neither work nor leisure, so that a listener that was away changes no share.
_LOGGED_IN: Final[tuple[Bucket, ...]] = ("ready", "offering", "incall", "wrapup", "idle", "paused")


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentSums:
    """Milliseconds by bucket, without those that have none, and the calls that began."""

    ms: Mapping[Bucket, int] = field(default_factory=dict[Bucket, int])
    handled: int = 0

    def plus(self, other: "AgentSums") -> "AgentSums":
        """Return the sums of two times that do not overlap."""
        ms: dict[Bucket, int] = {}
        for name in BUCKETS:
            if spent := self.ms.get(name, 0) + other.ms.get(name, 0):
                ms[name] = spent
        return AgentSums(ms=ms, handled=self.handled + other.handled)

    @property
    def logged_in_ms(self) -> int:
        """How long the agent was at work, as far as is known."""
        return sum(self.ms.get(name, 0) for name in _LOGGED_IN)

    @property
    def handle_ms(self) -> int:
        """How long it talked, or worked after a call."""
        return self.ms.get("incall", 0) + self.ms.get("wrapup", 0)

    @property
    def occupancy_pct(self) -> int:
        """Of the time in which it talked or was ready to, the share in which it talked; 0 of none."""
        return _percent(self.handle_ms, self.handle_ms + self.ms.get("ready", 0))

    @property
    def utilization_pct(self) -> int:
        """Of the time at work the share in which it talked; 0 of none."""
        return _percent(self.handle_ms, self.logged_in_ms)


class AgentTime(NamedTuple):
    """What some time of an agent came to, and whose it was."""

    switch: str
    agent: str
    account_id: str | None
    sums: AgentSums


def sums_of(spans: Iterable[AgentSpan]) -> AgentSums:
    """Add up spans."""
    ms: dict[Bucket, int] = {}
    handled = 0
    for span in spans:
        bucket = span.bucket
        ms[bucket] = ms.get(bucket, 0) + span.until_ms - span.from_ms
        handled += span.handled
    return AgentSums(ms=ms, handled=handled)


def _percent(part: int, whole: int) -> int:
    """Return a share in whole percent, half of one rounded up."""
    return (200 * part + whole) // (2 * whole) if whole else 0
