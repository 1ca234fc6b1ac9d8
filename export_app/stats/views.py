"""`/v1/stats`: what calls add up to."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

from flask import Response

from export_app.auth.request import current_identity, key_blueprint
from export_app.calls.spelling import speller
from export_app.context import services
from export_app.stats import periods
from export_app.stats.all_time import SumsQuestion, sum_all_time, sum_gateways_all_time
from export_app.stats.query import COLUMN_OF, StatsQuery, StatsRequest, resolve_query
from export_app.stats.queue_figures import queue_figures
from export_app.stats.schema import Stats
from export_app.web.openapi import get
from export_app.web.responses import as_json
from tollbook.model.call_sums import CallSums, GroupKey, Periods
from tollbook.model.scopes import CDR
from tollbook.model.selection import Selection
from tollbook.store.calls.grouping import GATEWAY
from tollbook.store.calls.stats import GroupedSums
from tollbook.store.calls.trunk_leg_stats import TrunkLegSums

stats = key_blueprint("stats", errors=(422,))


@get(stats, "/stats", summary="Add calls up", operation_id="sumCalls", responses={200: Stats})
def get_stats(query: StatsQuery) -> Response:
    """Calls, ASR, ACD, minutes and cost of the key's account, in total and by group, whenever they began."""
    identity = current_identity()
    identity.require(CDR)
    identity.require_visible((*query.filters.names(), *query.group_names))
    here = services()
    request = resolve_query(query, now_ms=time.time_ns() // 1_000_000)
    accounts = identity.accounts_of(query.account)
    filters = query.filters.with_spellings(partial(speller(here.database, identity), query.account))
    question = SumsQuestion(
        selection=Selection(accounts=accounts, since=request.since, until=request.until, filters=filters),
        groups=[_grouping(name, request) for name in request.groups],
        limit=query.limit,
        prefix_digits=query.prefix_digits,
        within_ms=query.sl_s * 1000 if query.about_queues else None,
    )
    to_dict = queue_sums_to_dict if query.about_queues else sums_to_dict
    if GATEWAY in request.groups:
        sums, trunk_legs, more = sum_gateways_all_time(here.database, here.archive, question)
        groups = [dict(_labels(key, request)) | trunk_legs_to_dict(group) for key, group in trunk_legs]
    else:
        sums = sum_all_time(here.database, here.archive, question)
        found = _with_empty_periods(sums, request)
        groups = [dict(_labels(key, request)) | to_dict(group) for key, group in found[: query.limit]]
        more = sums.more or len(found) > query.limit
    return as_json(
        {
            "ok": True,
            "from_ts": request.since,
            "until_ts": request.until,
            "tz": query.tz,
            **({"sl_s": query.sl_s} if query.about_queues else {}),
            **_periods(request),
            "total": to_dict(sums.total),
            "groups": groups,
            "more": more,
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
        **_shared_sums(sums),
    }


def queue_sums_to_dict(sums: CallSums) -> dict[str, object]:
    """Return the sums of calls of queues. Their answer is the agent's: the switch answers whoever waits."""
    return {
        "calls": sums.calls,
        "open": sums.open,
        **queue_figures(sums.queue),
        "billsec": sums.billsec,
        **_shared_sums(sums),
    }


def _shared_sums(sums: CallSums) -> dict[str, object]:
    return {
        "minutes": round(sums.billsec / 60, 3),
        "unrated": sums.unrated,
        "cost": [{"currency": currency, "cost_micros": micros} for currency, micros in sums.cost],
        "wait_ms": sums.wait_ms,
        "wait_calls": sums.wait_calls,
        "ring_ms": sums.ring_ms,
        "ring_calls": sums.ring_calls,
    }


def trunk_legs_to_dict(sums: TrunkLegSums) -> dict[str, object]:
    """Return what trunk legs add up to, and their averages; an average is None where there is nothing to divide by."""
    return {
        "legs": sums.legs,
        "answered": sums.answered,
        "asr": round(sums.answered / sums.legs, 6) if sums.legs else None,
        "pdd_ms": round(sums.pdd_ms / sums.pdd_legs, 3) if sums.pdd_legs else None,
        "pdd_legs": sums.pdd_legs,
        "rx_mos": round(sums.mos / sums.mos_legs, 3) if sums.mos_legs else None,
        "mos_legs": sums.mos_legs,
    }


def _periods(request: StatsRequest) -> dict[str, object]:
    """Return when the periods begin that are grouped by: of hours and days the first that was named."""
    named = next((name for name in request.groups if name in request.period_starts), None)
    return {} if named is None else {"periods_ts": request.period_starts[named]}


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
