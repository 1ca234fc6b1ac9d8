"""Whether the sums of calls are those of the rows and the archive, added up here in another way."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, TypeAlias

from maintenance.sums.run import rebuild_sums
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount
from tollbook.model.selection import Selection
from tollbook.model.tiers import key_of, read_columns
from tollbook.model.vocabulary import DIRECTIONS, DISPOSITIONS
from tollbook.store.calls.columns import COUNTED
from tollbook.store.database import Connection, connect, scalar
from tollbook.store.days.window import read_window
from tollbook.store.sums.build import ARCHIVED_COLUMNS
from tollbook.store.sums.rollup import roll_up
from tollbook.store.sums.unbuilt import unbuilt_days, unnamed_before
from tollbook.times import MS_PER_DAY

_Key: TypeAlias = tuple[object, ...]
_Sums: TypeAlias = dict[str, dict[_Key, list[int]]]
_QUARTER_MS: Final = 900_000
_READ: Final = read_columns(ARCHIVED_COLUMNS)


def assert_sums_whole(settings: Settings) -> None:
    """Assert that cubes and what waits equal rows and archive, to the micro; builds first what says it is not built."""
    with connect(settings.require_database_url(), name="test", autocommit=True) as connection:
        roll_up(connection)
        if unnamed_before(connection) or unbuilt_days(connection):
            rebuild_sums(settings, everything=False, jobs=2)
        assert not unnamed_before(connection)
        assert unbuilt_days(connection) == []
        gateways_from = _gateways_from(connection)
        expected = _of_calls(_calls(connection, settings), gateways_from)
        found = _of_cubes(connection, gateways_from)
    for cube in expected.keys() | found.keys():
        assert _present(found[cube]) == _present(expected[cube]), cube


def _present(cells: Mapping[_Key, Sequence[int]]) -> dict[_Key, Sequence[int]]:
    return {key: sums for key, sums in cells.items() if any(sums)}


def _gateways_from(connection: Connection) -> int:
    """Return the first quarter-hour since when PostgreSQL has all trunk legs that were counted; no archive has them."""
    kept_from = int(str(scalar(connection, "SELECT gateways_since FROM sum_state")))
    return -(-max(kept_from, read_window(connection).start_ts) // _QUARTER_MS)


def _calls(connection: Connection, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield every complete call once: PostgreSQL's, and the archive's that began before the window."""
    columns = ", ".join(COUNTED)
    for row in connection.execute(f"SELECT {columns} FROM call_cdr WHERE end_ts IS NOT NULL".encode()).fetchall():
        yield dict(zip(COUNTED, row, strict=True))
    known = {
        tuple(key)
        for table in ("call_cdr", "archive_outbox")
        for key in connection.execute(f"SELECT start_ts, call_id, switch FROM {table}".encode())
    }
    begins = read_window(connection).start_ts
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        if table is None or not begins:
            return
        selection = Selection(accounts=EveryAccount(), since=0, until=begins)
        for row in read_all(table, selection, columns=_READ):
            if tuple(key_of(row)) not in known:
                yield {name: row[_READ.index(name)] for name in ARCHIVED_COLUMNS}


def _of_calls(calls: Iterable[dict[str, Any]], gateways_from: int) -> _Sums:
    cubes: _Sums = defaultdict(lambda: defaultdict(lambda: [0] * 9))
    for call in calls:
        quarter, day = call["start_ts"] // _QUARTER_MS, call["start_ts"] // MS_PER_DAY
        alike = (call["direction"], call["disposition"], call["currency"])
        account, wait, ring, talk = (call[name] for name in ("account_id", "wait_ms", "ring_ms", "talk_ms"))
        counts = [
            1, call["answered"], call["cost_micros"] is None, call["billsec"],
            call["cost_micros"] or 0, ring is not None, ring or 0,
        ]  # fmt: skip
        keys = {
            "call_sum": (account, quarter, *alike),
            "destination_sum": (account, day, call["destination"], *alike),
            "operator_sum": (quarter, *alike),
        }
        for cube, key in keys.items():
            _add(cubes[cube][key], [*counts, wait is not None, wait or 0])
        if call["queue_id"] is not None or call["agent_id"] is not None:
            key = (account, quarter, call["queue_id"], call["agent_id"], *alike, wait, talk is not None)
            _add(cubes["queue_sum"][key], [*counts, talk or 0, 0])
        if quarter >= gateways_from:
            for gateway, answered, delay, mos in call.get("trunk_legs") or ():
                key = (quarter, gateway, call["direction"], call["disposition"])
                measures = [1, answered == 1, delay is not None, delay or 0, mos is not None, _micros(mos)]
                _add(cubes["gateway_sum"][key], measures)
    return cubes


