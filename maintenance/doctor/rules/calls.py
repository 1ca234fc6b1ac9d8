"""The verdicts on the calls of the last days: what nobody ended, priced or owns."""

import shlex
from collections.abc import Sequence

from maintenance.doctor.finding import Finding, ok, warn
from maintenance.doctor.rules.amounts import age
from tollbook.model.doubts import EXPLAINED
from tollbook.store.calls.doubts import CountedDoubt
from tollbook.store.health import OpenCalls, Unrated


def explain(call_id: str | None) -> str:
    """Return the command that explains a call; its id is the switch's, and may hold anything."""
    return f"tollbook explain {shlex.quote(call_id or 'CALL_ID')}"


def open_calls(calls: OpenCalls, now_ms: int, recover: str) -> Finding:
    """Judge the calls that have been up for more than a day."""
    if not calls.count or calls.start_ts is None:
        return ok("open calls", "none is older than a day")
    return warn(
        "open calls",
        f"{calls.count} for more than a day, the oldest {calls.call_id} for {age((now_ms - calls.start_ts) / 1000)}",
        "`uuid_exists` on the switch says whether it is up; the CDR files have the ends that nobody heard",
        explain(calls.call_id),
        recover,
    )


def estimated(count: int, lost: int, call_id: str | None, days: int, recover: str) -> Finding:
    """Judge the calls of the last days whose end nobody heard."""
    if not count:
        return ok("estimated ends", f"none in {days} days")
    return warn(
        "estimated ends",
        f"{count} in {days} days, {lost} of them lost; one is {call_id}",
        "the listener or the switch was killed or cut off while they were up: mod_json_cdr's files, if the switch wrote"
        " any, make them exact; with TOLLBOOK_CDR_DIR the listener reads them by itself",
        recover,
        explain(call_id),
    )


def unrated(count: int, reasons: Sequence[Unrated], days: int) -> Finding:
    """Judge the calls of the last days that have no price."""
    if not count:
        return ok("unrated calls", f"none in {days} days")
    counted = "; ".join(f"{reason.count} × {reason.reason}" for reason in reasons)
    return warn(
        "unrated calls",
        f"{count} in {days} days; {counted}",
        "add the account, its plan or the rate, and price the calls again with `tollbook rerate`",
        explain(reasons[0].call_id),
    )


def without_account(count: int, answered: int, days: int) -> Finding:
    """Judge the calls without an account: the unanswered ones are usually scanners."""
    found = f"{count} in {days} days, {answered} of them answered"
    if not answered:
        return ok("calls without account", found)
    return warn(
        "calls without account",
        found,
        "nobody can be billed: set TOLLBOOK_ACCOUNT_VARIABLE on the channel, or give the number to an account with"
        " `tollbook account number add`",
    )


def doubts(found: Sequence[CountedDoubt], days: int) -> Finding:
    """Report what may have cost the operator and bills nobody, and the settings that settle it."""
    if not found:
        return ok("calls in doubt", f"none in {days} days")
    texts = [tuple(text.format(name=doubt.name) for text in EXPLAINED[doubt.kind]) for doubt in found]
    counted = "; ".join(f"{doubt.calls} × {what}" for doubt, (what, _) in zip(found, texts, strict=True))
    remedies = "; ".join(dict.fromkeys(helps for _, helps in texts))
    return warn(
        "calls in doubt", f"{found[0].all_calls} in {days} days; {counted}", remedies, explain(found[0].call_id)
    )
