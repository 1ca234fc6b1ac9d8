"""Replace a plan's rates by those of a file, in one transaction: no call is ever priced from half a deck.

No rate is deleted: a rate that the plan's new version lacks only leaves today's deck, and still explains the calls
that it priced.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tollbook.errors import UsageError
from tollbook.store.database import Connection, store_errors
from tollbook.store.tariffs import deck_staging
from tollbook.store.tariffs.deck_staging import Comparison, StagedRate
from tollbook.store.tariffs.tariffs import PlanRow, raise_version, require_plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What an import did, or would do: the plan afterwards, and its new rates compared with the old ones.

    `given`: how many rates there were in the files.
    """

    plan: PlanRow
    given: int
    compared: Comparison


def replace_rates(
    connection: Connection,
    plan_id: str,
    currency: str | None,
    new: Iterable[StagedRate],
    *,
    base: str | None = None,
    source: str = "",
    update: bool = False,
    dry_run: bool = False,
) -> Imported:
    """Replace the rates of a plan, created when missing, by `new`: place in the file, then the fields of RateTerms.

    `currency` None: the plan's own; a new plan takes its base's, or USD. `base` None: unchanged; '': no base. `source`
    names the files. `update`: only the prefixes in `new` change, each from its first date there. Raises UsageError for
    a currency or a base that is not possible, or an update of no plan; DataError for rates of one prefix whose times
    overlap; and whatever `new` raises. In each case nothing has changed.
    """
    with store_errors(), connection.transaction(force_rollback=dry_run):
        if update:
            require_plan(connection, plan_id)
        before = _plan(connection, plan_id, currency, base)
        after = _rebased(connection, before, base)
        given = deck_staging.stage(connection, new, onto_plan=plan_id if update else None)
        compared = deck_staging.compare(connection, plan_id)
        version = before.version + compared.changed
        if compared.changed and not dry_run:
            deck_staging.exchange(connection, plan_id, version)
            connection.execute("UPDATE rate_plan SET version = %s WHERE plan_id = %s", (version, plan_id))
            connection.execute(
                "INSERT INTO plan_version (plan_id, version, source, rates) VALUES (%s, %s, %s, %s)",
                (plan_id, version, source, compared.rates),
            )
        if compared.changed or after != before.base_plan_id:
            raise_version(connection)
    plan = PlanRow(plan_id=plan_id, currency=before.currency, base_plan_id=after, version=version)
    return Imported(plan=plan, given=given, compared=compared)


def _plan(connection: Connection, plan_id: str, currency: str | None, base: str | None) -> PlanRow:
    """Lock a plan, created when missing; raises UsageError when its currency is a different one."""
    if base is not None:
        # Otherwise two concurrent imports could form a circle of bases, of which each sees only half.
        connection.execute("LOCK TABLE rate_plan IN SHARE ROW EXCLUSIVE MODE")
    connection.execute(
        """
        INSERT INTO rate_plan (plan_id, currency)
        SELECT %(plan)s, coalesce(%(currency)s, (SELECT currency FROM rate_plan WHERE plan_id = %(base)s), 'USD')
        ON CONFLICT DO NOTHING
        """,
        {"plan": plan_id, "currency": currency, "base": base},
    )
    row = connection.execute(
        "SELECT currency, base_plan_id, version FROM rate_plan WHERE plan_id = %s FOR NO KEY UPDATE", (plan_id,)
    ).fetchone()
    assert row is not None  # it exists: created here, or before
    found = PlanRow(plan_id=plan_id, currency=row[0], base_plan_id=row[1], version=row[2])
    if currency is not None and currency != found.currency:
        raise UsageError(
            f"the plan {plan_id!r} is in {found.currency}, and what it priced stays so:"
            f" import prices in {currency} as another plan"
        )
    return found


def _rebased(connection: Connection, plan: PlanRow, base: str | None) -> str | None:
    """Set a plan's base and return it; raises UsageError for a base in another currency, or one that uses this plan."""
    if base is None or (base or None) == plan.base_plan_id:
        return plan.base_plan_id
    if base:
        require_plan(connection, base)
        below = connection.execute(
            """
            WITH RECURSIVE below (plan_id, base_plan_id, currency) AS (
                SELECT plan_id, base_plan_id, currency FROM rate_plan WHERE plan_id = %s
                UNION SELECT next.plan_id, next.base_plan_id, next.currency
                FROM rate_plan AS next JOIN below ON next.plan_id = below.base_plan_id
            )
            SELECT plan_id, currency FROM below
            """,
            (base,),
        ).fetchall()
        currencies = dict(below)
        if plan.plan_id in currencies:
            raise UsageError(f"the plan {base!r} stands on {plan.plan_id!r}: it cannot be its base as well")
        if currencies[base] != plan.currency:
            raise UsageError(
                f"the plan {plan.plan_id!r} is in {plan.currency}, {base!r} in {currencies[base]}:"
                " a plan and its base are in one currency"
            )
    connection.execute("UPDATE rate_plan SET base_plan_id = %s WHERE plan_id = %s", (base or None, plan.plan_id))
    return base or None
