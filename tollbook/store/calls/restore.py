"""Bring archived rows back into `call_cdr`.

The archive is the canonical record: of two rows with one revision its own counts, and of two revisions the higher one,
except that an exact end counts more than an estimate. A row that waits in the outbox has changed since it was archived
and stays, whatever its revision, unless the archive was attached to a database that had been restored or set up anew:
then it may have been archived long ago, and changed since. With a row that is replaced go its legs: they are older than
the row, and folding them again would undo it. Of a call that the archive has more than once, the row that counts most
is brought back, and sent to the archive, which then has it alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import sql

from tollbook.log import printable
from tollbook.model.call_key import CallKey
from tollbook.model.charge import UNKNOWN_REASON
from tollbook.model.details import DETAIL_COLUMNS
from tollbook.model.record import COLUMNS, Record
from tollbook.store.calls.columns import COUNTED, names
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.days.partitions import CALLS, partition_name
from tollbook.store.locks import LEG_LOCK
from tollbook.times import written

#: What a row of `restore_calls` holds, in this order: what the archive has of a call.
RESTORED_COLUMNS: Final[tuple[LiteralString, ...]] = (
    *COLUMNS, "switch", "estimated", "currency", "parts", "revision", *DETAIL_COLUMNS, "trunk_root"
)  # fmt: skip

_CHANGING: Final[tuple[LiteralString, ...]] = tuple(
    column for column in RESTORED_COLUMNS if column not in CallKey._fields
)


# Calls that a report names.
_NAMED_CALLS: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """How many rows were written or replaced from the archive, and how many were sent there because it lacks them.

    `repeated`: how many calls the archive has more than once, which were sent there to become one; `named`: some of
    them. `rekeyed`: the keys that were removed of calls that the tiers had by two. `undecided`: keys of rows that are
    up here, and of which the archive has a call that may be the same, and began later. `erased`, `deleted`: how many
    rows were removed because they were erased, or deleted, after the backup. `up`: how many rows are of calls that are
    up here, and that the archive does not have.
    """

    rows: int = 0
    sent: int = 0
    repeated: int = 0
    named: tuple[CallKey, ...] = ()
    rekeyed: tuple[CallKey, ...] = ()
    undecided: tuple[CallKey, ...] = ()
    erased: int = 0
    deleted: int = 0
    up: int = 0

    def __add__(self, other: "Restored") -> "Restored":
        """Return the sum of two."""
        return Restored(
            rows=self.rows + other.rows,
            sent=self.sent + other.sent,
            repeated=self.repeated + other.repeated,
            named=(self.named + other.named)[:_NAMED_CALLS],
            rekeyed=self.rekeyed + other.rekeyed,
            undecided=self.undecided + other.undecided,
            erased=self.erased + other.erased,
            deleted=self.deleted + other.deleted,
            up=self.up + other.up,
        )

    @property
    def remarks(self) -> str:
        """Return what waits for the archive and why, and what was removed or left, as the end of a line."""
        remarks = f"; {self.sent} calls that it lacks wait for it" if self.sent else ""
        if self.repeated:
            remarks += (
                f"; {self.repeated} calls that it has more than once wait for it, to become one each by the next"
                f" `tollbook archive run` ({_some(self.named, self.repeated)})"
            )
        if self.rekeyed:
            remarks += (
                f"; {len(self.rekeyed)} calls were here and there by two keys, of which the one that begins earlier"
                f" stays; removed: {_some(self.rekeyed, len(self.rekeyed))}"
            )
        if self.deleted:
            remarks += f"; {self.deleted} rows removed that were deleted since: their legs belong to other calls by now"
        if self.erased:
            remarks += (
                f"; {self.erased} rows removed of calls that were erased since: `tollbook account erase` once more"
                " removes what else came back of them (docs/privacy.md)"
            )
        if self.up:
            remarks += (
                f"; {self.up} calls are up here and not in the archive: they end when the listener or `tollbook"
                " recover` hears of it, or as lost; one that became a part of another call since is there a second time"
            )
        if self.undecided:
            remarks += (
                f"; {len(self.undecided)} calls that are up here may be ones that the archive has by a later start:"
                f" compare them when they have ended ({_some(self.undecided, len(self.undecided))})"
            )
        return remarks


def _some(keys: Sequence[CallKey], count: int) -> str:
    """Name the first of `count` calls."""
    shown = keys[:_NAMED_CALLS]
    calls = ", ".join(
        f"{printable(key.call_id)} of {written(key.start_ts)} on {printable(key.switch)}" for key in shown
    )
    return calls if count == len(shown) else f"the first are {calls}"


def restore_calls(
    connection: Connection,
    day: int | None,
    rows: Sequence[Record],
    *,
    after: CallKey,
    last: CallKey,
    attached: bool,
) -> Restored:
    """Make the calls after `after` up to `last` what the archive has: `rows`, with RESTORED_COLUMNS, are all of it.

    What the archive lacks is sent there, and what it has more than once. `day`: that of the partition, or None for the
    late calls, of which only those that PostgreSQL has are replaced. `attached`: whether rows that wait for the archive
    may have been archived before. Stops the day's writers, for as long as it takes to compare the rows. Call as sole
    archiver, outside a transaction; raises StoreUnavailable.
    """
    table = sql.Identifier("call_cdr_late" if day is None else partition_name(CALLS.table, day))

    def run(query: LiteralString) -> int:
        statement = sql.SQL(query).format(calls=table, reason=sql.Literal(UNKNOWN_REASON))
        return connection.execute(statement, {**_span(after, last), "attached": attached}).rowcount

    with store_errors(), connection.transaction():
        limit_transaction(connection)
        _stage(connection, rows)
        # As prune does: so that no batch has read legs that are deleted here.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LEG_LOCK,))
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table))
        if day is None:
            run(_DROP_ABSENT)
        run(_NOTE_REPEATED)
        run(_DROP_COPIES)
        run(_DROP_OLDER)
        run(_DROP_WAITING)
        run(_DROP_LEGS)
        run(_COUNT)
        restored = run(_WRITE)
        sent = run(_SEND_LACKING)
        repeated = [CallKey(*row) for row in connection.execute(sql.SQL(_SEND_REPEATED).format(calls=table))]
        return Restored(rows=restored, sent=sent, repeated=len(repeated), named=tuple(sorted(repeated)[:_NAMED_CALLS]))


def _stage(connection: Connection, rows: Sequence[Record]) -> None:
    connection.execute("CREATE TEMPORARY TABLE archived (LIKE call_cdr INCLUDING DEFAULTS) ON COMMIT DROP")
    copying = sql.SQL("COPY archived ({}) FROM STDIN").format(sql.SQL(names(RESTORED_COLUMNS)))
    with connection.cursor() as cursor, cursor.copy(copying) as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute("ANALYZE archived")


def _span(after: CallKey, last: CallKey) -> dict[str, object]:
    return {
        f"{end}_{name}": getattr(key, name) for end, key in (("after", after), ("last", last)) for name in key._fields
    }


# For late calls: what is before the window and not here is the archive's alone.
_DROP_ABSENT: Final[LiteralString] = """
    DELETE FROM archived WHERE NOT EXISTS (
        SELECT FROM {calls} AS call
        WHERE (call.start_ts, call.call_id, call.switch) = (archived.start_ts, archived.call_id, archived.switch)
    )
