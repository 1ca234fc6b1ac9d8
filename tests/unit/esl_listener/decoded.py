"""Events as the decoder reads them, in both formats."""

import json
from typing import Any

import msgspec

from esl_listener.decoder import Decoder
from tollbook.model.event import SwitchEvent
from tollbook.simulator.encoding import percent_encode

DECODER = Decoder("accountcode", "cdr_parent")


def fields(event: SwitchEvent) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(event).items() if value}


def plain(*headers: tuple[str, str | bytes]) -> bytes:
    """The body of a plain event, as FreeSWITCH encodes it."""
    lines = [
        name.encode() + b": " + percent_encode(value if isinstance(value, bytes) else value.encode())
        for name, value in headers
    ]
    return b"\n".join(lines) + b"\n\n"


def both(*headers: tuple[str, str]) -> list[SwitchEvent]:
    """The same headers decoded from both formats."""
    return [DECODER.plain(plain(*headers)), DECODER.json(json.dumps(dict(headers)).encode())]
