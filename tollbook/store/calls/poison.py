"""Batches with legs that PostgreSQL refuses: these are found, and all the others written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tollbook.errors import DataError, LegsRefused, TooLate
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, LegKey
from tollbook.model.vocabulary import PriceCause
from tollbook.store.calls import switch_processes
from tollbook.store.calls.batch import Written, write_batch
from tollbook.store.calls.batch_plan import Pricer
from tollbook.store.calls.switch_processes import SwitchProcess
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A leg that was not written, and why; `late` when other legs of its call were pruned."""

    leg: Leg
    reason: str
    late: bool = False


def write_around_poison(
    connection: Connection,
    incoming: Sequence[Leg],
    fold_settings: FoldSettings,
    price: Pricer,
    partitions: Partitions,
    *,
    cause: PriceCause = "event",
    missing: Collection[LegKey] = (),
    processes: Collection[SwitchProcess] = (),
) -> tuple[Written, list[Refused]]:
    """Write a batch; when PostgreSQL refuses a value, find the leg it comes from and write all the others.

    Legs that arrive too late, or begin too far ahead, are refused too. `cause`, `missing` and `processes` as in
    `write_batch`. Raises StoreUnavailable, after which the same batch may be tried again: what was written stays
    written.
    """

    def write(legs: Sequence[Leg], processes: Collection[SwitchProcess] = ()) -> Written:
        return write_batch(
            connection, legs, fold_settings, price, partitions, cause=cause, missing=missing, processes=processes
        )

    def write_around(legs: Sequence[Leg]) -> tuple[Written, list[Refused]]:
        try:
            return write(legs), []
        except DataError as error:
            return around(legs, error)

    def around(legs: Sequence[Leg], error: DataError) -> tuple[Written, list[Refused]]:
        if isinstance(error, LegsRefused):
            late = isinstance(error, TooLate)
            named = [Refused(leg=leg, reason=str(error), late=late) for leg in legs if leg.key in error.legs]
            written, refused = write_around([leg for leg in legs if leg.key not in error.legs])
            return written, refused + named
        partitions.forget()  # a partition that somebody dropped by hand also looks like a refused value
        if len(legs) == 1:
            return write_alone(legs[0], error)
        half = len(legs) // 2
        first, refused = write_around(legs[:half])
        second, more = write_around(legs[half:])
        return first + second, refused + more

    def write_alone(leg: Leg, error: DataError) -> tuple[Written, list[Refused]]:
        try:
            return write([leg]), []
        except DataError:
            return Written(), [Refused(leg=leg, reason=str(error))]

    try:
        return write(incoming, processes), []
    except DataError as error:
        result = around(incoming, error)
        switch_processes.note(connection, processes)
        return result
