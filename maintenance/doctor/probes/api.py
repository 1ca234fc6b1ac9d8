"""The API: whether its process answers, and whether it can serve."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import Final

import msgspec

from maintenance.doctor.finding import Finding
from maintenance.doctor.rules import api as rules
from tollbook.setting_values import Bind

# Both questions together; less than the doctor waits for a group's first finding.
TIMEOUT_S: Final = 3.0
_MAX_BYTES: Final = 65_536

# Where a server that listens everywhere is asked.
_NEAR: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here


class _Body(msgspec.Struct):
    ok: bool
    message: str = ""


def check_api(bind: Bind) -> Iterator[Finding]:
    """Yield the verdict on the API that listens, or should, at this address."""
    near = Bind(host=_NEAR.get(bind.host, bind.host), port=bind.port)
    deadline_s = time.monotonic() + TIMEOUT_S
    alive = ask(near, "/healthz", deadline_s)
    ready = ask(near, "/readyz", deadline_s) if alive.status == 200 and alive.ours else None
    yield rules.api(f"http://{near}", near.port, alive, ready)


def ask(bind: Bind, path: str, deadline_s: float) -> rules.Answer:
    """Ask the API for a path until a time of `time.monotonic()`; what goes wrong is in the answer."""
    begun_s = time.monotonic()
    connection = HTTPConnection(bind.host, bind.port, timeout=max(0.1, deadline_s - begun_s))
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(_MAX_BYTES)
    except ConnectionRefusedError:
        return rules.Answer(problem="connection refused", refused=True)
    except TimeoutError:
        return rules.Answer(problem=f"did not answer within {TIMEOUT_S:.0f} s")
    except (OSError, HTTPException) as error:
        return rules.Answer(problem=getattr(error, "strerror", None) or type(error).__name__)
    finally:
        connection.close()
    try:
        found = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return rules.Answer(status=response.status)
    seconds = time.monotonic() - begun_s
    return rules.Answer(status=response.status, seconds=seconds, ours=True, message=found.message)
