"""Legs become calls: a root and all that hangs under it.

The stored legs are keyed by the Created-Time their events carry. `sofia recover` moves that time, so first the
lives of one id are told apart: a life whose creation says recovered=true goes on with the one before it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from tollbook.model.leg import ESTIMATED, Facts, Leg


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """One leg of a call, told from all its stored records (more than one after `sofia recover`).

    `birth` is what it is (from its CREATE, or a look, or only then its end), `became` what is read at its end,
    `end` its end if it has one. `created_us` is its first Created-Time.
    """

    uid: str
    created_us: int
    birth: Facts
    became: Facts
    end: Facts | None
    answered_us: int
    seen_us: int
    heard_create: bool
    records: tuple[Leg, ...]

    @property
    def order(self) -> tuple[int, str]:
        """The contract's 'first': smallest (Created-Time, Unique-ID)."""
        return (self.created_us, self.uid)

    @property
    def sent_number(self) -> str:
        """The number that was dialled with this leg: its CREATE's, or what its channel is named after, for a
        transfer puts another number into a leg but does not rename it."""
        if self.heard_create or not self.birth.channel.startswith("sofia/"):
            return self.birth.dialed
        return self.birth.channel.rpartition("/")[2].partition("@")[0]

    @property
    def estimated(self) -> bool:
        """Tell whether the end is our estimate rather than the switch's word."""
        return self.end is not None and self.end.source == ESTIMATED


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A root and its descendants in the contract's order. `root` is None while only descendants were heard:
    then `call_id` is the oldest ancestor id that they name."""

    call_id: str
    root: Life | None
    legs: tuple[Life, ...]

    @property
    def start_us(self) -> int:
        """The root's smallest Created-Time; without a root the first leg's, until the root is heard."""
        return self.root.created_us if self.root else self.legs[0].created_us

    @property
    def complete(self) -> bool:
        """Tell whether the root and every leg known to belong to it have ended."""
        return self.root is not None and all(leg.end is not None for leg in self.legs)


def _life(records: list[Leg]) -> Life:
    if len(records) == 1:
        return _only_life(records[0])
    first, last = records[0], records[-1]
    born = next((record for record in records if record.create or record.look), first)
    birth = born.create or born.look or born.end or Facts()
    # Of a recovered leg only the life after the crash ends by itself; an estimate made in between is void.
    end = last.end
    answered = (end.answered_us if end else 0) or min((us for record in records for us in _answers(record)), default=0)
    if end and end.source != ESTIMATED:
        answered = end.answered_us
    return Life(
        uid=first.uid,
        created_us=first.created_us,
        birth=birth,
        became=_filled(end, birth) if end else birth,
        end=end,
        answered_us=answered,
        seen_us=max(record.seen_us for record in records),
        heard_create=born.create is not None,
        records=tuple(records),
    )


def _only_life(record: Leg) -> Life:
    """Tell a leg that was never recovered, as all but a few are: the same rules, without the loops."""
    birth = record.create or record.look or record.end or Facts()
    end = record.end
    if end is None or end.source == ESTIMATED:
        answered_us = (end.answered_us if end else 0) or min(_answers(record), default=0)
    else:
        answered_us = end.answered_us
    return Life(
        uid=record.uid,
        created_us=record.created_us,
        birth=birth,
        became=_filled(end, birth) if end else birth,
        end=end,
        answered_us=answered_us,
        seen_us=record.seen_us,
        heard_create=record.create is not None,
        records=(record,),
    )


# Read at the end, or, where the end lacks one, at the creation.
_FALL_BACK = ("account", "call_direction", "cc_side", "cc_queue", "cc_agent", "cc_cause", "fifo_serviced_by")


def _filled(end: Facts, birth: Facts) -> Facts:
    missing = {name: said for name in _FALL_BACK if (said := getattr(birth, name)) and not getattr(end, name)}
    return msgspec.structs.replace(end, **missing) if missing else end


def _answers(record: Leg) -> list[int]:
    stated = [record.answered_us, *(facts.answered_us for facts in (record.create, record.look) if facts)]
    return [us for us in stated if us]


def _recovered(record: Leg) -> bool:
    said = record.create or record.look or record.end
    return said is not None and said.recovered


def _lives(legs: Iterable[Leg]) -> dict[str, list[Life]]:
    """Group the records of one switch by id, oldest first, joining recovered ones to the life before."""
    by_uid: defaultdict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        by_uid[leg.uid].append(leg)
    lives: dict[str, list[Life]] = {}
    for uid, records in by_uid.items():
        if len(records) == 1:
            lives[uid] = [_life(records)]
            continue
        records.sort(key=lambda record: record.created_us)
        joined: list[list[Leg]] = []
        for record in records:
            if joined and _recovered(record):
                joined[-1].append(record)
            else:
                joined.append([record])
        lives[uid] = [_life(group) for group in joined]
    return lives


def calls_of(legs: Iterable[Leg]) -> list[Call]:
    """Group the legs of one switch into calls.

    `legs` must be closed: with a leg come all stored legs of the calls it could touch (see
    `tollbook/store/calls/legs.py`). A parent is the newest life of the named id that began no later than the child.
    """
    lives = _lives(legs)
    members: defaultdict[tuple[str, int], list[Life]] = defaultdict(list)
    roots: dict[tuple[str, int], Life] = {}
    tops: dict[tuple[str, int], tuple[str, Life | None]] = {}
    for life in (life for several in lives.values() for life in several):
        call_id, root = _top(life, lives, tops)
        key = (call_id, root.created_us if root else 0)
        members[key].append(life)
        if root:
            roots[key] = root
    return [
        Call(call_id=key[0], root=roots.get(key), legs=tuple(sorted(several, key=lambda leg: leg.order)))
        for key, several in members.items()
    ]


def newest_before(lives: Sequence[Life], child: Life) -> Life | None:
    """Choose, of the lives of one id, oldest first, the newest that began no later than the child."""
    return next((life for life in reversed(lives) if life.created_us <= child.created_us), None)


def _top(
    life: Life, lives: dict[str, list[Life]], tops: dict[tuple[str, int], tuple[str, Life | None]]
) -> tuple[str, Life | None]:
    """Climb from a leg to its root, or to the oldest ancestor id named when that ancestor was not heard."""
    path: list[Life] = []
    seen: set[tuple[str, int]] = set()
    answer: tuple[str, Life | None] | None = None
    while answer is None:
        key = (life.uid, life.created_us)
        if key in tops:
            answer = tops[key]
        elif key in seen:
            # Legs that name each other in a ring, which only forged or broken variables do: the first is the root.
            first = min(path[[(one.uid, one.created_us) for one in path].index(key) :], key=lambda one: one.order)
            answer = (first.uid, first)
        else:
            seen.add(key)
            path.append(life)
            parent = life.birth.parent
            if parent is None:
                answer = (life.uid, life)
            else:
                older = newest_before(lives.get(parent.uid, ()), life)
                if older is None:
                    answer = (parent.uid, None)
                else:
                    life = older
    for one in path:
        tops[(one.uid, one.created_us)] = answer
    return answer
