"""A deck being imported: staged in a temporary table, compared with the plan's rates of today, put in their place.

All of it happens in the transaction of `deck_import`. A million rates pass through without being held in memory.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from psycopg.rows import class_row

from tollbook.errors import DataError
from tollbook.store.database import Connection, scalar

PROBLEMS_SHOWN: Final = 20
_EXAMPLES: Final = 5
# What PostgreSQL may use to compare a million rates, until the transaction ends. By default it would sort them on disk.
_WORK_MEM: Final = "64MB"
_RAISE_WORK_MEM: Final = """
    SELECT set_config('work_mem', %(wanted)s, true)
    WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes(%(wanted)s)
"""

# A rate of a file: its place there, then the fields of RateTerms.
StagedRate: TypeAlias = tuple[str, str, str, int, int, int, int, int, int | None, str]

_STAGE = """
    CREATE TEMPORARY TABLE staged (
        ordinal bigint GENERATED ALWAYS AS IDENTITY, place text NOT NULL,
        direction text NOT NULL, prefix text NOT NULL, per_min_micros bigint NOT NULL,
        connection_fee_micros bigint NOT NULL, increment_sec integer NOT NULL, first_increment_sec integer NOT NULL,
        valid_from_ts bigint NOT NULL, valid_to_ts bigint, name text NOT NULL
    ) ON COMMIT DROP
"""
_NULL: Final = "\\N"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
# Lines that are sent at a time: with one alone most of the time would be the sending.
_LINES_SENT: Final = 500
_COPY = """
    COPY staged (place, direction, prefix, per_min_micros, connection_fee_micros, increment_sec, first_increment_sec,
                 valid_from_ts, valid_to_ts, name) FROM STDIN
"""
# Of a deck's prefixes, most have one rate each, and then there is nothing to follow, nor to overlap.
_REPEATS = "SELECT EXISTS (SELECT FROM staged GROUP BY direction, prefix HAVING count(*) > 1)"
# A carrier writes from when a price holds, and not until when: the next price of the prefix ends it.
_FOLLOW = """
    UPDATE staged SET valid_to_ts = next_ts
    FROM (
        SELECT ordinal, lead(valid_from_ts) OVER (PARTITION BY direction, prefix ORDER BY valid_from_ts) AS next_ts
        FROM staged
    ) AS following
    WHERE following.ordinal = staged.ordinal AND staged.valid_to_ts IS NULL AND next_ts > valid_from_ts
"""
# A change notice states what holds for its prefixes from its first date on. Everything else stays: other prefixes, and
# what the plan says of these before that date.
_KEEP = """
    INSERT INTO staged (place, direction, prefix, per_min_micros, connection_fee_micros, increment_sec,
                        first_increment_sec, valid_from_ts, valid_to_ts, name)
    SELECT 'the plan', direction, prefix, per_min_micros, connection_fee_micros, increment_sec, first_increment_sec,
           valid_from_ts, least(valid_to_ts, changed_ts), name
    FROM rate LEFT JOIN (
        SELECT direction, prefix, min(valid_from_ts) AS changed_ts FROM staged GROUP BY direction, prefix
    ) AS notice USING (direction, prefix)
    WHERE plan_id = %s AND until_version IS NULL AND (changed_ts IS NULL OR valid_from_ts < changed_ts)
"""
# For each rate, among the rates of its prefix that began earlier or at the same time, take the one that ends last: when
# that one is still in force, the two overlap. A single pass, however often a file repeats a prefix.
_CLASHES = """
    SELECT later.place, earlier.place, later.direction, later.prefix, count(*) OVER ()
    FROM (
        SELECT valid_from_ts, ordinal,
               max(ARRAY[coalesce(valid_to_ts, 9223372036854775807), ordinal]) OVER (
                   PARTITION BY direction, prefix ORDER BY valid_from_ts, ordinal
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
               ) AS busy
        FROM staged
    ) AS seen
    JOIN staged AS later ON later.ordinal = greatest(seen.ordinal, busy[2])
    JOIN staged AS earlier ON earlier.ordinal = least(seen.ordinal, busy[2])
    WHERE seen.valid_from_ts < busy[1]
    ORDER BY later.ordinal, earlier.ordinal LIMIT %s
