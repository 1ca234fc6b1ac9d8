"""A sync and prune: a change whose day is dropped before the client asks is delivered, or the client is told."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest
from psycopg import sql

from maintenance.prune.run import prune_days
from tests.archiving import archive_now
from tests.databases import store
from tests.factories import call
from tests.integration.export_app.conftest import Ask, Put
from tests.integration.export_app.sync_clients import Calls, SyncClient
from tollbook.config import Settings
from tollbook.errors import StoreUnavailable
from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price
from tollbook.store import row_security
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.store.days import prune as day_prune
from tollbook.store.days import sync_window
from tollbook.store.days.sync_window import read_sync_window
from tollbook.store.tariffs import price_history, rerate
from tollbook.store.tariffs.price_history import Replacement
from tollbook.store.tariffs.rerate import RerateScope
from tollbook.times import MS_PER_DAY, current_day

TODAY = current_day()
DAY = TODAY - 31  # the newest day that prune drops
NOON = DAY * MS_PER_DAY + MS_PER_DAY // 2


@pytest.fixture
def synced(ask: Ask, accounts: Connection, settings: Settings) -> SyncClient:
    """A client that has synced five calls of a day that prune is about to drop, all of which are archived."""
    store(accounts, *(call(f"c{number}", "acme", NOON) for number in range(5)))
    archive_now(settings)
    client = SyncClient(ask=ask, now_ms=lambda: now_ms(accounts))
    client.sync()
    assert len(client.calls) == 5
    return client


def now_ms(connection: Connection) -> int:
    row = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    assert row
    return row[0]


def kept(connection: Connection) -> list[str]:
    return [call_id for (call_id,) in connection.execute("SELECT call_id FROM call_cdr ORDER BY call_id")]


def billsec(client: SyncClient) -> list[int | None]:
    return [seconds for _, (_, seconds) in sorted(client.calls.items())]


def late_leg(connection: Connection) -> None:
    store(connection, call("c2", "acme", NOON, billsec=61), changed_now=True)


def another_price(connection: Connection) -> None:
    scope = RerateScope(accounts=None, since=0, until=NOON * 2, unrated=False)
    calls = rerate.page(connection, scope, after=CallKey(0, "", ""), limit=10)
    run = price_history.begin_run(connection, by_whom="me", reason="", scope="")
    changes = [Replacement(call=one, price=Price(cost_micros=7, parts=())) for one in calls if one.key.call_id == "c2"]
    price_history.replace(connection, run, changes)


@pytest.mark.parametrize("change", [late_leg, another_price])
def test_a_change_of_a_pruned_day_is_delivered(
    synced: SyncClient, ask: Ask, accounts: Connection, settings: Settings, change: Callable[[Connection], None]
) -> None:
    """The call leaves with its day only when a window has passed since its last change; the others leave at once."""
    change(accounts)
    archive_now(settings)
    assert prune_days(settings, today=TODAY).moved == 1
    assert kept(accounts) == ["c2"]
    found = ask(cursor=synced.cursor, fields="call_id,billsec,cost_micros").get_json()["rows"]
    assert [row["call_id"] for row in found] == ["c2"]
    assert (found[0]["billsec"], found[0]["cost_micros"]) in ((61, 21_000), (60, 7))
    synced.sync()
    assert synced.resets == []
    assert ask(since=0).get_json()["count"] == 5


def test_more_changes_than_a_day_may_leave_refuse_the_clients_that_lack_them(
    synced: SyncClient, ask: Ask, put: Put, accounts: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that changed last stay; a client that has the others by then goes on."""
    monkeypatch.setattr(sync_window, "MAX_KEPT", 2)
    recent = SyncClient(ask=ask, now_ms=lambda: now_ms(accounts))
    for number in range(5):
        if number == 3:
            recent.sync()
        put(f"c{number}", start_ts=NOON, billsec=61 + number)
    archive_now(settings)
    assert prune_days(settings, today=TODAY).moved == 2
    assert kept(accounts) == ["c3", "c4"]
    recent.sync()
    assert recent.resets == []
    answer = ask(cursor=synced.cursor)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "too_long_ago")
    since_ms = read_sync_window(accounts).since_ms
    assert f"updated_since, the time at which you began to read, {since_ms} or later" in answer.get_json()["message"]
    assert ask(updated_since=since_ms - 1).get_json()["code"] == "too_long_ago"
    assert ask(updated_since=since_ms).status_code == 200
    synced.sync()
    assert synced.resets == ["too_long_ago"]
    assert billsec(synced) == billsec(recent) == [61, 62, 63, 64, 65]


