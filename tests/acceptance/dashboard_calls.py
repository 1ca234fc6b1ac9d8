"""Calls for the dashboard, and where it is served."""

from dataclasses import dataclass

from tests.databases import store
from tests.factories import BUSY, UP, call_row, price_of
from tollbook.store import keys
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import tariffs

ACCOUNTS = {"acme": "EUR", "other": "USD", "void": "EUR"}
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
MINUTE = 60_000


def store_calls_and_keys(url: str, now: int) -> dict[str, str]:
    """Store calls of the last hours, and return a key to those of each account, and an operator's."""
    with connect(url, name="test", autocommit=True) as database:
        _store_calls(database, now)
        secrets = {owner: keys.create(database, account_id=owner, scopes=["cdr"])[1] for owner in ACCOUNTS}
        return secrets | {"operator": keys.create(database, account_id=None, scopes=["operator"])[1]}


def _store_calls(connection: Connection, now: int) -> None:
    """Store calls of the last hours: acme's five answered, three busy, one up; and one of other, in dollars."""
    for account_id in ACCOUNTS:
        tariffs.add_account(connection, tariffs.Account(account_id=account_id, name=account_id, plan_id=None))
    ago = [now - n * 30 * MINUTE for n in range(10)]
    rows = [
        *(call_row(f"answered{n}", "acme", ago[n], from_num=HOSTILE if n == 1 else "1001") for n in range(1, 4)),
        *(
            call_row(f"queued{n}", "acme", ago[n], direction="inbound", queue_id="sales", agent_id=HOSTILE)
            for n in (4, 5)
        ),
        *(call_row(f"busy{n}", "acme", ago[n], to_num="+1212555", **BUSY) for n in (6, 7, 8)),
        call_row("up", "acme", now - MINUTE, **UP),
        call_row("theirs", "other", ago[9], doubts=[["short_number", HOSTILE]]),
    ]
    store(
        connection,
        *((row, price_of(row, 1_050_000, ACCOUNTS[str(row.account_id)])) for row in rows),
        with_legs=True,
    )


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A database with calls, the keys to them, and the address of the API over it."""

    database_url: str
    url: str
    keys: dict[str, str]
    now: int
