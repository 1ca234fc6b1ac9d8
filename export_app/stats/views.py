"""`/v1/stats`: what calls add up to."""

import time
from collections.abc import Iterator, Sequence
from typing import cast

from flask import Response

from export_app.auth.identity import CDR
from export_app.auth.request import current_identity, key_blueprint
from export_app.context import services
from export_app.stats import periods
from export_app.stats.query import COLUMN_OF, Asked, StatsQuery, asked
from export_app.stats.schema import Stats
from export_app.web.openapi import get
from export_app.web.responses import as_json
from tollbook.model.selection import Selection
from tollbook.store.calls.stats import Counted, Key, Spans, Sums, count
from tollbook.store.days.window import read_window

stats = key_blueprint("stats")


@get(stats, "/stats", summary="Add calls up", operation_id="sumCalls", responses={200: Stats})
def sum_calls(query: StatsQuery) -> Response:
    """Calls, ASR, ACD, minutes and cost of the key's account, in total and by group. Archived calls are left out."""
    identity = current_identity()
    identity.require(CDR)
    with services().database.reading(identity.accounts) as connection:
        wanted = asked(query, now_ms=time.time_ns() // 1_000_000, window_start=read_window(connection).start_ts)
        counted = count(
            connection,
            Selection(
                accounts=identity.accounts,
                since=wanted.since,
                until=wanted.until,
                filters=query.filters,
            ),
            [Spans(starts=wanted.spans[name]) if name in wanted.spans else COLUMN_OF[name] for name in wanted.groups],
            limit=query.limit,
            prefix_digits=query.prefix_digits,
        )
    groups = _filled(counted, wanted)
    return as_json(
        {
            "ok": True,
            "from_ts": wanted.since,
            "until_ts": wanted.until,
            "tz": query.tz,
            "total": told(counted.total),
            "groups": [dict(_named(key, wanted)) | told(sums) for key, sums in groups[: query.limit]],
            "more": counted.more or len(groups) > query.limit,
        }
    )


def told(sums: Sums) -> dict[str, object]:
    """Work the averages out of sums; null where there is nothing to divide by."""
    complete = sums.calls - sums.open
    return {
        "calls": sums.calls,
        "open": sums.open,
        "answered": sums.answered,
        "asr": round(sums.answered / complete, 6) if complete else None,
        "billsec": sums.billsec,
        "acd_sec": round(sums.billsec / sums.answered, 3) if sums.answered else None,
        "minutes": round(sums.billsec / 60, 3),
        "unrated": sums.unrated,
        "cost": [{"currency": currency, "cost_micros": micros} for currency, micros in sums.cost],
    }


def _filled(counted: Counted, wanted: Asked) -> Sequence[tuple[Key, Sums]]:
    """Add the spans without calls where time is all that is grouped by, so that a chart has no holes."""
    if len(wanted.groups) != 1 or wanted.groups[0] not in wanted.spans:
        return counted.groups
    found = dict(counted.groups)
    return [((place,), found.get((place,), Sums())) for place in range(len(wanted.spans[wanted.groups[0]]))]


def _named(key: Key, wanted: Asked) -> Iterator[tuple[str, object]]:
    for name, value in zip(wanted.groups, key, strict=True):
        if name in wanted.spans:
            start = wanted.spans[name][cast("int", value)]
            yield name, periods.label(cast("periods.Unit", name), wanted.zone, start)
            yield f"{name}_ts", start
        else:
            yield COLUMN_OF[name], value
