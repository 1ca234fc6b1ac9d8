"""The cubes, and the statements that add calls to them.

Both statements take their calls from a query that returns `sign` and the columns COUNTED. They must see the same calls:
so they belong into one snapshot, that of a transaction which alone writes the cubes (`tollbook.store.sums.writing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from tollbook.store.sums.codes import (
    CODED,
    LONGEST_NAME,
    MAX_NAMES,
    NO_NAME,
    OF_GATEWAYS,
    OF_NOBODY,
    OTHER_NAME,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cube:
    """A table of sums: its key, of which `time` counts units of `unit` milliseconds, and its measures.

    A column is given by how it is made of calls: a key by one call, a measure by all calls with that key.
    """

    table: LiteralString
    time: LiteralString
    unit: LiteralString
    keys: dict[LiteralString, LiteralString]
    measures: dict[LiteralString, LiteralString]
    calls: LiteralString = "counted"

    @property
    def unit_ms(self) -> int:
        """The unit of its time, in ms."""
        return int(self.unit)


def _code(column: LiteralString) -> LiteralString:
    return f"array_position({CODED[column]}, {column})"


def _name(kind: LiteralString, owner: LiteralString, value: LiteralString) -> LiteralString:
    """Return the number of a name: NO_NAME for null, OTHER_NAME for one beyond the bounds."""
    known: LiteralString = f"(known.account_no, known.kind, known.value) = ({owner}, '{kind}', {value})"
    number: LiteralString = f"(SELECT name_id FROM sum_name AS known WHERE {known})"  # noqa: S608 - literals alone
    return f"CASE WHEN {value} IS NULL THEN {NO_NAME} ELSE coalesce({number}, {OTHER_NAME}) END"


_QUARTER: Final[LiteralString] = "900000"
_DAY: Final[LiteralString] = "86400000"
_IN_QUARTERS: Final[LiteralString] = f"(start_ts / {_QUARTER})::integer"
_SHARED_KEYS: Final[dict[LiteralString, LiteralString]] = {
    "direction": _code("direction"),
    "disposition": _code("disposition"),
    "currency": "coalesce(currency, '')",
}


def _having(column: LiteralString) -> tuple[LiteralString, LiteralString]:
    """Return how many calls have a value in a column, and the sum of these values."""
    return f"coalesce(sum(sign) FILTER (WHERE {column} IS NOT NULL), 0)", f"coalesce(sum(sign * {column}), 0)"


_COUNTS: Final[dict[LiteralString, LiteralString]] = {
    "calls": "sum(sign)",
    "answered": "sum(sign * answered)",
    "unrated": "coalesce(sum(sign) FILTER (WHERE cost_micros IS NULL), 0)",
    "billsec": "sum(sign * billsec)",
    "cost_micros": "coalesce(sum(sign * cost_micros), 0)",
    "ring_calls": _having("ring_ms")[0],
    "ring_ms": _having("ring_ms")[1],
}
_CALL_MEASURES: Final[dict[LiteralString, LiteralString]] = {
    **_COUNTS,
    "wait_calls": _having("wait_ms")[0],
    "wait_ms": _having("wait_ms")[1],
}

CALLS: Final = Cube(
    table="call_sum",
    time="quarter",
    unit=_QUARTER,
    keys={"account_no": "account_no", "quarter": _IN_QUARTERS, **_SHARED_KEYS},
    measures=_CALL_MEASURES,
)
QUEUES: Final = Cube(
    table="queue_sum",
    time="quarter",
    unit=_QUARTER,
    keys={
        "account_no": "account_no",
        "quarter": _IN_QUARTERS,
        "queue": _name("queue", "counted.account_no", "queue_id"),
        "agent": _name("agent", "counted.account_no", "agent_id"),
        **_SHARED_KEYS,
        "waited_ms": "coalesce(wait_ms, -1)",
        "talked": "talk_ms IS NOT NULL",
    },
    measures={**_COUNTS, "talk_ms": _having("talk_ms")[1]},
    calls="counted WHERE queue_id IS NOT NULL OR agent_id IS NOT NULL",
)
DESTINATIONS: Final = Cube(
    table="destination_sum",
    time="day",
    unit=_DAY,
    keys={
        "account_no": "account_no",
        "day": f"(start_ts / {_DAY})::integer",
        "destination": _name("destination", "counted.account_no", "destination"),
        **_SHARED_KEYS,
    },
    measures=_CALL_MEASURES,
)
OPERATORS: Final = Cube(
    table="operator_sum",
    time="quarter",
    unit=_QUARTER,
    keys={"quarter": _IN_QUARTERS, **_SHARED_KEYS},
    measures=_CALL_MEASURES,
)
GATEWAYS: Final = Cube(
    table="gateway_sum",
    time="quarter",
    unit=_QUARTER,
    keys={
        "quarter": _IN_QUARTERS,
        "gateway": _name("gateway", OF_GATEWAYS, "leg ->> 0"),
        "direction": _SHARED_KEYS["direction"],
        "disposition": _SHARED_KEYS["disposition"],
    },
    measures={
        "legs": "sum(sign)",
        "answered": "coalesce(sum(sign) FILTER (WHERE leg ->> 1 = '1'), 0)",
        "pdd_legs": _having("(leg ->> 2)::bigint")[0],
        "pdd_ms": _having("(leg ->> 2)::bigint")[1],
        "mos_legs": _having("(leg ->> 3)::numeric")[0],
        "mos_micros": "coalesce(sum(sign * ((leg ->> 3)::numeric * 1000000)::bigint), 0)",
    },
    calls="counted CROSS JOIN LATERAL jsonb_array_elements(trunk_legs) AS trunk (leg)",
)

#: All but the gateways' hold what the archive has of a call, too.
ARCHIVED_CUBES: Final = (CALLS, QUEUES, DESTINATIONS, OPERATORS)
CUBES: Final = (*ARCHIVED_CUBES, GATEWAYS)


def learn_accounts(calls: LiteralString) -> LiteralString:
    """Return the statement that gives a number to each account of some calls."""
    # ON CONFLICT alone would use up a number for each account that has one.
    return f"""
        INSERT INTO sum_account (account_id)
        SELECT DISTINCT account_id FROM ({calls}) AS fact
        WHERE account_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM sum_account AS known WHERE known.account_id = fact.account_id)
        ORDER BY account_id
    """  # noqa: S608 - literals alone


def learn_names(calls: LiteralString) -> LiteralString:
    """Return the statement that gives numbers to the names in some calls, within bounds; after `learn_accounts`."""
    return f"""
        WITH fact AS MATERIALIZED (
            SELECT account_id, queue_id, agent_id, destination, trunk_legs FROM ({calls}) AS call
            WHERE coalesce(queue_id, agent_id, destination) IS NOT NULL OR trunk_legs IS NOT NULL
        ), used AS (
            SELECT coalesce(account_no, {OF_NOBODY}) AS account_no, kind, value
            FROM (
                SELECT DISTINCT account_id, kind, value
                FROM fact CROSS JOIN LATERAL (
                    VALUES ('queue', queue_id), ('agent', agent_id), ('destination', destination)
                ) AS named (kind, value)
                WHERE value IS NOT NULL
            ) AS named LEFT JOIN sum_account USING (account_id)
            UNION ALL
            SELECT DISTINCT {OF_GATEWAYS}, 'gateway', leg ->> 0
            FROM fact CROSS JOIN LATERAL jsonb_array_elements(trunk_legs) AS trunk (leg) WHERE leg ->> 0 IS NOT NULL
        ), fresh AS (
            SELECT account_no, kind, value,
                   row_number() OVER (
                       PARTITION BY account_no, kind ORDER BY length(value) > {LONGEST_NAME}, value
                   ) AS place
            FROM used
            WHERE NOT EXISTS (
                SELECT FROM sum_name AS known
                WHERE (known.account_no, known.kind, known.value) = (used.account_no, used.kind, used.value)
            )
        ), held AS (
            SELECT account_no, kind, count(*) AS names FROM sum_name
            WHERE (account_no, kind) IN (SELECT account_no, kind FROM fresh) GROUP BY account_no, kind
        ), judged AS (
            SELECT account_no, kind, value,
                   length(value) <= {LONGEST_NAME} AND place + coalesce(names, 0) <= {MAX_NAMES} AS kept
            FROM fresh LEFT JOIN held USING (account_no, kind)
        ), others AS (
            INSERT INTO sum_other (account_no, kind) SELECT DISTINCT account_no, kind FROM judged WHERE NOT kept
            ON CONFLICT DO NOTHING
        )
        INSERT INTO sum_name (account_no, kind, value) SELECT account_no, kind, value FROM judged WHERE kept
    """  # noqa: S608 - literals alone


def add_calls(calls: LiteralString, cubes: Sequence[Cube] = CUBES) -> LiteralString:
    """Return the statement that adds some calls to the cubes and returns how many it read; after `learn_names`.

    `calls` may be a DELETE … RETURNING. Each cube is written in the order of its key: its index grows in order.
    """
    parts: LiteralString = ", ".join([_add_to(cube) for cube in cubes])
    return f"""
        WITH fact AS MATERIALIZED ({calls}), counted AS MATERIALIZED (
            SELECT fact.*, coalesce(account_no, {OF_NOBODY}) AS account_no FROM fact LEFT JOIN sum_account
                USING (account_id)
        ), {parts}
        SELECT count(*) FROM fact
    """  # noqa: S608 - literals alone


_PLACES: Final[tuple[LiteralString, ...]] = ("1", "2", "3", "4", "5", "6", "7", "8", "9")


def _add_to(cube: Cube) -> LiteralString:
    keys: LiteralString = ", ".join(cube.keys)
    made: LiteralString = ", ".join(cube.keys.values())
    measures: LiteralString = ", ".join(cube.measures)
    sums: LiteralString = ", ".join(cube.measures.values())
    places: LiteralString = ", ".join(_PLACES[: len(cube.keys)])
    adding: LiteralString = ", ".join([f"{name} = cube.{name} + excluded.{name}" for name in cube.measures])
    nothing: LiteralString = ", ".join(["0" for _ in cube.measures])
    # A row that was taken away and added again unchanged touches no cube.
    return f"""{cube.table}_added AS (
            INSERT INTO {cube.table} AS cube ({keys}, {measures})
            SELECT {made}, {sums} FROM {cube.calls}
            GROUP BY {places} HAVING ({sums}) IS DISTINCT FROM ({nothing}) ORDER BY {places}
            ON CONFLICT ({keys}) DO UPDATE SET {adding}
        )"""  # noqa: S608 - literals alone
