"""`/v1/stats`: what calls add up to."""

import time
from collections.abc import Iterator, Sequence
from typing import cast

from flask import Response

from export_app.auth.identity import CDR
from export_app.auth.request import current_identity, key_blueprint
from export_app.context import services
from export_app.stats import periods
from export_app.stats.query import COLUMN_OF, StatsQuery, StatsRequest, resolve_query
from export_app.stats.schema import Stats
from export_app.web.openapi import get
from export_app.web.responses import as_json
from tollbook.model.selection import Selection
from tollbook.store.calls.stats import CallSums, GroupedSums, GroupKey, Periods, sum_calls
from tollbook.store.days.window import read_window

stats = key_blueprint("stats")


@get(stats, "/stats", summary="Add calls up", operation_id="sumCalls", responses={200: Stats})
def get_stats(query: StatsQuery) -> Response:
    """Calls, ASR, ACD, minutes and cost of the key's account, in total and by group. Archived calls are left out."""
    identity = current_identity()
    identity.require(CDR)
    with services().database.summing(identity.accounts) as connection:
        window_start = read_window(connection).start_ts
        request = resolve_query(query, now_ms=time.time_ns() // 1_000_000, window_start=window_start)
        sums = sum_calls(
            connection,
            Selection(accounts=identity.accounts, since=request.since, until=request.until, filters=query.filters),
            [_grouping(name, request) for name in request.groups],
            limit=query.limit,
            prefix_digits=query.prefix_digits,
        )
    groups = _with_empty_periods(sums, request)
    return as_json(
        {
            "ok": True,
            "from_ts": request.since,
            "until_ts": request.until,
            "tz": query.tz,
            "total": sums_to_dict(sums.total),
            "groups": [dict(_labels(key, request)) | sums_to_dict(group) for key, group in groups[: query.limit]],
            "more": sums.more or len(groups) > query.limit,
        }
    )


def sums_to_dict(sums: CallSums) -> dict[str, object]:
    """Return the sums and their averages; an average is None where there is nothing to divide by."""
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


def _grouping(name: str, request: StatsRequest) -> str | Periods:
    return Periods(starts=request.period_starts[name]) if name in request.period_starts else COLUMN_OF[name]


def _with_empty_periods(sums: GroupedSums, request: StatsRequest) -> Sequence[tuple[GroupKey, CallSums]]:
    """Add the periods without calls where time is all that is grouped by, so that a chart has no gaps."""
    if len(request.groups) != 1 or request.groups[0] not in request.period_starts:
        return sums.groups
    found = dict(sums.groups)
    periods_asked_for = range(len(request.period_starts[request.groups[0]]))
    return [((number,), found.get((number,), CallSums())) for number in periods_asked_for]


def _labels(key: GroupKey, request: StatsRequest) -> Iterator[tuple[str, object]]:
    for name, value in zip(request.groups, key, strict=True):
        if name in request.period_starts:
            start = request.period_starts[name][cast("int", value)]
            yield name, periods.label(cast("periods.Unit", name), request.zone, start)
            yield f"{name}_ts", start
        else:
            yield COLUMN_OF[name], value