def test_a_page_of_changes_that_rests_while_its_day_is_pruned(
    ask: Ask, put: Put, accounts: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cursor is refused when what follows has left, and only then."""
    monkeypatch.setattr(sync_window, "MAX_KEPT", 2)
    for number in range(5):
        put(f"c{number}", start_ts=NOON, billsec=61)
    cursors = [ask(updated_since=0, limit=limit).get_json()["next_cursor"] for limit in (1, 3, 4)]
    archive_now(settings)
    prune_days(settings, today=TODAY)
    answers = [ask(cursor=cursor) for cursor in cursors]
    assert [answer.status_code for answer in answers] == [400, 400, 200]
    assert [row["call_id"] for row in answers[2].get_json()["rows"]] == ["c4"]


def test_a_late_call_that_goes_takes_its_changes_along(
    synced: SyncClient, accounts: Connection, settings: Settings
) -> None:
    """A client that has not asked for a whole window is told so."""
    late_leg(accounts)
    archive_now(settings)
    prune_days(settings, today=TODAY)
    accounts.execute("UPDATE call_cdr_late SET updated_ts = start_ts")
    assert prune_days(settings, today=TODAY).late_deleted == 1
    synced.sync()
    assert synced.resets == ["too_long_ago"]
    assert billsec(synced) == [60, 60, 61, 60, 60]


def test_deleted_calls_are_forgotten_after_a_window(
    synced: SyncClient, accounts: Connection, settings: Settings
) -> None:
    """And then the client is told that it comes too late."""
    call_rows.delete(accounts, [CallKey(NOON, "c2", "fs1")])
    archive_now(settings)
    prune_days(settings, today=TODAY)
    assert accounts.execute("SELECT call_id FROM call_gone").fetchall() == [("c2",)]
    accounts.execute("UPDATE call_gone SET updated_ts = %s", (NOON,))
    prune_days(settings, today=TODAY)
    assert accounts.execute("SELECT call_id FROM call_gone").fetchall() == []
    synced.sync()
    assert synced.resets == ["too_long_ago"]
    assert len(synced.calls) == 4


def test_no_day_is_dropped_while_a_snapshot_reads(synced: SyncClient, accounts: Connection, database_url: str) -> None:
    """Its rows would be gone from the snapshot, whose window still says that they are there."""
    assert len(synced.calls) == 5
    with connect(database_url, name="reader", autocommit=True) as reader:
        with row_security.snapshot(reader), pytest.raises(StoreUnavailable, match="reader"):
            day_prune.drop_calls(accounts, DAY, most_moved=10, patience_s=0.3)
        assert len(kept(accounts)) == 5
        day_prune.drop_calls(accounts, DAY, most_moved=10)
    assert kept(accounts) == []


# A day of the property below is a day of its own clock, which began so long ago that it never comes to the present.
FIRST_DAY = TODAY - 100


@dataclass
class World:
    """Calls in both tiers, changed at random as the listener, re-rates and prune do; `truth` is what they must be.

    Its clock goes forward, half an hour with each thing that happens, and a day with each prune.
    """

    connection: Connection
    settings: Settings
    dice: random.Random
    truth: Calls = field(default_factory=Calls)
    now_ms: int = FIRST_DAY * MS_PER_DAY
    left: int = 0

    def happen(self) -> None:
        """Let one thing happen."""
        self.now_ms += 1_800_000
        things = (self.add, self.add, self.add, self.change, self.change, self.change, self.delete, self.prune)
        self.dice.choice(things)()

    def add(self) -> None:
        started = self.now_ms - self.dice.randrange(4) * MS_PER_DAY // 3
        self._write(CallKey(started, f"c{len(self.truth)}-{self.now_ms}", self.dice.choice(("fs1", "fs2"))))

    def change(self) -> None:
        """A late leg or another price of any call, also of one that only the archive has; else, of any account."""
        if self.truth:
            key = self.dice.choice(list(self.truth))
            found = self.connection.execute(
                "SELECT FROM call_cdr WHERE (start_ts, call_id, switch) = (%s, %s, %s)", key
            ).fetchone()
            self._write(key, *(() if found is not None else self.truth[key][:1]))

    def delete(self) -> None:
        """Legs are joined: a call of which PostgreSQL has the row is none."""
        rows = self.connection.execute("SELECT start_ts, call_id, switch FROM call_cdr ORDER BY 1, 2, 3").fetchall()
        if rows:
            key = CallKey(*self.dice.choice(rows))
            call_rows.delete(self.connection, [key])
            del self.truth[key]
            self._stamp()

    def prune(self) -> None:
        """A night: all is archived, and what is older than three days leaves."""
        archive_now(self.settings)
        self.now_ms += MS_PER_DAY
        before = self._rows()
        prune_days(self.settings.model_copy(update={"retention_days": 3}), today=self.now_ms // MS_PER_DAY)
        self.left += before - self._rows()

    def _rows(self) -> int:
        return self.connection.execute("SELECT count(*) FROM call_cdr").fetchall()[0][0]

    def _write(self, key: CallKey, *of: str | None) -> None:
        account, seconds = self.dice.choice(of or ("acme", "acme", "other", None)), self.dice.randrange(1000)
        made = call(key.call_id, account, key.start_ts, switch=key.switch, billsec=seconds)
        store(self.connection, made, changed_now=True)
        self.truth[key] = (account, seconds)
        self._stamp()

    def _stamp(self) -> None:
        """Let what was just written have been written now by this clock."""
        for table in ("call_cdr", "call_gone"):
            stamped = sql.SQL("UPDATE {} SET updated_ts = %s WHERE updated_ts > %s").format(sql.Identifier(table))
            self.connection.execute(stamped, (self.now_ms, self.now_ms))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 9))])
def test_every_client_ends_with_the_truth(
    ask: Ask, accounts: Connection, settings: Settings, other_key: str, operator_key: str, seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Whatever was added, changed, moved, deleted and pruned, before, between and during their syncs."""
    monkeypatch.setattr(sync_window, "MAX_KEPT", 4)
    dice = random.Random(seed)
    world = World(accounts, settings, dice)

    def between() -> None:
        if dice.random() < 0.3:
            world.happen()

    clients = {
        account: SyncClient(partial(ask, key) if key else ask, lambda: world.now_ms, limit=7, between=between)
        for account, key in (("acme", ""), ("other", other_key), ("everybody", operator_key), ("seldom", operator_key))
    }
    for _ in range(60):
        for _ in range(dice.randrange(6)):
            world.happen()
        name = dice.choice(("acme", "acme", "other", "other", "everybody", "everybody", "seldom"))
        clients[name].sync()
    for name, client in clients.items():
        client.between = lambda: None
        client.sync()
        wanted = {key: value for key, value in world.truth.items() if name not in ("acme", "other") or value[0] == name}
        assert client.calls == wanted, name
    assert world.left > 10
    resets = [code for client in clients.values() for code in client.resets]
    assert 0 < len(resets) < 30
