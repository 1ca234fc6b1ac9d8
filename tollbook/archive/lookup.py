"""Look calls up in the archive by their ids."""

from collections.abc import Collection
from dataclasses import dataclass

from pyiceberg.table import Table

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, pc, plan_files, read_batches
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import of_accounts, started
from tollbook.archive.rows import epoch_ms
from tollbook.archive.schema import account_of
from tollbook.model.call_key import CallKey

_COLUMNS = (*CallKey._fields, "account_id", "billsec", "cost_micros")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedCall:
    """The key, account, seconds and cost of an archived call."""

    key: CallKey
    account_id: str | None
    billsec: int | None
    cost_micros: int | None


def find_calls(
    table: Table, ids: Collection[str], *, first_ms: int, last_ms: int, accounts: Collection[str | None] | None = None
) -> list[ArchivedCall]:
    """Return the archived calls with one of these ids that started from `first_ms` to `last_ms`, both included.

    `accounts` None reads every account. All calls of that time are read, in a few columns. Raises ArchiveError.
    """
    row_filter = started(first_ms * 1000, (last_ms + 1) * 1000)
    if accounts is not None:
        row_filter = ex.And(row_filter, of_accounts(accounts))
    found: list[ArchivedCall] = []
    with archive_errors("looking calls up in the archive"):
        for batch in read_batches(table, plan_files(table, row_filter), row_filter, _COLUMNS):
            hits = pa.table(batch).filter(pc.is_in(batch["call_id"], pa.array(list(ids), batch["call_id"].type)))
            found += [
                ArchivedCall(
                    key=CallKey(start_ts, row["call_id"], row["switch"]),
                    account_id=account_of(row["account_id"]),
                    billsec=row["billsec"],
                    cost_micros=row["cost_micros"],
                )
                for row, start_ts in zip(hits.to_pylist(), epoch_ms(hits["start_ts"]).to_pylist(), strict=True)
            ]
    return found
