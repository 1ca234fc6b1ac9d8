"""Row-level security: the API reads as the role `tollbook_api`, to which PostgreSQL shows one account's rows.

So a query that lacks its WHERE returns no other account's rows. Without the role it would: PostgreSQL does not check
the owner of the tables, nor a superuser such as the embedded server's.
"""

import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from tollbook.errors import SchemaBehind, SettingsError
from tollbook.model.accounts import Accounts, EveryAccount
from tollbook.store.database import Connection, limit_transaction, scalar, store_errors, translated
from tollbook.store.days.window import WINDOW
from tollbook.store.locks import UPGRADE_LOCK

ROLE: Final = "tollbook_api"

# Idempotent, and run by every `db upgrade`: the role belongs to the server, not to the database, and where we may not
# create it, an administrator may do so at any later time.
_ROLE_AND_RIGHTS: Final = """
DO $$
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tollbook_api') THEN
            CREATE ROLE tollbook_api NOLOGIN;
        END IF;
        GRANT tollbook_api TO CURRENT_USER;
    EXCEPTION
        WHEN insufficient_privilege THEN NULL;  -- `tollbook serve` and `doctor` say what to do
        WHEN duplicate_object OR unique_violation THEN NULL;  -- another database's upgrade created it first
    END;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tollbook_api') THEN
        RETURN;
    END IF;
    EXECUTE 'GRANT USAGE ON SCHEMA ' || quote_ident(current_schema()) || ' TO tollbook_api';
    GRANT SELECT ON call_cdr, call_leg, account, account_number, rate_plan, rate, hot_window, price_history,
        rerate_run, database_history, call_gone, sum_delta, sum_account, sum_name, sum_other, call_sum, queue_sum,
        destination_sum, operator_sum, gateway_sum, sum_unbuilt, sum_state, statement, account_billing,
        agent, agent_state, agent_gap, agent_day, agent_window TO tollbook_api;
    -- Whether calls were erased since a statement was issued, but not by whom, why and of which number.
    GRANT SELECT (account_id, finished_at, accounts) ON erasure TO tollbook_api;
    -- Which calls the archive holds in an outdated form, but not whose they are.
    GRANT SELECT (start_ts, call_id, switch) ON archive_outbox TO tollbook_api;
    GRANT SELECT (finished_at) ON archive_commit TO tollbook_api;
    -- Endpoints, as /v1/webhooks shows and makes them, never a secret; of events a test alone is made there.
    GRANT SELECT (webhook_id, account_id, kind, url, events, created_at, deleted_at, disabled_at, disabled_why,
        failing_since, delivered, failed, dead, delivered_at, last_error) ON webhook TO tollbook_api;
    GRANT INSERT (account_id, url, events, secret, created_by), UPDATE (deleted_at, deleted_by)
        ON webhook TO tollbook_api;
    GRANT SELECT (seq, event_id, account_id), INSERT (event, account_id) ON call_event TO tollbook_api;
    GRANT SELECT (webhook_id, seq, call_no, dead_at), INSERT (webhook_id, seq, call_no) ON event_delivery
        TO tollbook_api;
    -- Since when a switch is not heard, whose agents do who knows what.
    GRANT SELECT (switch, seen_us) ON switch_process TO tollbook_api;
END
$$
"""

