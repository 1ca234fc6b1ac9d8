"""The recordings that the simulated switch is compared with, and the end that a client sees."""

import re
from contextlib import suppress

from tests.esl_client import RawClient
from tests.paths import ESL
from tollbook.simulator.recording import Recording, load

GOODBYE = (
    b"Content-Type: text/disconnect-notice\nContent-Length: 67\n\n"
    b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
)


def recorded(name: str) -> Recording:
    return load(ESL / "calls" / name)


def assert_cut(client: RawClient) -> None:
    """Read the rest, and expect the connection's end rather than silence."""
    with suppress(ConnectionError):
        client.rest()


def server_side(transcript: str) -> bytes:
    """Return what the server said, from a transcript of protocol/."""
    text = re.sub(rb"--- (server|client).*\n", b"", (ESL / "protocol" / transcript).read_bytes())
    return text.removesuffix(b"<<EOF>>\n").removesuffix(b"<<EOF>>")
