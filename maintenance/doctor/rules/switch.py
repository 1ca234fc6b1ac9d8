"""The verdicts on a switch: what it answers, and what the listener heard of it."""

import re

from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.rules.amounts import age

# FreeSWITCH sends a heartbeat every 20 s unless its switch.conf says otherwise; after three minutes of silence at the
# latest, the listener takes the connection for dead.
HEARTBEAT_WARN_S = 60.0
HEARTBEAT_FAIL_S = 180.0


def heartbeat(address: str, silent_s: float | None) -> Finding:
    """Judge the time since the listener last recorded a sign of life of a switch; None: never."""
    check = f"heartbeat {address}"
    remedy = "is `tollbook listen` running? Its log says why it does not hear the switch: calls are not being recorded"
    commands = (
        "systemctl enable --now tollbook-listen",
        "systemctl status tollbook-listen --no-pager",
        "journalctl -u tollbook-listen -n 50 --no-pager",
    )
    if silent_s is None:
        return fail(check, "never recorded by the listener", remedy, *commands)
    found = f"recorded {age(max(0.0, silent_s))} ago"
    if silent_s > HEARTBEAT_FAIL_S:
        return fail(check, found, remedy, *commands)
    return warn(check, found, remedy, *commands) if silent_s > HEARTBEAT_WARN_S else ok(check, found)


def sessions(address: str, unheard: int, recover: str) -> Finding:
    """Judge how many sessions a switch has counted since it started, of which no event was heard."""
    check = f"sessions {address}"
    if not unheard:
        return ok(check, "every session that the switch counted while we were connected was heard")
    return warn(
        check,
        f"{unheard} sessions that the switch counted were not heard",
        "a hint only; mod_json_cdr writes a file for every call, and reading them adds what is missing",
        recover,
    )


def switch_status(check: str, version: str, status: str) -> Finding:
    """Judge what `version` and `status` print."""
    found = re.search(r"Version (\S+)", version)
    answer = f"FreeSWITCH {found[1]}, logged in" if found else "logged in; it does not say its version"
    if "is ready" not in status:
        return warn(check, f"{answer}; not ready", "it is starting, paused or shutting down", "fs_cli -x status")
    return ok(check, answer)


def json_cdr(check: str, answer: str) -> Finding:
    """Judge what `module_exists mod_json_cdr` prints."""
    if answer == "true":
        return ok(check, "mod_json_cdr is loaded")
    return warn(
        check,
        "mod_json_cdr is not loaded" if answer == "false" else f"module_exists says {answer}",
        "load it in modules.conf.xml with conf/freeswitch/json_cdr.conf.xml: without its files"
        " `tollbook recover` cannot add calls that the listener missed",
        "fs_cli -x 'load mod_json_cdr'",
    )