# The scalar subqueries run once per query, not once per row. CASE, not OR: the planner assumes that half of the rows
# pass a CASE, whatever the query asks for. With OR it applies an account's share of the rows twice, and so sorts an
# account's rows where it could read along an index.
_OWN: Final[LiteralString] = (
    "CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true"
    " ELSE account_id = (SELECT current_setting('tollbook.account', true)) END"
)
# A leg has no account: it is visible when its call is, which call_cdr's own policy decides in this subquery.
_OF_OWN_CALL: Final[LiteralString] = (
    "CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true"
    " ELSE EXISTS (SELECT FROM call_cdr AS call WHERE call.start_ts = call_leg.call_start_ts"
    " AND call.call_id = call_leg.call_id AND call.switch = call_leg.switch) END"
)
# Sums have numbers for accounts; the subquery runs once, and sees its own account alone.
_OF_OWN_NUMBER: Final[LiteralString] = (
    "CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true"
    " ELSE account_no = (SELECT account_no FROM sum_account"
    " WHERE account_id = (SELECT current_setting('tollbook.account', true))) END"
)
_OF_OPERATORS: Final[LiteralString] = "(SELECT current_setting('tollbook.every_account', true)) = 'on'"
# Days that nobody's sums are built of, and erasures of a number, which may have removed any account's calls.
_OWN_OR_ALL: Final[LiteralString] = (
    "CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true"
    " ELSE account_id IS NULL OR account_id = (SELECT current_setting('tollbook.account', true)) END"
)
# A delivery is its endpoint's, whose own policy decides in this subquery.
_OF_OWN_WEBHOOK: Final[LiteralString] = (
    "CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true"
    " ELSE EXISTS (SELECT FROM webhook WHERE webhook.webhook_id = event_delivery.webhook_id) END"
)
# What was said of an agent, and when a switch was not heard: whoever has the agent, or one of the switch, sees it. Not
# correlated, so that the agents are looked up once.
_OF_OWN_AGENT: Final[LiteralString] = (
    "CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true"
    " ELSE (switch, agent) IN (SELECT own.switch, own.agent FROM agent AS own) END"
)
_OF_OWN_SWITCH: Final[LiteralString] = (
    "CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true"
    " ELSE switch IN (SELECT own.switch FROM agent AS own) END"
)
_VISIBLE: Final[dict[str, LiteralString]] = {
    "call_cdr": _OWN,
    "call_leg": _OF_OWN_CALL,
    "account": _OWN,
    "account_number": _OWN,
    "price_history": _OWN,
    "call_gone": _OWN,
    "sum_delta": _OWN,
    "sum_account": _OWN,
    "sum_name": _OF_OWN_NUMBER,
    "sum_other": _OF_OWN_NUMBER,
    "call_sum": _OF_OWN_NUMBER,
    "queue_sum": _OF_OWN_NUMBER,
    "destination_sum": _OF_OWN_NUMBER,
    "operator_sum": _OF_OPERATORS,
    "gateway_sum": _OF_OPERATORS,
    "sum_unbuilt": _OWN_OR_ALL,
    "statement": _OWN,
    "account_billing": _OWN,
    "erasure": _OWN_OR_ALL,
    "webhook": _OWN,
    "call_event": _OWN,
    "event_delivery": _OF_OWN_WEBHOOK,
    "agent": _OWN,
    "agent_day": _OWN,
    "agent_state": _OF_OWN_AGENT,
    "agent_gap": _OF_OWN_SWITCH,
}
# Those that the API writes, too: what a row may be seen by, it may be written by.
_WRITTEN: Final = ("webhook", "call_event", "event_delivery")

_BEGIN_READING: Final = sql.SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
_BEGIN_WRITING: Final = sql.SQL("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
_LOCK: Final = sql.SQL("LOCK TABLE ONLY call_cdr IN ACCESS SHARE MODE")
_BECOME: Final = sql.SQL(
    "SELECT set_config('role', 'tollbook_api', true), set_config('tollbook.account', {}, true),"
    " set_config('tollbook.every_account', {}, true)"
)
_ONE_PROCESS: Final = sql.SQL("SET LOCAL max_parallel_workers_per_gather = 0")

# The tables whose policy is ours, unchanged. PostgreSQL keeps a policy as a tree and prints it in words of its own, so
# its comment holds two hashes: of what we wrote, which another version of ours changes, and of what PostgreSQL prints
# for it, which an administrator's ALTER POLICY changes.
_GUARDED: Final = """
    SELECT relname, obj_description(policy.oid, 'pg_policy'), md5(pg_get_expr(polqual, polrelid))
    FROM pg_policy AS policy JOIN pg_class ON pg_class.oid = polrelid AND relnamespace = current_schema()::regnamespace
    WHERE polname = 'tollbook_api' AND relrowsecurity AND NOT polpermissive AND polwithcheck IS NULL
      AND polcmd = CASE WHEN relname = ANY (%s::text[]) THEN '*' ELSE 'r' END
      AND polroles = ARRAY['tollbook_api'::regrole::oid]
"""


def prepare(connection: Connection, *, lock_s: float) -> None:
    """Create the role where we may, and the policies that are missing or differ from this version's.

    An exclusive lock on a table is waited for `lock_s` seconds at most, and only where its policy changes. Raises
    StoreUnavailable.
    """
    with store_errors(), connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (UPGRADE_LOCK,))
        connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{lock_s:.0f}s",))
        connection.execute(_ROLE_AND_RIGHTS)
        if not scalar(connection, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tollbook_api')"):
            return
        guarded = _guarded_tables(connection)
        for table in _VISIBLE:
            if table not in guarded:
                _renew_policy(connection, table)


def _guarded_tables(connection: Connection) -> set[str]:
    """Return the tables with this version's policy. Needs the role."""
    rows = connection.execute(_GUARDED, (list(_WRITTEN),)).fetchall()
    return {table for table, comment, printed in rows if table in _VISIBLE and comment == _comment(table, printed)}


def _comment(table: str, printed: str) -> str:
    written = hashlib.md5(_VISIBLE[table].encode(), usedforsecurity=False).hexdigest()
    return f"tollbook {written} {printed}"


def _renew_policy(connection: Connection, table: str) -> None:
    name = sql.Identifier(table)
    connection.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name))
    connection.execute(sql.SQL("DROP POLICY IF EXISTS tollbook_api ON {}").format(name))
    connection.execute(
        sql.SQL("CREATE POLICY tollbook_api ON {} AS RESTRICTIVE FOR {} TO tollbook_api USING ({})").format(
            name, sql.SQL("ALL" if table in _WRITTEN else "SELECT"), sql.SQL(_VISIBLE[table])
        )
    )
    printed = next(text for found, _, text in connection.execute(_GUARDED, (list(_WRITTEN),)) if found == table)
    connection.execute(
        sql.SQL("COMMENT ON POLICY tollbook_api ON {} IS {}").format(name, sql.Literal(_comment(table, printed)))
    )


