"""Whether a caller of a call that is up waits in a queue, and since when. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class NotedTimes:
    """What was noted of a leg of a call that is up, epoch µs; `ended`: the leg is over.

    `in_queue`: the last time of joining a queue, and its name.
    """

    ended: bool
    joined_us: tuple[int, ...] = ()
    left_us: tuple[int, ...] = ()
    bridged_us: tuple[int, ...] = ()
    in_queue: tuple[int, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """A caller waits in a queue since then, epoch ms; `queue_id`: None where nothing said which queue was joined."""

    since_ts: int
    queue_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UpCall:
    """A call that is up. `waiting_since`: its caller has waited in a queue since then, epoch ms; None: does not.

    `queue_id`: the queue that it waits in, or else that of its row.
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


def wait_now(legs: Iterable[NotedTimes]) -> Wait | None:
    """Return how a caller waits: since the last time of joining a queue, if nothing ended the wait since.

    An agent who was connected ends it, and so does leaving the queue, and the end of the leg that joined.
    """
    known = list(legs)
    joined = max((at for leg in known if not leg.ended for at in leg.joined_us), default=None)
    over = max((at for leg in known for at in (*leg.left_us, *leg.bridged_us)), default=0)
    if joined is None or joined < over:
        return None
    named = [leg.in_queue[1] for leg in known if leg.in_queue and leg.in_queue[0] == joined and not leg.ended]
    return Wait(since_ts=joined // 1000, queue_id=max(named, default=None))
