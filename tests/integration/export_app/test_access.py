"""Row-level security: PostgreSQL itself restricts the API to one account's rows, and plans as well as without."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from werkzeug.test import TestResponse

from export_app.calls.query import CallsQuery
from export_app.context import Services
from tests.commands import environment, run_installed
from tests.databases import on_server
from tests.factories import DETAILS, START_MS
from tollbook.errors import SchemaBehind, SettingsError
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.details import CARRIER_COLUMNS
from tollbook.model.filters import Filters
from tollbook.model.record import COLUMNS
from tollbook.model.selection import Selection
from tollbook.store import keys, row_security
from tollbook.store.calls import columns, pages
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.schema import upgrade
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

Ask = Callable[..., TestResponse]
Put = Callable[..., None]

# Every table with rows that belong to accounts, and how to tell whose each is.
TABLES = {
    "call_cdr": "SELECT account_id FROM call_cdr",
    "call_leg": "SELECT account_id FROM call_leg JOIN call_cdr USING (call_id)",
    "account": "SELECT account_id FROM account",
    "account_number": "SELECT account_id FROM account_number",
}


FOR_PEOPLE = {"style": "local", "tz": "Europe/Berlin", "locale": "de"}
#: The resources beside /v1/calls, with every parameter that the key of an account may give.
RESOURCES: dict[str, dict[str, str]] = {
    "/v1/account": {},
    "/v1/numbers": {"limit": "10000", "cursor": "+"},
    "/v1/queues": {"since": "0", "until": str(START_MS + 1), "slSec": "0", "limit": "10000"},
}


@pytest.fixture
def filled(accounts: Connection, put: Put) -> Connection:
    """Rows of both accounts, and of no account, in every table."""
    for account_id in ("acme", "other", None):
        put(
            f"of {account_id}", account_id=account_id, queue_id="q", agent_id="a", direction="inbound", details=DETAILS,
            destination="Germany",
        )  # fmt: skip
        accounts.execute(
            "INSERT INTO call_leg VALUES (%s, -1, 'fs1', %s, %s, 'core', true, '{}')",
            (f"leg of {account_id}", f"of {account_id}", START_MS),
        )
        if account_id:
            tariffs.add_numbers(accounts, account_id, [f"+4930{len(account_id)}"])
    return accounts


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("account_id", "seen"), [("acme", {"acme"}), ("other", {"other"}), ("nobody", set())])
def test_a_query_without_a_where_gets_nothing_foreign(
    services: Services, filled: Connection, table: str, account_id: str, seen: set[str]
) -> None:
    """A query without WHERE returns only the account's rows, even on a superuser's connection."""
    with services.database.reading(OneAccount(account_id)) as connection:
        query = TABLES[table]
        assert {row[0] for row in connection.execute(query).fetchall()} == seen
        count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert count == (len(seen),)


@pytest.mark.parametrize("table", TABLES)
def test_an_operator_reads_all_on_purpose(services: Services, filled: Connection, table: str) -> None:
    """Only a setting of its own opens all rows: an account without a name is no account."""
    with services.database.reading(EveryAccount()) as connection:
        assert {row[0] for row in connection.execute(TABLES[table]).fetchall()} >= {"acme", "other"}


def test_the_role_without_a_setting_reads_nothing(filled: Connection) -> None:
    """A forgotten setting returns no rows at all."""
    with filled.transaction():
        filled.execute("SET LOCAL ROLE tollbook_api")
        for query in TABLES.values():
            assert filled.execute(query).fetchall() == []


@pytest.mark.parametrize("table", ["api_key", "key_event", "archive_outbox", "alembic_version"])
def test_the_role_may_not_read_other_tables(filled: Connection, table: str) -> None:
    """The role of the API has no right to other tables, least of all to that of the keys."""
    with filled.transaction(force_rollback=True):
        filled.execute("SET LOCAL ROLE tollbook_api")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            filled.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))


def test_a_read_writes_nothing_and_leaves_nothing_behind(services: Services, filled: Connection) -> None:
    """A read is a read-only transaction, and leaves neither role nor account on the pooled connection."""
    with pytest.raises(Exception, match="read-only"), services.database.reading(OneAccount("acme")) as connection:
        connection.execute("DELETE FROM call_cdr")
    with services.database.looking_up() as connection:
        row = connection.execute("SELECT current_user, current_setting('tollbook.account', true)").fetchone()
        assert row in (("postgres", ""), ("postgres", None))


def test_no_parameter_reaches_another_account(ask: Ask, filled: Connection) -> None:
    """No parameter, path or made-up parameter name returns a row of another account."""
    foreign = {
        "since": "0", "until": str(START_MS + 1), "updated_since": "0", "order": "asc", "limit": "10000",
        "direction": "inbound", "disposition": "answered", "number": "1001", "queue_id": "q", "agent_id": "a",
        "min_billsec": "1", "fields": "account_id,call_id,parts", "format": "csv", "raw": "1", "hung_up_by": "callee",
        "codec": "PCMA", "sip_call_id": DETAILS.sip_call_id or "", "destination": "Germany", "voicemail": "true",
        "var": "campaign.id:ü\\", "hangup_cause": "NORMAL_CLEARING", "from_num": "1001", "to_num": "+49",
        "open": "false",
    }  # fmt: skip
    assert set(foreign) == set(CallsQuery.model_fields) - {"cursor", "account", *FOR_PEOPLE, *CARRIER_COLUMNS}
    assert ask(account="other").status_code == 403
    for name, value in foreign.items():
        answer = ask(**{name: value})
        assert answer.status_code == 200
        assert "acme" in answer.text
        assert "other" not in answer.text
    local = ask(format="csv", **FOR_PEOPLE).text
    assert "of acme" in local
    assert "other" not in local
    for path in ("/v1/calls/of other", "/v1/calls/of None"):
        assert ask(path=path).status_code == 404
    for name in ("account_id", "tollbook.account", "every_account", "role"):
        assert ask(**{name: "other"}).status_code == 400
    assert "other" not in ask(queue_id="q' OR account_id = 'other").text
    assert "other" not in ask(number="other").text


@pytest.mark.parametrize("path", RESOURCES)
def test_no_parameter_of_a_resource_reaches_another_account(ask: Ask, filled: Connection, path: str) -> None:
    """Neither a parameter nor a made-up name returns anything of the other account, which has the same queue."""
    own = keys.create(filled, account_id="acme", scopes=["*"])[1]
    assert "acme" in ask(own, path, **RESOURCES[path]).text
    for name, value in [("", ""), *RESOURCES[path].items()]:
        answer = ask(own, path, **({name: value} if name else {}))
        assert answer.status_code == 200, answer.text
        assert "other" not in answer.text
    for name in ("account", "account_id", "tenant", "every_account", "role"):
        assert ask(own, path, **{name: "other"}).status_code in (400, 403)


def shape(connection: Connection, selection: Selection, limit: int) -> dict[str, int]:
    """Return how many blocks a page reads, how many rows went through its busiest node, and how often it sorts."""
    conditions, parameters = pages._where(selection)
    query = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {columns.select_clause(COLUMNS)} {conditions} LIMIT %(limit)s"
    (plan,) = connection.execute(query, {**parameters, "limit": limit}).fetchall()[0][0]

    def nodes(node: dict[str, object]) -> Iterator[dict[str, object]]:
        yield node
        for child in node.get("Plans", []):
            yield from nodes(child)

    found = list(nodes(plan["Plan"]))
    return {
        "blocks": found[0]["Shared Hit Blocks"] + found[0]["Shared Read Blocks"],
        "rows": max(int(node["Actual Rows"]) for node in found),
        "sorts": sum(node["Node Type"] == "Sort" for node in found),
    }


@pytest.fixture(scope="module")
def busy_url(postgres_url: str) -> Iterator[str]:
    """A database with 20,000 calls of ten accounts over ten days."""
    name = f"tollbook_busy_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = on_server(postgres_url, name)
        upgrade(url)
        with connect(url, name="test", autocommit=True) as inside:
            days = range(START_MS // MS_PER_DAY, START_MS // MS_PER_DAY + 11)
            Partitions().ensure(inside, call_days=days, leg_days=())
            inside.execute(
                """
                INSERT INTO call_cdr (call_id, account_id, direction, from_num, to_num, start_ts, answered, switch)
                SELECT md5(n::text), 'a' || n %% 10, 'outbound', '1001', '+49' || n, %s + n * 43200, 0, 'fs1'
                FROM generate_series(0, 19999) AS n
                """,
                (START_MS,),
            )
            inside.execute("VACUUM ANALYZE call_cdr")
        yield url
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("accounts", [OneAccount("a3"), EveryAccount()])
def test_a_page_reads_along_an_index(busy_url: str, order: str, accounts: Accounts) -> None:
    """A page in the middle reads only its own rows, sorts nothing, and costs what it costs without the policies."""
    with connect(busy_url, name="test", autocommit=True) as connection:
        middle = CallKey(START_MS + 10_000 * 43_200, "8", "fs1")
        window = {"accounts": accounts, "since": 0, "until": 2 * START_MS}
        selection = Selection(**window, order=order, after=middle)
        unguarded = shape(connection, selection, 100)
        with row_security.reading(connection, accounts):
            guarded = shape(connection, selection, 100)
            number = shape(connection, Selection(**window, order=order, filters=Filters(number="+49")), 100)
    assert guarded["sorts"] == number["sorts"] == 0
    assert guarded["rows"] <= 101
    assert guarded["blocks"] <= unguarded["blocks"] + 10
    assert guarded["blocks"] < 250
    assert number["rows"] <= 101


@pytest.fixture
def unprivileged_url(postgres_url: str) -> Iterator[str]:
    """The URL of an empty database whose owner may not create roles, as on a managed server."""
    name = f"tollbook_plain_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(name)))
        yield postgres_url.replace("postgres@/postgres?", f"{name}@/{name}?")
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_role_that_may_not_create_roles_gets_instructions(
    unprivileged_url: str, postgres_url: str, tmp_path: Path
) -> None:
    """The upgrade succeeds, for calls must be written; `serve` starts only after somebody runs the GRANT it names."""
    upgrade(unprivileged_url)
    settings = environment(database_url=unprivileged_url, api_bind="127.0.0.1:0")
    done = run_installed(["serve"], settings, tmp_path)
    assert done.returncode == SettingsError.exit_code
    (grant,) = [part for part in done.stderr.split("`") if part.startswith("GRANT")]
    assert "`tollbook db upgrade`" in done.stderr
    with psycopg.connect(postgres_url, autocommit=True) as administrator:
        administrator.execute(grant.encode())
    upgrade(unprivileged_url)
    with connect(unprivileged_url, name="test", autocommit=True) as connection:
        row_security.check(connection)
        with row_security.reading(connection, OneAccount("acme")):
            assert connection.execute("SELECT current_user").fetchone() == (row_security.ROLE,)


def test_a_database_whose_rights_are_missing_is_refused(filled: Connection) -> None:
    """`serve` refuses a database without its policies, such as an incompletely restored one."""
    row_security.check(filled)
    filled.execute("DROP POLICY tollbook_api ON call_leg")
    with pytest.raises(SchemaBehind, match="tollbook db upgrade"):
        row_security.check(filled)


def test_other_roles_are_not_restricted(filled: Connection, postgres_url: str) -> None:
    """A role that was granted the tables, such as Grafana's, reads every row: only the API's role is restricted."""
    name = f"tollbook_grafana_{secrets.token_hex(4)}"
    filled.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    filled.execute(sql.SQL("GRANT SELECT ON call_cdr TO {}").format(sql.Identifier(name)))
    with filled.transaction(force_rollback=True):
        filled.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(name)))
        assert filled.execute("SELECT count(*) FROM call_cdr").fetchone() == (3,)
    filled.execute(sql.SQL("REVOKE ALL ON call_cdr FROM {}").format(sql.Identifier(name)))
    filled.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
