"""What is sent: the envelope of a webhook, and the same event as a CloudEvent for NATS. Pure."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tollbook.model.details import CARRIER_COLUMNS, DETAIL_COLUMNS
from tollbook.model.presentation import Presentation
from tollbook.model.record import COLUMNS
from tollbook.store.events.queue import Delivery

#: Ours beside sip.io's names: the public record, and what is kept beside it; not the parts of the price.
_OURS: Final[tuple[str, ...]] = (*COLUMNS, "currency", "switch", "revision", "estimated", *DETAIL_COLUMNS)
_JSON: Final = "application/json"
_SOURCE: Final = "/tollbook"

# A token of a subject may not hold a dot, a blank or a wildcard.
_NO_TOKEN: Final = re.compile(r"[^A-Za-z0-9_-]")


def envelope(delivery: Delivery, presentation: Presentation) -> bytes:
    """Return the body of a webhook: event, account_id, data, ts (when it was noted, epoch ms)."""
    return msgspec.json.encode(
        {
            "event": delivery.event,
            "account_id": delivery.account_id,
            "data": _data(delivery, presentation),
            "ts": delivery.made_ms,
        }
    )


def cloud_event(delivery: Delivery, presentation: Presentation) -> bytes:
    """Return an event as CloudEvents 1.0 in JSON; `accountid` and `revision` are extensions."""
    when = dt.datetime.fromtimestamp(delivery.made_ms / 1000, dt.UTC)
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": delivery.message_id,
        "source": _SOURCE,
        "type": delivery.event,
        "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": _JSON,
    }
    if delivery.call_id:
        attributes["subject"] = delivery.call_id
        attributes["revision"] = delivery.revision
    if delivery.account_id is not None:
        attributes["accountid"] = delivery.account_id
    return msgspec.json.encode(attributes | {"data": _data(delivery, presentation)})


def nats_subject(delivery: Delivery) -> str:
    """Return `tollbook.ACCOUNT.call.ended`: in ACCOUNT all but letters, digits, _ and - is %XX; without one it is _."""
    account = _NO_TOKEN.sub(_percent, delivery.account_id or "") or "_"
    return f"tollbook.{account}.{delivery.event}"


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _data(delivery: Delivery, presentation: Presentation) -> Mapping[str, Any]:
    row = delivery.record
    if delivery.call_id is None or row is None:
        return {"message": "a test of this endpoint", "ts": delivery.made_ms}
    key = {"callId": delivery.call_id, "call_id": delivery.call_id, "start_ts": delivery.start_ts,
           "switch": delivery.switch, "revision": delivery.revision}  # fmt: skip
    if row.get("removed"):
        return key | {"removed": True, "ts": delivery.made_ms}
    columns = presentation.columns_to_read([name for name in _OURS if _is_shown(name, presentation)])
    (shown,) = presentation.present([tuple(_value(row, name) for name in columns)], columns)
    ours = {
        name: msgspec.Raw(value.encode()) if name == "recordings" and isinstance(value, str) else value
        for name, value in zip(columns, shown, strict=True)
        if name != "trunk_root"
    }
    ended = row.get("end_ts")
    theirs = {
        "callId": delivery.call_id,
        "from": row.get("from_num"),
        "to": row.get("to_num"),
        "src_ip": ours.get("source_ip"),
        "ts": _happened_ms(delivery.event, row),
    }
    if ended is None:  # as in the API: null while the call is up
        theirs["billsec"] = None
    return theirs | ours


def _is_shown(name: str, presentation: Presentation) -> bool:
    return not (presentation.hides_carriers and name in CARRIER_COLUMNS)


def _value(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name)
    return msgspec.json.encode(value).decode() if name == "recordings" and value is not None else value


def _happened_ms(event: str, row: Mapping[str, Any]) -> Any:
    """Return when it happened, by the switch's clock; of a correction, when the call ended."""
    column = {"call.started": "start_ts", "call.answered": "answer_ts"}.get(event, "end_ts")
    return row.get(column) if row.get(column) is not None else row.get("start_ts")
