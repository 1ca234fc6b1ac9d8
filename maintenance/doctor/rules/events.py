"""The verdict on how events get out: webhooks and NATS."""

from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.rules.amounts import age
from tollbook.store.events.health import EventsOut

#: Events wait for less than a second; a restart of the process takes some seconds.
LATE_WARN_S = 60.0
LATE_FAIL_S = 3600.0

_LOG = "journalctl -u tollbook-deliver -n 50 --no-pager"


def events_out(found: EventsOut) -> Finding:
    """Judge who delivers, how late, and which endpoints take nothing."""
    endpoints = found.working + found.failing + found.off
    if not endpoints:
        return ok("events out", "no endpoint")
    known = f"{endpoints} endpoints, {found.waiting} deliveries wait"
    if found.working + found.failing and not found.processes:
        return fail(
            "events out",
            f"{known}, and nobody delivers",
            "`tollbook deliver` does not run; events are kept meanwhile, for TOLLBOOK_EVENT_DAYS",
            "systemctl enable --now tollbook-deliver",
            _LOG,
        )
    if found.late_s > LATE_WARN_S:
        judged = fail if found.late_s > LATE_FAIL_S else warn
        remedy = "`tollbook deliver` does not keep up, or hangs: its log says what it waits for; more of them may run"
        return judged("events out", f"{known}, one for {age(found.late_s)}", remedy, _LOG)
    if found.off or found.failing:
        return warn(
            "events out",
            f"{known}; {found.failing} endpoints fail, {found.off} are switched off",
            "the list says why; tell whose they are. One that is switched off hears nothing until it is on again, and"
            " what it missed is sent by `tollbook webhook replay`",
            "tollbook webhook list",
            "tollbook webhook dead-letters",
        )
    return ok("events out", f"{known}; {found.processes} processes deliver")
