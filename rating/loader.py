"""Load what prices every account from the database: the package's only I/O beside its commands."""

import time
from collections.abc import Iterable, Iterator
from typing import Final

from rating.deck import Deck
from rating.engine import AccountTariff, Assignment, Plan, Tariffs
from tollbook.model.fold import FoldSettings
from tollbook.model.numbering import NumberingPlan
from tollbook.model.rate import Rate
from tollbook.model.trunks import TrunkRules
from tollbook.model.vocabulary import DIRECTIONS, Direction
from tollbook.store.database import Connection, store_errors
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.tariffs import PlanRow, RateRow

_NOTHING: Final = Tariffs()
_GIVE_WAY_AFTER: Final = 1000
# One string for each, which a million rates share.
_DIRECTIONS: Final[dict[str, Direction]] = {direction: direction for direction in DIRECTIONS}


def load_tariffs(connection: Connection, before: Tariffs = _NOTHING) -> Tariffs:
    """Read accounts and the decks of the plans they use; accounts and plans share them. Call in one snapshot.

    Decks whose version is still that of `before` are taken from there.
    """
    rows = {row.plan_id: row for row in tariffs.plans(connection)}
    assigned = tariffs.assignments(connection)
    used = {one.plan_id: _chain(one.plan_id, rows) for one in assigned if one.plan_id}
    decks: dict[tuple[str, int], Deck] = {}
    for row in {row.plan_id: row for chain in used.values() for row in chain}.values():
        key = (row.plan_id, row.version)
        known = before.decks.get(key)
        decks[key] = known or Deck(_rates(tariffs.rates(connection, row.plan_id)))
    plans = {
        plan_id: Plan(
            plan_id=plan_id,
            currency=rows[plan_id].currency,
            decks=tuple(decks[row.plan_id, row.version] for row in chain),
        )
        for plan_id, chain in used.items()
    }
    numberings = {row.numbering_id: NumberingPlan(row) for row in tariffs.numberings(connection)}
    by_account: dict[str, list[Assignment]] = {}
    for one in assigned:
        plan = plans[one.plan_id] if one.plan_id else None
        by_account.setdefault(one.account_id, []).append(Assignment(from_ts=one.from_ts, plan=plan))
    accounts = {
        one.account_id: AccountTariff(
            assignments=tuple(by_account.get(one.account_id, ())),
            numbering=numberings[one.numbering_id] if one.numbering_id else None,
        )
        for one in tariffs.accounts(connection)
    }
    return Tariffs(accounts=accounts, decks=decks)


def load_pricing(connection: Connection, trunk_rules: TrunkRules) -> tuple[FoldSettings, Tariffs]:
    """Read, in one snapshot, all that a batch needs beside its legs. Call between transactions; raises our errors."""
    with store_errors():
        try:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            owners = tariffs.number_owners(connection)
            return FoldSettings(trunk_rules=trunk_rules, number_owners=owners), load_tariffs(connection)
        finally:
            connection.rollback()


def _chain(plan_id: str, rows: dict[str, PlanRow]) -> list[PlanRow]:
    """List a plan, its base, the base's base; the store lets no circle in."""
    chain: list[PlanRow] = []
    at: str | None = plan_id
    while at is not None:
        chain.append(rows[at])
        at = rows[at].base_plan_id
    return chain


def _rates(rows: Iterable[RateRow]) -> Iterator[Rate]:
    """Make rates that share their values: a million of them have a few thousand names and prices, and half the size."""
    texts: dict[str, str] = {}
    numbers: dict[int, int] = {}
    for number, row in enumerate(rows):
        if number % _GIVE_WAY_AFTER == 0:
            time.sleep(0)  # in the listener, to its readers: a large deck takes seconds
        direction, prefix, per_min, fee, increment, first, begin, end, name, rate_id, version, plan = row
        yield Rate(
            _DIRECTIONS[direction],
            prefix,
            numbers.setdefault(per_min, per_min),
            numbers.setdefault(fee, fee),
            increment,
            first,
            numbers.setdefault(begin, begin),
            end,
            texts.setdefault(name, name),
            rate_id,
            version,
            texts.setdefault(plan, plan),
        )