"""

_NOTE_REPEATED: Final[LiteralString] = """
    CREATE TEMPORARY TABLE repeated ON COMMIT DROP AS
    SELECT start_ts, call_id, switch FROM archived GROUP BY start_ts, call_id, switch HAVING count(*) > 1
"""

# All but the one that counts most, by the rule above.
_DROP_COPIES: Final[LiteralString] = """
    DELETE FROM archived WHERE ctid IN (
        SELECT row_id FROM (
            SELECT archived.ctid AS row_id, row_number() OVER (
                PARTITION BY start_ts, call_id, switch ORDER BY estimated, revision DESC
            ) AS place
            FROM archived JOIN repeated USING (start_ts, call_id, switch)
        ) AS copy
        WHERE place > 1
    )
"""

# Those whose own row is newer. A row that waits and is gone was deleted, and will be from the archive.
_DROP_OLDER: Final[LiteralString] = """
    DELETE FROM archived AS old WHERE EXISTS (
        SELECT FROM archive_outbox AS waiting
        WHERE (waiting.start_ts, waiting.call_id, waiting.switch) = (old.start_ts, old.call_id, old.switch)
          AND (NOT %(attached)s OR NOT EXISTS (
              SELECT FROM {calls} AS call
              WHERE (call.start_ts, call.call_id, call.switch) = (old.start_ts, old.call_id, old.switch)
          ))
    ) OR EXISTS (
        SELECT FROM {calls} AS call
        WHERE (call.start_ts, call.call_id, call.switch) = (old.start_ts, old.call_id, old.switch)
          AND call.revision > old.revision AND NOT (call.estimated AND NOT old.estimated)
    )
