"""A switch: whether it answers on its Event Socket, and what its clock says."""

import re
import time
from collections.abc import Iterator

from maintenance.doctor.finding import Finding, fail
from maintenance.doctor.rules import switch as rules
from maintenance.doctor.rules.database import clock
from maintenance.doctor.run import attempt
from tollbook.errors import ProtocolError, TollbookError
from tollbook.esl.client import EslClient
from tollbook.esl.framing import EVENT_PLAIN
from tollbook.setting_values import EslAddress

# Less than the doctor waits for a group's first finding: the switch's own silence is what is reported.
TIMEOUT_S = 3.0

_EVENT_TIME = re.compile(rb"^Event-Date-Timestamp: ([0-9]{1,18})$", re.MULTILINE)

_REMEDY = (
    "is FreeSWITCH up, and TOLLBOOK_ESL right? Its event_socket.conf.xml names address, port, password and"
    " apply-inbound-acl"
)


def check_switch(address: EslAddress) -> Iterator[Finding]:
    name = f"switch {address}"
    try:
        with EslClient(address.host, address.port, timeout_s=TIMEOUT_S) as client:
            client.login(address.password.get_secret_value())
            yield rules.switch_status(name, client.api("version"), client.api("status"))
            yield attempt(
                f"{name} modules",
                lambda: rules.json_cdr(f"{name} modules", client.api("module_exists mod_json_cdr")),
                _REMEDY,
            )
            yield attempt(f"{name} clock", lambda: _switch_clock(f"{name} clock", client), _REMEDY)
    except TollbookError as error:
        yield fail(name, str(error), _REMEDY)


def _switch_clock(check: str, client: EslClient) -> Finding:
    """Check the clock that stamps the switch's events, by causing one; FreeSWITCH's clock is not its machine's."""
    if not client.command("event plain BACKGROUND_JOB").startswith("+OK"):
        raise ProtocolError("refuses the subscription")
    before = time.time()
    client.command("bgapi version")
    event = client.next_frame_of(EVENT_PLAIN)
    after = time.time()
    stamp = _EVENT_TIME.search(event.body)
    if stamp is None:
        raise ProtocolError("sent an event without a time")
    return clock(
        check,
        int(stamp[1]) / 1_000_000 - (before + after) / 2,
        (after - before) / 2,
        "the switch's",
        "fs_cli -x 'fsctl sync_clock_when_idle'",
    )
