"""The verdict on the API's answers to `/healthz` and `/readyz`."""

import shlex
from dataclasses import dataclass

from maintenance.doctor.finding import Finding, fail, ok, warn

SLOW_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a request to the API came to.

    `problem`: why there is no answer, else ''; `refused`: because nobody listens. `ours`: it answers as Tollbook does;
    `message`: what it says of a failure.
    """

    status: int = 0
    seconds: float = 0.0
    ours: bool = False
    message: str = ""
    problem: str = ""
    refused: bool = False


def api(url: str, port: int, alive: Answer, ready: Answer | None) -> Finding:
    """Judge the API by whether its process answers, and whether it can serve; `ready` None: it was not asked."""
    log = "journalctl -u tollbook-api -n 50 --no-pager"
    if alive.refused:
        return warn(
            "API",
            f"nobody listens on {url}: {alive.problem}",
            "`tollbook serve` does not run, or TOLLBOOK_API_BIND is another one there; calls are recorded all the same",
            "systemctl enable --now tollbook-api",
            log,
        )
    if alive.problem:
        return fail(
            "API",
            f"{url}/healthz: {alive.problem}",
            "its process hangs, or the network swallows what it says; systemd starts a process that hangs again within"
            " a minute",
            "systemctl restart tollbook-api",
            log,
        )
    if not alive.ours or alive.status != 200:
        return fail(
            "API",
            f"{url}/healthz answers with {alive.status}, and not as Tollbook does",
            "another program has the address: give it or TOLLBOOK_API_BIND another port",
            f"ss -ltnp {shlex.quote(f'sport = :{port}')}",
        )
    if ready is None or ready.problem or ready.status != 200:
        found = "was not asked" if ready is None else ready.problem or f"{ready.status}, {ready.message}"
        return fail(
            "API",
            f"{url} is alive and cannot serve: /readyz: {found}",
            "it waits for its database: see the checks above; it goes on by itself when that answers",
            f"curl -sS {url}/readyz",
            log,
        )
    seconds = max(alive.seconds, ready.seconds)
    if seconds > SLOW_S:
        return warn(
            "API",
            f"{url} is ready, and took {seconds:.1f} s to say so",
            "the machine or the database is busy: see docs/operations.md",
            log,
        )
    return ok("API", f"{url} is ready")