def _micros(mos: float | None) -> int:
    return int((Decimal(str(mos or 0)) * 1_000_000).to_integral_value(ROUND_HALF_UP))


def _add(sums: list[int], more: Sequence[int], sign: int = 1) -> None:
    for place, value in enumerate(more):
        sums[place] += sign * int(value)


_COUNTS: Final = "calls, answered, unrated, billsec, cost_micros, ring_calls, ring_ms"
_CELLS: Final = {
    "call_sum": ("account, quarter", f"{_COUNTS}, wait_calls, wait_ms"),
    "destination_sum": ("account, day, destination_name", f"{_COUNTS}, wait_calls, wait_ms"),
    "operator_sum": ("quarter", f"{_COUNTS}, wait_calls, wait_ms"),
    "queue_sum": ("account, quarter, queue_name, agent_name", f"{_COUNTS}, talk_ms, 0"),
}


def _of_cubes(connection: Connection, gateways_from: int) -> _Sums:
    columns = ", ".join(COUNTED)
    cubes: _Sums = defaultdict(lambda: defaultdict(lambda: [0] * 9))
    for sign in (1, -1):
        waiting = connection.execute(f"SELECT {columns} FROM sum_delta WHERE sign = {sign}".encode())
        calls = (dict(zip(COUNTED, row, strict=True)) for row in waiting)
        for cube, cells in _of_calls(calls, gateways_from).items():
            for key, sums in cells.items():
                _add(cubes[cube][key], sums, sign)
    for cube, (keys, measures) in _CELLS.items():
        rest = ", nullif(waited_ms, -1), talked" if cube == "queue_sum" else ""
        account = "" if cube == "operator_sum" else _ACCOUNT
        names = "".join(
            f" LEFT JOIN sum_name AS {kind}_known ON {kind}_known.name_id = cell.{kind}"
            for kind in ("queue", "agent", "destination") if f"{kind}_name" in keys
        )  # fmt: skip
        for kind in ("queue", "agent", "destination"):
            keys = keys.replace(f"{kind}_name", f"{kind}_known.value")
        shared = (
            f", (ARRAY{list(DIRECTIONS)})[direction], (ARRAY{list(DISPOSITIONS)})[disposition], nullif(currency, '')"
        )
        width = len(keys.split(",")) + 3 + (2 if rest else 0)
        keys = keys.replace("account", "account_id") + shared + rest
        query = f"SELECT {keys}, {measures} FROM {cube} AS cell{account}{names}"
        for row in connection.execute(query.encode()):
            _add(cubes[cube][row[:width]], row[width:])
    for row in connection.execute(_GATEWAY_CELLS.encode(), (gateways_from,)):
        _add(cubes["gateway_sum"][row[:4]], row[4:])
    return cubes


_GATEWAY_CELLS: Final = f"""
    SELECT quarter, value, (ARRAY{list(DIRECTIONS)})[direction], (ARRAY{list(DISPOSITIONS)})[disposition],
           legs, answered, pdd_legs, pdd_ms, mos_legs, mos_micros
    FROM gateway_sum LEFT JOIN sum_name ON name_id = gateway WHERE quarter >= %s
"""
_ACCOUNT: Final = " LEFT JOIN sum_account AS known ON known.account_no = cell.account_no"
