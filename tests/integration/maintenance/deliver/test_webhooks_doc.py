"""The examples of docs/webhooks.md accept what is delivered, and nothing else."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import cast

import playwright

from maintenance.deliver.signature import signed_headers
from tests.commands import free_port
from tests.databases import store
from tests.endpoints import SECRET, add_endpoint
from tests.factories import call
from tests.integration.maintenance.deliver.conftest import Deliver
from tests.paths import ROOT
from tests.waiting import wait_until
from tollbook.store.database import Connection

DOCUMENT = (ROOT / "docs" / "webhooks.md").read_text()
RECEIVER, IS_OURS = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
(IN_NODE,) = re.findall(r"^```js\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)

# The Node.js that playwright brings: the machine may have none.
NODE = Path(playwright.__file__).parent / "driver" / "node"
BODY = b'{"event":"call.ended","account_id":"acme","data":{},"ts":1}'


def test_the_receiver_takes_what_is_delivered(calls: Connection, deliver: Deliver, tmp_path: Path) -> None:
    """Each event once, and refuses what is not signed."""
    port = free_port()
    webhook = add_endpoint(calls, url=f"http://127.0.0.1:{port}/")
    printed = tmp_path / "printed"
    with printed.open("wb") as file:
        receiver = subprocess.Popen(
            [sys.executable, "-c", RECEIVER], env={**os.environ, "SECRET": SECRET, "PORT": str(port)}, stdout=file
        )
    try:
        wait_until(lambda: _post(port, BODY, {}) == 401, 20)
        assert _post(port, BODY, _headers("another-secret")) == 401
        deliver()
        store(calls, call("a"))
        lines = [f"{event} a 1" for event in ("call.started", "call.answered", "call.ended")]
        wait_until(lambda: printed.read_text().splitlines() == lines, 20, what=printed.read_text)
        # What was answered is forgotten a moment later.
        wait_until(lambda: calls.execute("SELECT count(*) FROM event_delivery").fetchone() == (0,), 20)
        calls.execute(
            "INSERT INTO event_delivery (webhook_id, seq, call_no) SELECT %s, seq, 1 FROM call_event", (webhook,)
        )
        wait_until(lambda: calls.execute("SELECT count(*) FROM event_delivery").fetchone() == (0,), 10)
        assert printed.read_text().splitlines() == lines
    finally:
        receiver.kill()
        receiver.wait(10)


def test_sipio_s_verifying_code_takes_what_is_sent() -> None:
    """In Python, and as documented in Node.js."""
    namespace: dict[str, object] = {}
    exec(IS_OURS, namespace)
    is_ours = cast("Callable[[bytes, str, str], bool]", namespace["is_ours"])
    header = _headers("optional")["x-sipio-signature"]
    cases = [
        (BODY, header, "optional"),
        (BODY + b" ", header, "optional"),
        (BODY, header, "another"),
        (BODY, "", "optional"),
    ]
    wanted = [True, False, False, False]
    assert [is_ours(*case) for case in cases] == wanted
    program = IN_NODE + "".join(
        f"console.log(isOurs(Buffer.from({json.dumps(body.decode())}), {json.dumps(header)}, {json.dumps(secret)}));\n"
        for body, header, secret in cases
    )
    done = subprocess.run(
        [NODE, "--input-type=module", "-"], input=program, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout.split(), done.stderr) == ([str(one).lower() for one in wanted], "")


def _headers(secret: str) -> dict[str, str]:
    return signed_headers(event="call.ended", message_id="evt_1", at_s=int(time.time()), body=BODY, secret=secret)


def _post(port: int, body: bytes, headers: dict[str, str]) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/", body, headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