"""
# The newest rate of each prefix, in today's deck and in the file. Dearer: some term is higher and none is lower.
_CHANGES = """
    WITH old AS (
        SELECT DISTINCT ON (direction, prefix) direction, prefix, name, valid_from_ts, valid_to_ts,
               ARRAY[per_min_micros, connection_fee_micros, first_increment_sec, increment_sec] AS terms
        FROM rate WHERE plan_id = %(plan)s AND until_version IS NULL ORDER BY direction, prefix, valid_from_ts DESC
    ), new AS (
        SELECT DISTINCT ON (direction, prefix) direction, prefix, name, valid_from_ts, valid_to_ts,
               ARRAY[per_min_micros, connection_fee_micros, first_increment_sec, increment_sec] AS terms
        FROM staged ORDER BY direction, prefix, valid_from_ts DESC
    ), compared AS (
        SELECT direction, prefix, coalesce(new.name, old.name) AS name,
               old.terms AS before, new.terms AS after,
               CASE WHEN old.name IS NULL THEN 'new'
                    WHEN new.name IS NULL THEN 'gone'
                    WHEN old IS NOT DISTINCT FROM new THEN 'same'
                    WHEN old.terms = new.terms THEN 'otherwise changed'
                    WHEN old.terms[1] <= new.terms[1] AND old.terms[2] <= new.terms[2]
                     AND old.terms[3] <= new.terms[3] AND old.terms[4] <= new.terms[4] THEN 'dearer'
                    WHEN old.terms[1] >= new.terms[1] AND old.terms[2] >= new.terms[2]
                     AND old.terms[3] >= new.terms[3] AND old.terms[4] >= new.terms[4] THEN 'cheaper'
                    ELSE 'otherwise changed' END AS kind
        FROM old FULL JOIN new USING (direction, prefix)
    ), changed AS MATERIALIZED (
        SELECT * FROM compared WHERE kind <> 'same'
    ), counted AS (
        SELECT kind, count(*) AS total FROM changed GROUP BY kind
    )
    SELECT kind, total, direction, prefix, name, before, after
    FROM counted CROSS JOIN LATERAL (
        SELECT direction, prefix, name, before, after FROM changed WHERE changed.kind = counted.kind
        ORDER BY direction, prefix COLLATE "C" LIMIT %(examples)s
    ) AS example
    ORDER BY kind, direction, prefix COLLATE "C"
"""
# A numbering plan makes E.164 digits of what is dialled, of which the first is not 0 and at most 15 follow each other;
# and short codes, which stay as they are. An account without one may well dial 0044.
_UNREACHABLE = """
    WITH RECURSIVE above (plan_id) AS (
        SELECT %(plan)s UNION SELECT plan.plan_id FROM rate_plan AS plan JOIN above ON plan.base_plan_id = above.plan_id
    ), dialler AS (
        SELECT DISTINCT account.numbering_id, numbering.short_code
        FROM above JOIN account_plan USING (plan_id) JOIN account USING (account_id)
            LEFT JOIN numbering USING (numbering_id)
    )
    SELECT prefix, count(*) OVER () FROM staged
    WHERE direction = 'outbound' AND (prefix LIKE '0%%' OR length(prefix) > 15)
      AND NOT EXISTS (
          SELECT FROM dialler
          WHERE numbering_id IS NULL OR (short_code <> '' AND prefix ~ ('^(?:' || short_code || ')$'))
      )
    GROUP BY prefix ORDER BY prefix COLLATE "C" LIMIT %(examples)s
"""
_SAME = """
    SELECT count(*) FROM rate JOIN staged USING (
        direction, prefix, per_min_micros, connection_fee_micros, increment_sec, first_increment_sec, valid_from_ts,
        name
    )
    WHERE plan_id = %s AND until_version IS NULL AND rate.valid_to_ts IS NOT DISTINCT FROM staged.valid_to_ts
"""
_TODAY = "SELECT count(*) FROM rate WHERE plan_id = %s AND until_version IS NULL"
_OUT = """
    UPDATE rate SET until_version = %(version)s
    WHERE plan_id = %(plan)s AND until_version IS NULL AND NOT EXISTS (
        SELECT FROM staged AS new
        WHERE (new.direction, new.prefix, new.valid_from_ts, new.per_min_micros, new.connection_fee_micros,
               new.increment_sec, new.first_increment_sec, new.name)
            = (rate.direction, rate.prefix, rate.valid_from_ts, rate.per_min_micros, rate.connection_fee_micros,
               rate.increment_sec, rate.first_increment_sec, rate.name)
          AND new.valid_to_ts IS NOT DISTINCT FROM rate.valid_to_ts
    )