@contextmanager
def snapshot(connection: Connection) -> Generator[None]:
    """Run the block in a read-only transaction that sees a single snapshot, in which no day of calls is dropped.

    Call outside a transaction.
    """
    with store_errors(), _begun(connection, _begin_snapshot(connection)):
        yield


@contextmanager
def reading(connection: Connection, accounts: Accounts, *, one_process: bool = False) -> Generator[None]:
    """Run the block in such a snapshot as the API's role, to which PostgreSQL shows only these accounts' rows.

    `one_process`: PostgreSQL spreads no statement of it over several processes. Call outside a transaction. Raises
    StoreUnavailable.
    """
    begin = [*_begin_snapshot(connection), *([_ONE_PROCESS] if one_process else []), _become(accounts), sql.SQL(WINDOW)]
    with store_errors(), _begun(connection, begin) as begun:
        connection.window_row = begun.set_result(-1).fetchone()
        try:
            yield
        finally:
            connection.window_row = None


@contextmanager
def writing(connection: Connection, accounts: Accounts) -> Generator[None]:
    """Run the block in a transaction as the API's role, which may write a little, and of these accounts alone.

    Call outside a transaction. Raises StoreUnavailable.
    """
    with store_errors(), _begun(connection, [_BEGIN_WRITING, _become(accounts)]):
        yield


def _begin_snapshot(connection: Connection) -> list[sql.Composable]:
    # A day that is dropped is gone from older snapshots too. SET and LOCK take none, so that ours begins when the lock
    # is held: without the day, or with it until we are done.
    if not connection.pooled:
        return [_BEGIN_READING, _LOCK]
    limit = sql.Literal(f"{connection.limits.statement_s:.0f}s")
    return [_BEGIN_READING, sql.SQL("SET LOCAL statement_timeout = {}").format(limit), _LOCK]


def _become(accounts: Accounts) -> sql.Composable:
    account_id, every_account = ("", "on") if isinstance(accounts, EveryAccount) else (accounts.account_id, "off")
    return _BECOME.format(account_id, every_account)


@contextmanager
def _begun(connection: Connection, begin: Sequence[sql.Composable]) -> Generator[psycopg.Cursor[TupleRow]]:
    """Run the block in the transaction that these statements begin; yield what they return.

    They are one message, which spares round trips, in autocommit, because psycopg would send another BEGIN first.
    """
    if not connection.autocommit:
        connection.autocommit = True
        try:
            with _begun(connection, begin) as begun:
                yield begun
        finally:
            with suppress(psycopg.Error):  # as below
                connection.autocommit = False
        return
    try:
        begun = connection.execute(sql.SQL("; ").join(begin), prepare=False)
        limit_transaction(connection)
        yield begun
    except BaseException:
        with suppress(psycopg.Error):  # of a connection that broke: what broke it is the error to raise
            connection.rollback()
        raise
    connection.commit()


def check(connection: Connection) -> None:
    """Check that this database guards its rows, or raise our error that says what to run.

    Raises SchemaBehind where `tollbook db upgrade` mends it, SettingsError where an administrator of PostgreSQL must,
    and StoreUnavailable when the database cannot be asked.
    """
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL ROLE tollbook_api")
            unguarded = _VISIBLE.keys() - _guarded_tables(connection)
    except psycopg.OperationalError as error:
        raise translated(error) from error
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.InsufficientPrivilege) as error:
        name = sql.Identifier(connection.info.user).as_string(connection)
        raise SettingsError(
            f"the API reads as the role {ROLE}, which {name} may not become: as an administrator of PostgreSQL run"
            f" `CREATE ROLE {ROLE} NOLOGIN` (unless it is there) and `GRANT {ROLE} TO {name}`,"
            " then run `tollbook db upgrade`"
        ) from error
    if unguarded:
        raise SchemaBehind(
            f"the role {ROLE} lacks its rights in this database, or this version's policy on"
            f" {', '.join(sorted(unguarded))}: run `tollbook db upgrade`"
        )
