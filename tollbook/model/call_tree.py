"""Group legs into calls: a root and every leg below it.

Stored legs are keyed by the Created-Time that their events carry. `sofia recover` moves that time, so the records of
one Unique-ID are joined first: a record whose creation says recovered=true continues the one before it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.leg import ESTIMATED, FROM_EVENT, Facts, Leg
from tollbook.model.numbers import number_of


@dataclass(frozen=True, kw_only=True, slots=True)
class CallLeg:
    """One leg of a call, joined from all its stored records (several after `sofia recover`).

    `origin` is what the leg is: the facts of its CREATE, else of a look at the switch, else of its end. `outcome` is
    what became of it: the facts of its end, completed from `origin`. `end` is None while it is up. `created_us` is
    its first Created-Time.
    """

    uid: str
    created_us: int
    origin: Facts
    outcome: Facts
    end: Facts | None
    answered_us: int
    heard_create: bool
    records: tuple[Leg, ...]

    @property
    def order(self) -> tuple[int, str]:
        """The sort key of docs/calls.md: "first" is the smallest (Created-Time, Unique-ID)."""
        return (self.created_us, self.uid)

    @property
    def sent_number(self) -> str:
        """The number that this leg dialled.

        It is in the CREATE. Without one it is read from the channel's name, because a transfer overwrites the number
        but not the name.
        """
        if self.heard_create or not self.origin.channel.startswith("sofia/"):
            return number_of(self.origin.dialed)
        return number_of(self.origin.channel)

    @property
    def began_us(self) -> int:
        """Its first Created-Time; of a recovered leg whose first was not heard, no later than its answer."""
        if self.answered_us and self.answered_us < self.created_us and recovered(self.records[0]):
            return self.answered_us
        return self.created_us

    @property
    def clock_set_back(self) -> bool:
        """Whether the switch's clock was set back while it was up: its times are not in the order of what happened."""
        end_us = self.end.hangup_us if self.end is not None else 0
        if self.created_us <= self.answered_us <= end_us:  # nearly every leg that counts
            return False
        began_us = self.began_us
        return 0 < self.answered_us < began_us or 0 < end_us < max(began_us, self.answered_us)

    @property
    def begun_with(self) -> Facts | None:
        """The facts of its CREATE, if that was heard: a CDR file that stands for it has the variables of the end."""
        return self.origin if self.heard_create and self.origin.source == FROM_EVENT else None

    def read_at_end(self, name: str) -> bool:
        """Whether a fact of `outcome` is the end's own, and not taken from `origin`."""
        return self.end is not None and bool(getattr(self.end, name))

    @property
    def estimated(self) -> bool:
        """Whether the end is our estimate and not stated by the switch."""
        return self.end is not None and self.end.source == ESTIMATED


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A root and its descendants, sorted by `CallLeg.order`.

    `root` is None while only descendants were heard; `call_id` is then the oldest ancestor id that they name.
    """

    call_id: str
    root: CallLeg | None
    legs: tuple[CallLeg, ...]

    @property
    def start_us(self) -> int:
        """When the root began; the first leg until the root is heard."""
        return (self.root or self.legs[0]).began_us

    @property
    def complete(self) -> bool:
        """Whether the root and every leg known to belong to it have ended."""
        return self.root is not None and all(leg.end is not None for leg in self.legs)

    @property
    def dating_legs(self) -> Sequence[CallLeg]:
        """The legs that date the end of the call: the root, and those that were answered.

        A phone that goes on ringing after its call is over bills nobody.
        """
        root = self.root or self.legs[0]
        # A list: half the time of a generator, for every call.
        return [leg for leg in self.legs if leg.answered_us or leg is root]

    @property
    def estimated(self) -> bool:
        """Whether the end of a leg that dates the call's end is an estimate, or its times are in no order.

        Then the switch's clock was set back while it was up. A clock set forward cannot be seen.
        """
        for leg in self.dating_legs:  # noqa: SIM110 - a third of the time of any(), for every call
            if leg.estimated or leg.clock_set_back:
                return True
        return False

    def key(self, switch: str) -> CallKey:
        """Return the key of the call's row."""
        return CallKey(self.start_us // 1000, self.call_id, switch)

    def first(self, most: int) -> Self:
        """Return the call with no more than its first `most` legs."""
        return self if len(self.legs) <= most else replace(self, legs=self.legs[:most])


# What identifies a leg among those of one switch: Unique-ID and Created-Time.
_LegId: TypeAlias = tuple[str, int]
# A leg's call: its id, and its root if that was heard.
_Top: TypeAlias = tuple[str, CallLeg | None]


def by_switch(legs: Iterable[Leg]) -> dict[str, list[Leg]]:
    """Group legs by their switch: two switches never share a call."""
    grouped: defaultdict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        grouped[leg.switch].append(leg)
    return grouped


def calls_of(legs: Iterable[Leg]) -> list[Call]:
    """Group the legs of one switch into calls.

    `legs` must be closed: with a leg come all stored legs of the calls that it could touch (see
    `tollbook/store/calls/legs.py`). A parent is the newest leg with the named id that began no later than the child.
    """
    by_uid = joined_by_uid(legs)
    members: defaultdict[_LegId, list[CallLeg]] = defaultdict(list)
    roots: dict[_LegId, CallLeg] = {}
    tops: dict[_LegId, _Top] = {}
    for same_uid in by_uid.values():
        for leg in same_uid:
            call_id, root = _top(leg, by_uid, tops)
            key = (call_id, root.created_us if root else 0)
            members[key].append(leg)
            if root:
                roots[key] = root
    return [
        Call(call_id=key[0], root=roots.get(key), legs=tuple(sorted(group, key=lambda leg: leg.order)))
        for key, group in members.items()
    ]


def newest_before(same_uid: Sequence[CallLeg], child: CallLeg) -> CallLeg | None:
    """Return the newest of the legs of one id, sorted oldest first, that began no later than the child.

    `sofia recover` makes the legs of a call in any order. Where neither leg was heard before, that order says nothing.
    """
    child_recovered = recovered(child.records[0])
    return next(
        (
            leg
            for leg in reversed(same_uid)
            if leg.created_us <= child.created_us or (child_recovered and recovered(leg.records[0]))
        ),
        None,
    )


def joined_by_uid(legs: Iterable[Leg]) -> dict[str, list[CallLeg]]:
    """Group the records of one switch by id, oldest first, and join each recovered one to the one before it.

    Returns the legs of each Unique-ID, by Created-Time.
    """
    by_uid: defaultdict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        by_uid[leg.uid].append(leg)
    joined: dict[str, list[CallLeg]] = {}
    for uid, records in by_uid.items():
        if len(records) == 1:
            joined[uid] = [_join(records)]
            continue
        records.sort(key=lambda record: record.created_us)
        groups: list[list[Leg]] = []
        for record in records:
            if groups and recovered(record):
                groups[-1].append(record)
            else:
                groups.append([record])
        joined[uid] = [_join(group) for group in groups]
    return joined


def began_us(record: Leg) -> int:
    """Return when the leg of a record began, as far as that record knows: epoch µs."""
    return _join([record]).began_us


def _join(records: Sequence[Leg]) -> CallLeg:
    """Join the records of one leg, oldest first."""
    first = records[0]
    born = next((record for record in records if record.create or record.look), first) if len(records) > 1 else first
    origin = born.create or born.look or born.end or Facts()
    # A recovered leg's own end is that of its last record. An estimate made in between is void.
    end = records[-1].end
    if end is not None and end.source != ESTIMATED:
        # The time stated at the end is believed, also when it says "not answered".
        answered_us = end.answered_us
    else:
        answered_us = (end.answered_us if end else 0) or min(_answers(records), default=0)
    return CallLeg(
        uid=first.uid,
        created_us=first.created_us,
        origin=origin,
        outcome=_completed(end, origin) if end else origin,
        end=end,
        answered_us=answered_us,
        heard_create=born.create is not None,
        records=tuple(records),
    )


# Read at the end or, where the end lacks one, at the creation.
_READ_AT_END_FIRST = (
    "account", "cdr_direction", "call_direction", "cc_side", "cc_queue", "cc_agent", "cc_cause", "fifo_serviced_by",
)  # fmt: skip


def _completed(end: Facts, origin: Facts) -> Facts:
    missing = {
        name: value for name in _READ_AT_END_FIRST if (value := getattr(origin, name)) and not getattr(end, name)
    }
    return msgspec.structs.replace(end, **missing) if missing else end


def _answers(records: Iterable[Leg]) -> list[int]:
    """List the answer times stated while the leg was up."""
    return [
        answered_us
        for record in records
        for answered_us in (
            record.answered_us,
            *(facts.answered_us for facts in (record.create, record.look) if facts),
        )
        if answered_us
    ]


def recovered(record: Leg) -> bool:
    """Whether a record is of a leg that `sofia recover` brought back: it continues the one before it."""
    facts = record.create or record.look or record.end
    return facts is not None and facts.recovered


def _top(leg: CallLeg, by_uid: dict[str, list[CallLeg]], tops: dict[_LegId, _Top]) -> _Top:
    """Climb from a leg to its root, or to the oldest ancestor id named when that ancestor was not heard."""
    path: list[CallLeg] = []
    seen: set[_LegId] = set()
    top: _Top | None = None
    while top is None:
        leg_id = (leg.uid, leg.created_us)
        if leg_id in tops:
            top = tops[leg_id]
        elif leg_id in seen:
            # Legs that name each other in a ring, as only forged or broken variables do: the first of them is the root.
            ring = path[[(above.uid, above.created_us) for above in path].index(leg_id) :]
            first = min(ring, key=lambda above: above.order)
            top = (first.uid, first)
        else:
            seen.add(leg_id)
            path.append(leg)
            parent = leg.origin.parent
            if parent is None:
                top = (leg.uid, leg)
            else:
                older = newest_before(by_uid.get(parent.uid, ()), leg)
                if older is None:
                    top = (parent.uid, None)
                else:
                    leg = older
    for below in path:
        tops[(below.uid, below.created_us)] = top
    return top
