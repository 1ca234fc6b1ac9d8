"""The rows of a claimed batch, read as they are now."""

from collections.abc import Callable
from io import BytesIO
from typing import Final, LiteralString

from psycopg.abc import PQGen
from psycopg.generators import copy_from
from psycopg.pq.abc import PGconn

from tollbook.model.call_key import CallKey
from tollbook.model.details import DETAIL_COLUMNS
from tollbook.model.record import COLUMNS
from tollbook.store.database import Connection, store_errors
from tollbook.store.outbox import THIS_OUTBOX, UNCHANGED, ClaimedBatch

# What `read_csv` returns: the row as it is now, whether the row is gone, and what the archiver must know about the
# versions it archived before. `prior_accounts` is a JSON array, with null for "no account".
ROW_COLUMNS: Final[tuple[LiteralString, ...]] = (
    *COLUMNS, "parts", "revision", "switch", "estimated", "currency", *DETAIL_COLUMNS, "trunk_root"
)  # fmt: skip
OUTBOX_COLUMNS: Final = (*ROW_COLUMNS, "gone", "deleted", "prior_accounts", "since_ms")

# What may be in the archive already. Of all else nobody asks for its former accounts, nor since when it waits.
_CORRECTS: Final[LiteralString] = "call.revision IS DISTINCT FROM 1 OR waiting.deleted"

# The bounds on call_cdr.start_ts reach the server as literals (COPY takes no parameters, so psycopg inserts the
# values), and the planner skips every partition outside the batch's days. A key is a range of one, or the planner would
# take the index on call_id alone for as cheap as the key's own, in whose order the rows stand.
_READ: Final[LiteralString] = f"""
    COPY (
        SELECT {", ".join(f"{'waiting' if name in CallKey._fields else 'call'}.{name}" for name in ROW_COLUMNS)},
               call.call_id IS NULL, waiting.deleted,
               CASE WHEN {_CORRECTS} THEN to_json(call.prior_accounts) END,
               CASE WHEN {_CORRECTS} THEN (extract(epoch FROM waiting.since) * 1000)::bigint END
        FROM archive_outbox AS waiting
        LEFT JOIN call_cdr AS call
            ON call.start_ts = waiting.start_ts AND (call.call_id, call.switch) >= (waiting.call_id, waiting.switch)
            AND (call.call_id, call.switch) <= (waiting.call_id, waiting.switch)
            AND call.start_ts BETWEEN %(first)s AND %(last)s
        WHERE {UNCHANGED} AND {THIS_OUTBOX} = (SELECT outbox FROM archive_batch WHERE batch_id = %(batch)s)
    ) TO STDOUT (FORMAT csv)
"""  # noqa: S608 - built only from our own names, as LiteralString proves


def read_csv(connection: Connection, batch: ClaimedBatch) -> memoryview:
    """Read the rows of a batch as they are now, as CSV with OUTBOX_COLUMNS, in any order.

    A quoted "" is an empty text, an empty field NULL. CSV, because Arrow columns are built from it in a tenth of the
    time that Python objects take. A row that is no longer in call_cdr has `gone` true and only its key; one that was
    deleted since it was last acknowledged has `deleted` true, even when it was written again. `since_ms`: since when it
    waits, epoch ms; of a row that is gone, when it was deleted. A first revision that replaces nothing has neither
    that nor `prior_accounts`.
    """
    values = {"first": batch.first_ts, "last": batch.last_ts, "batch": batch.batch_id}
    csv = BytesIO()  # each row is freed once it is there: to keep them all and join them takes three times as long
    with store_errors(), connection.cursor() as cursor, cursor.copy(_READ, values):
        connection.wait(_copied(connection.pgconn, csv.write))
    return csv.getbuffer()


def _copied(server: PGconn, write: Callable[[memoryview], object]) -> PQGen[None]:
    """Write each row that COPY sends. A psycopg `Copy` waits for each by itself, for half a microsecond and more."""
    while isinstance(row := (yield from copy_from(server)), memoryview):
        write(row)