"""
# Run after _OUT: a rate still in today's deck by then is also in the file, and keeps its id.
_IN = """
    INSERT INTO rate (plan_id, version, direction, prefix, per_min_micros, connection_fee_micros, increment_sec,
                      first_increment_sec, valid_from_ts, valid_to_ts, name)
    SELECT %(plan)s, %(version)s, direction, prefix, per_min_micros, connection_fee_micros, increment_sec,
           first_increment_sec, valid_from_ts, valid_to_ts, name
    FROM staged
    WHERE NOT EXISTS (
        SELECT FROM rate AS kept
        WHERE kept.plan_id = %(plan)s AND kept.direction = staged.direction AND kept.prefix = staged.prefix
          AND kept.valid_from_ts = staged.valid_from_ts AND kept.until_version IS NULL
    )
    ORDER BY ordinal
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class RateChange:
    """One of `total` prefixes whose newest rate changed in the same way.

    `kind`: new, gone, dearer, cheaper, or otherwise changed. `before` and `after`: the price of a minute and the
    connection fee (micros), the first and the next increment (s).
    """

    kind: str
    total: int
    direction: str
    prefix: str
    name: str
    before: tuple[int, int, int, int] | None
    after: tuple[int, int, int, int] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The staged rates compared with the plan's rates of today: counts of both and of equal ones, the first changes.

    `unreachable`: how many prefixes no number can have that a numbering plan reads, and no account dials without one.
    """

    rates: int
    same: int
    today: int
    changes: tuple[RateChange, ...]
    unreachable: int
    unreachable_prefixes: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Return whether the staged rates differ from today's deck."""
        return not self.rates == self.same == self.today


def stage(connection: Connection, rows: Iterable[StagedRate], *, onto_plan: str | None = None) -> int:
    """Stage rates, each with its place in the file first, and return how many.

    Raises DataError when rates of a prefix overlap in time.

    One without an end is followed by the next of its prefix. `onto_plan`: the rates are changes to this plan, whose
    other rates stay.
    """
    connection.execute("DROP TABLE IF EXISTS pg_temp.staged")  # left by an earlier import in the caller's transaction
    connection.execute(_STAGE)
    count = 0
    lines: list[str] = []
    with connection.cursor().copy(_COPY) as copy:
        for count, row in enumerate(rows, start=1):  # noqa: B007 - the last one is the count
            lines.append(_line(row))
            if len(lines) == _LINES_SENT:
                copy.write("".join(lines))
                lines.clear()
        copy.write("".join(lines))
    connection.execute("ANALYZE staged")
    connection.execute(_RAISE_WORK_MEM, {"wanted": _WORK_MEM})
    repeats = scalar(connection, _REPEATS)
    if repeats:
        connection.execute(_FOLLOW)
    if onto_plan is not None:
        connection.execute(_KEEP, (onto_plan,))
        connection.execute("ANALYZE staged")
    clashes = connection.execute(_CLASHES, (PROBLEMS_SHOWN,)).fetchall() if repeats or onto_plan is not None else []
    if clashes:
        problems = [
            f"{place}: {direction} prefix {prefix!r} is also rated on {other} for the same time"
            for place, other, direction, prefix, _ in clashes
        ]
        raise DataError(problem_report(problems, clashes[0][4]))
    return count


def _line(row: StagedRate) -> str:
    """Return a rate as a line of COPY's text format, in a third of the time in which the driver makes one."""
    place, direction, prefix, per_min, fee, following, first, begin, end, name = row
    return (
        f"{_escaped(place)}\t{direction}\t{prefix}\t{per_min}\t{fee}\t{following}\t{first}\t{begin}\t"
        f"{_NULL if end is None else end}\t{_escaped(name)}\n"
    )


def _escaped(text: str) -> str:
    """Return a text in which nothing ends a field or a line."""
    if text.isprintable() and "\\" not in text:  # nearly every one
        return text
    return text.translate(_ESCAPES)


def compare(connection: Connection, plan_id: str) -> Comparison:
    """Compare the staged rates with a plan's rates of today."""
    unreachable = connection.execute(_UNREACHABLE, {"plan": plan_id, "examples": _EXAMPLES}).fetchall()
    changes = connection.cursor(row_factory=class_row(RateChange)).execute(
        _CHANGES, {"plan": plan_id, "examples": _EXAMPLES}
    )
    return Comparison(
        rates=int(str(scalar(connection, "SELECT count(*) FROM staged"))),
        same=int(str(scalar(connection, _SAME, plan_id))),
        today=int(str(scalar(connection, _TODAY, plan_id))),
        changes=tuple(changes.fetchall()),
        unreachable=unreachable[0][1] if unreachable else 0,
        unreachable_prefixes=tuple(prefix for prefix, _ in unreachable),
    )


def exchange(connection: Connection, plan_id: str, version: int) -> None:
    """Make the staged rates the plan's rates of today, as its version `version`."""
    connection.execute(_OUT, {"plan": plan_id, "version": version})
    connection.execute(_IN, {"plan": plan_id, "version": version})


def problem_report(shown: Sequence[str], count: int) -> str:
    """Format why nothing was imported: the first of `count` problems."""
    rest = [f"and {count - len(shown)} more"] if count > len(shown) else []
    return "nothing was imported:\n  " + "\n  ".join([*shown, *rest])
