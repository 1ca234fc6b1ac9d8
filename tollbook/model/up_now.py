"""Whether a caller of a call that is up waits in a queue, and since when. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class NotedTimes:
    """What was noted of a leg of a call that is up, epoch µs; `ended`: the leg is over."""

    ended: bool
    joined_us: tuple[int, ...] = ()
    left_us: tuple[int, ...] = ()
    bridged_us: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class UpCall:
    """A call that is up. `waiting_since`: its caller has waited in a queue since then, epoch ms; None: does not.

    `queue_id`: None while it waits and no agent was rung yet, because nothing that the switch said names the queue.
    """

    call_id: str
    account_id: str | None
    direction: str
    from_num: str
    to_num: str
    start_ts: int
    talking: bool
    queue_id: str | None
    agent_id: str | None
    waiting_since: int | None = field(default=None)


def waiting_since(legs: Iterable[NotedTimes]) -> int | None:
    """Return since when (epoch ms) a caller waits: the last time of joining a queue, if nothing ended the wait since.

    An agent who was connected ends it, and so does leaving the queue, and the end of the leg that joined.
    """
    known = list(legs)
    joined = max((at for leg in known if not leg.ended for at in leg.joined_us), default=None)
    over = max((at for leg in known for at in (*leg.left_us, *leg.bridged_us)), default=0)
    return None if joined is None or joined < over else joined // 1000
