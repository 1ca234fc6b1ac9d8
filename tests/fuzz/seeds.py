"""What the fuzzer begins with: the recorded calls as small as they can be, some as they came, and their CDR files."""

import json
from collections.abc import Iterator

from tests.paths import CALLS, DETAILS, PROTOCOL
from tollbook.esl.framing import EVENT_JSON, EVENT_PLAIN, Frame
from tollbook.model.event import header_names
from tollbook.simulator.recording import split_frames

# Whole events are ten times as slow, and take the same branches: the shortest calls are enough.
_WHOLE_BYTES = 60_000

#: Variables that the operator has listed: two that calls have, and one that a rule reads too.
VARIABLES_KEPT = ("tenant", "sip_h_X-Tenant", "user_name")
_READ = {name.encode() for name in header_names(variables_kept=VARIABLES_KEPT).values()}


def seeds() -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes: recorded calls with only the headers that a rule reads, and short ones as they came."""
    for path in sorted((*CALLS.glob("*/*.esl"), *DETAILS.glob("*/*.esl"))):
        name = f"{path.parent.name}-{path.stem}"
        frames = split_frames(path.read_bytes())
        if path.stat().st_size < _WHOLE_BYTES:
            yield name, path.read_bytes()
        yield f"{name}-small", b"".join(small(frame) for frame in frames)
    for path in sorted(PROTOCOL.glob("*.esl")):
        yield f"protocol-{path.stem}", path.read_bytes()
    for path in sorted((*CALLS.glob("*/json_cdr/*.json"), *DETAILS.glob("*/json_cdr/*.json"))):
        yield f"cdr-{path.stem}", path.read_bytes()


def small(frame: Frame) -> bytes:
    """Return a frame without the headers that no rule reads: a tenth of it, so ten times as many are tried."""
    if frame.type == EVENT_JSON:
        headers = json.loads(frame.body)
        body = json.dumps(
            {key: headers[key] for key in headers if key.encode() in _READ}, separators=(",", ":")
        ).encode()
    elif frame.type == EVENT_PLAIN:
        lines = frame.body.partition(b"\n\n")[0].split(b"\n")
        body = b"".join(line + b"\n" for line in lines if line.partition(b": ")[0] in _READ) + b"\n"
    else:
        return frame.raw
    return b"Content-Length: %d\nContent-Type: %s\n\n" % (len(body), frame.type) + body
