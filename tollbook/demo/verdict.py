"""How `demo --once` checks itself: the recordings' rows against those of the API, its CSV and the archive."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# The price of each recording by rates.csv, in micros, worked out by hand: 6/6 at 0.012 a minute charges 6 s, 1200; the
# transfer pays for both trunk legs, 1200 + 0.01 + ceil(4 s at 0.05 / 60) = 14534; inbound is a whole minute at 0.005.
# None: these calls have no account, and are listed as unrated rather than priced by a guess.
COSTS: dict[str, int | None] = {
    "attended_transfer": 0,
    "cid_sip_percent_newline_injection": None,
    "click_to_call_outbound": 1200,
    "early_media_caller_cancel": 0,
    "forward_inbound_to_mobile": None,
    "inbound_to_1001": 5000,
    "internal_to_1001": 0,
    "outbound_486_busy": 0,
    "outbound_answered": 1200,
    "phone_302": 1200,
    "queue_abandoned": 0,
    "queue_answered_by_agent": 0,
    "transfer_outbound_to_third_party": 14534,
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value that is not what it must be."""

    call: str
    where: str
    column: str
    wanted: object
    found: object

    def __str__(self) -> str:
        return f"{self.call}: {self.column} in {self.where} is {self.found!r}, must be {self.wanted!r}"


def record_of(recording: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return the 16 public columns that a played copy of a recording must have."""
    return {**{name: value for name, value in row.items() if name != "parts"}, "cost_micros": COSTS[recording]}


def differences(
    wanted: dict[str, list[dict[str, Any]]], found: Iterable[dict[str, Any]], where: str
) -> list[Difference]:
    """Return where rows differ, by column. Rows that are missing, or that nobody played, are differences too."""
    by_key = {(row["call_id"], row["start_ts"]): row for row in found}
    wrong: list[Difference] = []
    for call, rows in wanted.items():
        for row in rows:
            seen = by_key.pop((row["call_id"], row["start_ts"]), None)
            if seen is None:
                wrong.append(Difference(call=call, where=where, column="row", wanted="there", found="missing"))
                continue
            wrong += [
                Difference(call=call, where=where, column=column, wanted=value, found=seen.get(column))
                for column, value in row.items()
                if seen.get(column) != value
            ]
    wrong += [Difference(call=key[0], where=where, column="row", wanted="not there", found="there") for key in by_key]
    return wrong


def from_csv(text: str, like: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return CSV rows with the types of the rows in `like`: empty is None, numbers are integers."""
    integers = {name for rows in like.values() for row in rows for name, value in row.items() if isinstance(value, int)}
    return [
        {name: None if value == "" else int(value) if name in integers else value for name, value in record.items()}
        for record in csv.DictReader(io.StringIO(text, newline=""))
    ]
