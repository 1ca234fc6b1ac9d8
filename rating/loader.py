"""Load the tariffs of all accounts from the database: the only I/O of this package besides its commands."""

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
# Rates loaded before other greenlets get their turn.
_RATES_A_TURN: Final = 1000
# One string for each, which a million rates share.
_DIRECTIONS: Final[dict[str, Direction]] = {direction: direction for direction in DIRECTIONS}


def load_tariffs(connection: Connection, before: Tariffs = _NOTHING) -> Tariffs:
    """Load all accounts and the decks of the plans that they use. Call inside one snapshot of the database.

    Decks are shared by plans and accounts, and taken over from `before` where their version is still the same.
    """
    rows = {row.plan_id: row for row in tariffs.plans(connection)}
    assigned = tariffs.assignments(connection)
    used = {row.plan_id: _with_bases(row.plan_id, rows) for row in assigned if row.plan_id}
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
    for row in assigned:
        plan = plans[row.plan_id] if row.plan_id else None
        by_account.setdefault(row.account_id, []).append(Assignment(from_ts=row.from_ts, plan=plan))
    accounts = {
        account.account_id: AccountTariff(
            assignments=tuple(by_account.get(account.account_id, ())),
            numbering=numberings[account.numbering_id] if account.numbering_id else None,
        )
        for account in tariffs.accounts(connection)
    }
    return Tariffs(accounts=accounts, decks=decks)


def load_pricing(connection: Connection, trunk_rules: TrunkRules) -> tuple[FoldSettings, Tariffs]:
    """Load, in one snapshot, all that a batch needs besides its legs. Call between transactions.

    Raises StoreUnavailable.
    """
    with store_errors():
        try:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            owners = tariffs.number_owners(connection)
            return FoldSettings(trunk_rules=trunk_rules, number_owners=owners), load_tariffs(connection)
        finally:
            connection.rollback()


def _with_bases(plan_id: str, rows: dict[str, PlanRow]) -> list[PlanRow]:
    """Return a plan, its base, the base's base. The store accepts no circle."""
    chain: list[PlanRow] = []
    at: str | None = plan_id
    while at is not None:
        chain.append(rows[at])
        at = rows[at].base_plan_id
    return chain


def _rates(rows: Iterable[RateRow]) -> Iterator[Rate]:
    """Make rates that share equal values: a million have a few thousand names and prices, and so half the size."""
    texts: dict[str, str] = {}
    numbers: dict[int, int] = {}
    for number, row in enumerate(rows):
        if number % _RATES_A_TURN == 0:
            time.sleep(0)  # lets the readers of the listener run: a large deck takes seconds
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
