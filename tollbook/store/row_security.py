"""Row-level security: the API reads as the role `tollbook_api`, to which PostgreSQL shows one account's rows.

So a query that lacks its WHERE returns no other account's rows. Without the role it would: PostgreSQL does not check
the owner of the tables, nor a superuser such as the embedded server's.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql

from tollbook.errors import SettingsError
from tollbook.model.accounts import Accounts, EveryAccount
from tollbook.store.database import Connection, store_errors, translated

ROLE: Final = "tollbook_api"

# Idempotent, and run by every `db upgrade`: the role belongs to the server, not to the database, and where we may not
# create it, an administrator may do so at any later time. The scalar subqueries run once per query, not once per row.
PREPARE: Final = """
DO $$
DECLARE
    -- CASE, not OR: the planner assumes that half of the rows pass a CASE, whatever the query asks for. With OR it
    -- applies an account's share of the rows twice, and so sorts an account's rows where it could read along an index.
    every_account CONSTANT text := 'CASE WHEN (SELECT current_setting(''tollbook.every_account'', true)) = ''on'''
        ' THEN true ELSE ';
    own CONSTANT text := every_account || 'account_id = (SELECT current_setting(''tollbook.account'', true)) END';
    -- A leg has no account: it is visible when its call is, which call_cdr's own policy decides in this subquery.
    of_own_call CONSTANT text := every_account || 'EXISTS (SELECT FROM call_cdr AS call'
        ' WHERE call.start_ts = call_leg.call_start_ts AND call.call_id = call_leg.call_id'
        ' AND call.switch = call_leg.switch) END';
    wanted record;
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
        rerate_run TO tollbook_api;
    -- Which calls the archive holds in an outdated form, but not whose they are.
    GRANT SELECT (start_ts, call_id, switch) ON archive_outbox TO tollbook_api;
    FOR wanted IN
        SELECT * FROM (VALUES ('call_cdr', own), ('call_leg', of_own_call), ('account', own), ('account_number', own),
            ('price_history', own))
            AS policy (on_table, visible)
        WHERE NOT EXISTS (
            SELECT FROM pg_policies
            WHERE schemaname = current_schema() AND tablename = on_table AND policyname = 'tollbook_api'
        )
    LOOP
        EXECUTE 'CREATE POLICY tollbook_api ON ' || quote_ident(wanted.on_table)
            || ' AS RESTRICTIVE FOR SELECT TO tollbook_api USING (' || wanted.visible || ')';
    END LOOP;
END
$$
"""

_GUARDED: Final = """
    SELECT count(*) FROM pg_policies
    WHERE schemaname = current_schema() AND policyname = 'tollbook_api' AND roles = '{tollbook_api}'
"""
_TABLES: Final = 5


@contextmanager
def snapshot(connection: Connection) -> Generator[None]:
    """Run the block in a read-only transaction that sees a single snapshot. Call outside a transaction."""
    connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    connection.set_read_only(True)
    with store_errors(), connection.transaction():
        yield


@contextmanager
def reading(connection: Connection, accounts: Accounts) -> Generator[None]:
    """Run the block in such a snapshot as the API's role, to which PostgreSQL shows only these accounts' rows.

    Call outside a transaction. Raises StoreUnavailable.
    """
    account_id, every_account = ("", "on") if isinstance(accounts, EveryAccount) else (accounts.account_id, "off")
    with snapshot(connection):
        connection.execute(
            "SELECT set_config('role', 'tollbook_api', true), set_config('tollbook.account', %s, true),"
            " set_config('tollbook.every_account', %s, true)",
            (account_id, every_account),
        )
        yield


def check(connection: Connection) -> None:
    """Check that this database guards its rows, or raise SettingsError that says what to run.

    Raises StoreUnavailable when the database cannot be asked.
    """
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL ROLE tollbook_api")
            guarded = connection.execute(_GUARDED).fetchone()
    except psycopg.OperationalError as error:
        raise translated(error) from error
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.InsufficientPrivilege) as error:
        name = sql.Identifier(connection.info.user).as_string(connection)
        raise SettingsError(
            f"the API reads as the role {ROLE}, which {name} may not become: as an administrator of PostgreSQL run"
            f" `CREATE ROLE {ROLE} NOLOGIN` (unless it is there) and `GRANT {ROLE} TO {name}`,"
            " then run `tollbook db upgrade`"
        ) from error
    if guarded is None or guarded[0] != _TABLES:
        raise SettingsError(f"the role {ROLE} has no rights in this database yet: run `tollbook db upgrade`")