"""

_DROP_WAITING: Final[LiteralString] = """
    DELETE FROM archive_outbox AS waiting USING archived
    WHERE (waiting.start_ts, waiting.call_id, waiting.switch) = (archived.start_ts, archived.call_id, archived.switch)
"""

_DIFFERS: Final[LiteralString] = f"({names(_CHANGING, 'call.')}) IS DISTINCT FROM ({names(_CHANGING, 'archived.')})"

_DROP_LEGS: Final[LiteralString] = f"""
    DELETE FROM call_leg AS leg USING archived JOIN {{calls}} AS call
        ON (call.start_ts, call.call_id, call.switch) = (archived.start_ts, archived.call_id, archived.switch)
    WHERE (leg.call_start_ts, leg.call_id, leg.switch) = (call.start_ts, call.call_id, call.switch) AND {_DIFFERS}
"""  # noqa: S608 - literals alone

# No trigger counts what is written into a partition. What replaces a row is counted in its place. A call from before
# the window that has no row is counted already, since it was first written; one from the window is not, or no more.
_ARCHIVED: Final[tuple[LiteralString, ...]] = tuple(column for column in COUNTED if column != "trunk_legs")
_COUNT: Final[LiteralString] = f"""
    INSERT INTO sum_delta (sign, {names(_ARCHIVED)}, trunk_legs)
    SELECT -1, {names(_ARCHIVED, "call.")}, call.trunk_legs
    FROM archived JOIN {{calls}} AS call
        ON (call.start_ts, call.call_id, call.switch) = (archived.start_ts, archived.call_id, archived.switch)
    WHERE call.end_ts IS NOT NULL AND {_DIFFERS}
    UNION ALL
    SELECT 1, {names(_ARCHIVED, "archived.")}, call.trunk_legs
    FROM archived LEFT JOIN {{calls}} AS call
        ON (call.start_ts, call.call_id, call.switch) = (archived.start_ts, archived.call_id, archived.switch)
    WHERE CASE WHEN call.call_id IS NULL THEN archived.start_ts >= (SELECT window_start FROM hot_window)
        ELSE {_DIFFERS} END
"""  # noqa: S608 - literals alone

_WRITE: Final[LiteralString] = f"""
    INSERT INTO {{calls}} AS call ({names(RESTORED_COLUMNS)}, unrated)
    SELECT {names(RESTORED_COLUMNS)}, CASE WHEN cost_micros IS NULL THEN {{reason}} END FROM archived
    ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
        {", ".join(f"{column} = excluded.{column}" for column in _CHANGING)},
        unrated = CASE WHEN excluded.cost_micros IS NULL THEN coalesce(call.unrated, excluded.unrated) END,
        changed = excluded.changed, updated_ts = excluded.updated_ts, prior_accounts = excluded.prior_accounts
    WHERE ({names(_CHANGING, "call.")}) IS DISTINCT FROM ({names(_CHANGING, "excluded.")})
"""  # noqa: S608 - literals alone

_SEND_LACKING: Final[LiteralString] = """
    INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, deleted)
    SELECT start_ts, call_id, switch, account_id, true FROM {calls} AS call
    WHERE end_ts IS NOT NULL
      AND (start_ts, call_id, switch) > (%(after_start_ts)s, %(after_call_id)s, %(after_switch)s)
      AND (start_ts, call_id, switch) <= (%(last_start_ts)s, %(last_call_id)s, %(last_switch)s)
      AND NOT EXISTS (
          SELECT FROM archived
          WHERE (archived.start_ts, archived.call_id, archived.switch) = (call.start_ts, call.call_id, call.switch)
      )
    ON CONFLICT (start_ts, call_id, switch) DO NOTHING
"""

# `deleted`: so that the archiver looks for the call under every account, and replaces whatever it finds of it.
_SEND_REPEATED: Final[LiteralString] = """
    INSERT INTO archive_outbox AS waiting (start_ts, call_id, switch, account_id, deleted, archived)
    SELECT start_ts, call_id, switch, account_id, true, true
    FROM {calls} AS call JOIN repeated USING (start_ts, call_id, switch) WHERE end_ts IS NOT NULL
    ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET deleted = true
    RETURNING start_ts, call_id, switch
"""
