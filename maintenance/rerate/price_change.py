"""Whether a call's new price differs from the one that it had. Pure."""

import msgspec

from tollbook.archive.rows import ArchivedRow
from tollbook.model.call_key import CallKey
from tollbook.model.charge import UNKNOWN_REASON, Price, PricedCharge
from tollbook.store.tariffs.rerate import PricedCall

_decode_charges = msgspec.json.Decoder(tuple[PricedCharge, ...]).decode


def archived_call(row: ArchivedRow) -> PricedCall:
    """Return an archived row as a call with its price; the archive does not say why a call is unrated."""
    return PricedCall(
        key=CallKey(row["start_ts"], row["call_id"], row["switch"]),
        account_id=row["account_id"],
        revision=row["revision"],
        price=Price(
            cost_micros=row["cost_micros"],
            currency=row["currency"],
            unrated=None if row["cost_micros"] is not None else UNKNOWN_REASON,
            parts=_decode_charges(row["parts"]) if row["parts"] else (),
        ),
    )


def is_changed(old: Price, new: Price) -> bool:
    """Return whether a price changes: the money of the call or of a charge, or the reason why there is none.

    A new version of a rate that gives the same price is no change.
    """
    if old.unrated == UNKNOWN_REASON and new.unrated is not None:
        return False
    return _money(old) != _money(new)


def _money(price: Price) -> tuple[object, ...]:
    return (price.cost_micros, price.currency, price.unrated, [charge.cost_micros for charge in price.parts])
