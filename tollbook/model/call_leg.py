"""One leg of a call, joined from all that is stored of it.

Stored legs are keyed by the Created-Time that their events carry. `sofia recover` moves that time, so the records of
one Unique-ID are joined first: a record whose creation says recovered=true continues the one before it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from tollbook.model.leg import ESTIMATED, FROM_EVENT, IMPORTED, Facts, Leg
from tollbook.model.numbers import number_of
from tollbook.times import US_PER_SECOND


class CallLeg(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One leg of a call, joined from all its stored records (several after `sofia recover`).

    `origin` is what the leg is: the facts of its CREATE, else of a look at the switch, else of its end. `outcome` is
    what became of it: the facts of its end, completed from `origin`. `end` is None while it is up. `created_us` is
    its first Created-Time. `noted_by_id`: what was noted of it by events that name its id and not its creation.
    """

    uid: str
    created_us: int
    origin: Facts
    outcome: Facts
    end: Facts | None
    answered_us: int
    heard_create: bool
    records: tuple[Leg, ...]
    noted_by_id: tuple[Leg, ...] = ()

    @property
    def stored_records(self) -> tuple[Leg, ...]:
        """Its records, and what was noted of it beside them."""
        return self.records + self.noted_by_id

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


def joined_by_uid(legs: Iterable[Leg]) -> dict[str, list[CallLeg]]:
    """Group the records of one switch by id, oldest first, and join each recovered one to the one before it.

    Returns the legs of each Unique-ID, by Created-Time. Legs of which only something was noted are left out, and so
    are imported ones of which the switch itself has said more.
    """
    by_uid: defaultdict[str, list[Leg]] = defaultdict(list)
    noted: list[Leg] = []
    for leg in legs:
        if leg.is_known:
            by_uid[leg.uid].append(leg)
        elif leg.noted_of_any_life:
            noted.append(leg)
    joined: dict[str, list[CallLeg]] = {}
    for uid, records in by_uid.items():
        if len(records) == 1:
            joined[uid] = [_join(records)]
            continue
        records = _without_replaced(records)
        records.sort(key=lambda record: record.created_us)
        groups: list[list[Leg]] = []
        for record in records:
            if groups and recovered(record):
                groups[-1].append(record)
            else:
                groups.append([record])
        joined[uid] = [_join(group) for group in groups]
    for record in sorted(noted, key=lambda record: record.created_us):
        same_uid = joined.get(record.uid, [])
        begun = sum(leg.began_us <= record.created_us for leg in same_uid)
        if begun:
            life = same_uid[begun - 1]
            same_uid[begun - 1] = msgspec.structs.replace(life, noted_by_id=(*life.noted_by_id, record))
    return joined


def _without_replaced(records: list[Leg]) -> list[Leg]:
    """Return the records of an id without those that were imported although the switch itself states the same leg.

    Most formats state whole seconds, so that the two have different keys. Whichever of them came first, the switch's
    own counts.
    """
    own = {record.created_us // US_PER_SECOND for record in records if not _was_imported(record)}
    return [record for record in records if not (_was_imported(record) and record.created_us // US_PER_SECOND in own)]


def _was_imported(record: Leg) -> bool:
    facts = record.create or record.look or record.end
    return facts is not None and facts.source == IMPORTED


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
