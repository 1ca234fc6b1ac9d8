"""Group legs into calls: a root and every leg below it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Self, TypeAlias

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.call_leg import CallLeg, joined_by_uid, recovered
from tollbook.model.leg import Leg


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
        if self.root is None:
            return False
        for leg in self.legs:  # noqa: SIM110 - a third of the time of all(), for every call
            if leg.end is None:
                return False
        return True

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
        """Whether the end of a leg that dates the call's end is an estimate, or the clock was set back."""
        for leg in self.dating_legs:  # a third of the time of any(), for every call
            if leg.estimated or leg.clock_set_back:
                return True
        return self._child_before_parent

    @property
    def clock_set_back(self) -> bool:
        """Whether the switch's clock was set back while the call was up. A clock set forward cannot be seen.

        The times of a leg that dates the call are in no order, or a leg began before the one that it was made for.
        """
        for leg in self.dating_legs:
            if leg.clock_set_back:
                return True
        return self._child_before_parent

    @property
    def _child_before_parent(self) -> bool:
        root = self.root
        if root is not None and root is self.legs[0]:
            # Nearly every call: the root is the oldest leg, and all others were made for it.
            uid = root.uid
            for leg in self.legs:
                parent = leg.origin.parent
                if parent is not None and parent.uid != uid and leg is not root:
                    break
            else:
                return False
        oldest = {leg.uid: leg for leg in reversed(self.legs)}
        for leg in self.legs:
            parent = leg.origin.parent
            above = oldest.get(parent.uid) if parent is not None and leg is not self.root else None
            if above is not None and above.created_us > leg.created_us and not _any_recovered(above, leg):
                return True
        return False

    def key(self, switch: str) -> CallKey:
        """Return the key of the call's row."""
        return CallKey(self.start_us // 1000, self.call_id, switch)

    def first(self, most: int) -> Self:
        """Return the call with no more than its first `most` legs."""
        return self if len(self.legs) <= most else msgspec.structs.replace(self, legs=self.legs[:most])


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

    A leg of which only something was noted is in no call.

    `legs` must be closed: with a leg come all stored legs of the calls that it could touch (see
    `tollbook/store/calls/legs.py`). `parent_among` chooses the parent of each.
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


def parent_among(same_uid: Sequence[CallLeg], child: CallLeg) -> CallLeg | None:
    """Return the leg that a child was made for, of the legs of one id, sorted oldest first.

    It is the newest that began no later than the child. `sofia recover` makes the legs of a call in any order: where
    neither leg was heard before, that order says nothing. When all began later, the switch's clock was set back between
    parent and child, and the oldest is the parent; but not one that is known to be younger than the child, because its
    id was used again.
    """
    child_recovered = recovered(child.records[0])
    for leg in reversed(same_uid):
        if leg.created_us <= child.created_us or (child_recovered and recovered(leg.records[0])):
            return leg
    return next((leg for leg in same_uid[:1] if not _known_younger(leg.records[0], child.records[0])), None)


def _any_recovered(*legs: CallLeg) -> bool:
    """Whether a leg began earlier than its first record says."""
    return any(recovered(leg.records[0]) for leg in legs)


def _known_younger(record: Leg, than: Leg) -> bool:
    """Whether something other than the clock shows that a leg that seems to begin later did so.

    Another process of the switch made it, or the same one at a greater Event-Sequence.
    """
    if recovered(record):  # it began before this record
        return False
    if record.core and than.core and record.core != than.core:
        return True
    return 0 < (than.create.sequence if than.create else 0) < (record.create.sequence if record.create else 0)


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
                older = parent_among(by_uid.get(parent.uid, ()), leg)
                if older is None:
                    top = (parent.uid, None)
                else:
                    leg = older
    for below in path:
        tops[(below.uid, below.created_us)] = top
    return top
