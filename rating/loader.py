"""Load what prices every account from the database: the package's only I/O beside its commands."""

from rating.deck import Deck
from rating.engine import AccountTariff, Assignment, Plan, Tariffs
from tollbook.model.fold import Operator
from tollbook.model.numbering import Numbering
from tollbook.model.offnet import Peers
from tollbook.model.rate import Rate
from tollbook.store import tariffs
from tollbook.store.database import Connection, store_errors


def load_tariffs(connection: Connection) -> Tariffs:
    """Read accounts and the decks of the plans they use; accounts and plans share them. Call in one snapshot."""
    rows = {row.plan_id: row for row in tariffs.plans(connection)}
    assigned = tariffs.assignments(connection)
    decks: dict[str, Deck] = {}

    def plan_of(plan_id: str) -> Plan:
        chain = _chain(plan_id, rows)
        for one in chain:
            if one not in decks:
                decks[one] = Deck(Rate(*row) for row in tariffs.rates(connection, one))
        return Plan(plan_id=plan_id, currency=rows[plan_id].currency, decks=tuple(decks[one] for one in chain))

    plans = {plan_id: plan_of(plan_id) for plan_id in {one.plan_id for one in assigned if one.plan_id}}
    numberings = {row.numbering_id: Numbering(row) for row in tariffs.numberings(connection)}
    by_account: dict[str, list[Assignment]] = {}
    for one in assigned:
        plan = plans[one.plan_id] if one.plan_id else None
        by_account.setdefault(one.account_id, []).append(Assignment(from_ts=one.from_ts, plan=plan))
    return Tariffs(
        accounts={
            one.account_id: AccountTariff(
                assignments=tuple(by_account.get(one.account_id, ())),
                numbering=numberings[one.numbering_id] if one.numbering_id else None,
            )
            for one in tariffs.accounts(connection)
        }
    )


def load_pricing(connection: Connection, peers: Peers) -> tuple[Operator, Tariffs]:
    """Read, in one snapshot, all that a batch needs beside its legs. Call between transactions; raises our errors."""
    with store_errors():
        try:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            owners = tariffs.number_owners(connection)
            return Operator(peers=peers, number_owners=owners), load_tariffs(connection)
        finally:
            connection.rollback()


def _chain(plan_id: str, rows: dict[str, tariffs.PlanRow]) -> list[str]:
    """List a plan, its base, the base's base; the store lets no circle in."""
    chain: list[str] = []
    at: str | None = plan_id
    while at is not None and at not in chain:
        chain.append(at)
        at = rows[at].base_plan_id
    return chain
