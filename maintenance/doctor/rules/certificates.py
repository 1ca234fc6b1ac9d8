"""The verdict on a certificate by its end."""

from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.rules.amounts import age
from tollbook.times import SECONDS_PER_DAY, date_of

# Certificates of 90 days are renewed a month before their end: with three weeks left, that has failed for a week.
WARN_DAYS = 21
FAIL_DAYS = 3


def certificate(what: str, ends_s: float, now_s: float, command: str) -> Finding:
    """Judge a certificate by when it ends (epoch s); `what` names it, `command` shows it."""
    check = f"certificate {what}"
    left_s = ends_s - now_s
    on = date_of(int(ends_s // SECONDS_PER_DAY))
    if left_s < 0:
        return fail(check, f"ended on {on}, {age(-left_s)} ago", "renew it, on the machine that has it", command)
    found = f"ends on {on}, in {age(left_s)}"
    if left_s < WARN_DAYS * SECONDS_PER_DAY:
        judged = fail if left_s < FAIL_DAYS * SECONDS_PER_DAY else warn
        return judged(
            check, found, "renew it, on the machine that has it; what renews it by itself has failed", command
        )
    return ok(check, found)


def unverified(what: str, problem: str, command: str) -> Finding:
    """Report a server whose certificate was refused: what connects to it is refused, too."""
    return fail(f"certificate {what}", problem, "renew it, or trust its authority on this machine", command)
