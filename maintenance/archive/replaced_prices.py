"""The archived rows whose price a batch replaces without PostgreSQL having known it.

A call's former prices are kept when its row in PostgreSQL changes. A row that came after its day was pruned, or after
an archive was attached, replaces one that only the archive has: that one's price is kept here. Pure.
"""

from collections.abc import Collection
from typing import Any

from maintenance.archive.batch import Correction
from tollbook.archive._pyarrow import pa, pc
from tollbook.archive.rows import epoch_ms
from tollbook.archive.schema import account_of
from tollbook.model.call_key import CallKey
from tollbook.store.tariffs.price_history import ArchivedPrice

_MONEY = ("account_id", "cost_micros", "currency", "parts")
_COLUMNS = (*CallKey._fields, "revision", *_MONEY)


def replaced_prices(archived: Any, new: Any, corrections: Collection[Correction]) -> list[ArchivedPrice]:
    """Return the prices of archived rows that differ from the new rows' of the same calls, or that have no new row.

    Both are Arrow tables with the archive's columns. Only rows of corrections that do not know their calls' accounts
    count: of the others PostgreSQL knew the price.
    """
    unknown = {correction.key for correction in corrections if correction.accounts is None}
    if not unknown or not archived.num_rows:
        return []
    old = archived.select(_COLUMNS)
    keys = list(CallKey._fields)
    joined = old.join(
        new.select([*keys, *_MONEY]), keys=keys, join_type="left outer", right_suffix="_new", use_threads=False
    )
    # Equal texts of `parts` are equal parts; PostgreSQL compares those that differ.
    changed = joined.filter(_any_differs(joined))
    return [
        ArchivedPrice(
            key=key,
            revision=row["revision"],
            account_id=account_of(row["account_id"]),
            cost_micros=row["cost_micros"],
            currency=row["currency"],
            parts=row["parts"],
        )
        for row, start_ts in zip(changed.to_pylist(), epoch_ms(changed["start_ts"]).to_pylist(), strict=True)
        if (key := CallKey(start_ts, row["call_id"], row["switch"])) in unknown
    ]


def _any_differs(joined: Any) -> Any:
    differs = pa.array([False] * joined.num_rows)
    for name in _MONEY:
        old, new = joined[name], joined[f"{name}_new"]
        unequal = pc.fill_null(pc.not_equal(old, new), False)
        differs = pc.or_(differs, pc.or_(unequal, pc.xor(pc.is_null(old), pc.is_null(new))))
    return differs
