"""A switch that only sends: every frame is made before the first client connects, so that only the reader is timed.

`python -m benchmarks.feeder CALLS SWITCHES json|plain UP RATE` prints one port for each switch. The first subscriber at
each port gets its share of CALLS fresh calls, interleaved as at RATE calls a second, as fast as it reads. With UP above
0, that many calls that never end come first, and frames are made as they are sent, so that any number of calls fits in
memory.
"""

import itertools
import socket
import sys
import threading
import time
from collections.abc import Iterator

from tollbook.simulator.freshen import CallTemplate
from tollbook.simulator.recording import load_all, shipped_names
from tollbook.simulator.schedule import cues

EVENTS = ("CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE")
_CHUNK = 1 << 20


def frames(calls: int, form: str, rate: float) -> Iterator[bytes]:
    """Render the subscribed events of `calls` calls, `rate` a second, in chunks of about 1 MB."""
    recordings = load_all(shipped_names())
    templates = [CallTemplate(recording) for recording in recordings]
    wanted = {name.encode() for name in EVENTS}
    up: dict[int, list[bytes | None]] = {}
    waiting: list[bytes] = []
    size = sequence = 0
    for cue in cues([one.offsets_s for one in recordings], (number / rate for number in range(calls))):
        if cue.call not in up:
            call = templates[cue.call % len(templates)].fresh(time.time_ns() // 1000)
            up[cue.call] = [
                (event.json_frame(sequence) if form == "json" else event.plain_frame(sequence))
                if event.name in wanted
                else None
                for event in call.events
            ]
        frame = up[cue.call][cue.event]
        if cue.event + 1 == len(up[cue.call]):
            del up[cue.call]
        if frame is not None:
            waiting.append(frame)
            size += len(frame)
            sequence += 1
        if size > _CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def calls_up(calls: int, form: str) -> Iterator[bytes]:
    """Render calls that are answered and do not end."""
    (recording,) = load_all(["outbound_answered"])
    template = CallTemplate(recording)
    for _ in range(calls):
        call = template.fresh(time.time_ns() // 1000)
        begun = [event for event in call.events if event.name in (b"CHANNEL_CREATE", b"CHANNEL_ANSWER")]
        yield b"".join(event.json_frame(0) if form == "json" else event.plain_frame(0) for event in begun)


def serve(listening: socket.socket, chunks: Iterator[bytes]) -> None:
    """Reply to every client; send the frames to the first that subscribes."""
    while True:
        client, _ = listening.accept()
        threading.Thread(target=_session, args=(client, chunks), daemon=True).start()


def _session(client: socket.socket, chunks: Iterator[bytes]) -> None:
    client.sendall(b"Content-Type: auth/request\n\n")
    with client.makefile("rb") as lines:
        for line in lines:
            word = line.split(b" ")[0].strip()
            if word == b"api":
                client.sendall(b"Content-Type: api/response\nContent-Length: 4\n\n-ERR")
            elif word:
                client.sendall(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
            if word == b"event":
                for chunk in chunks:
                    client.sendall(chunk)
            if word == b"exit":
                break
    client.close()


def main() -> None:
    """Listen on one free port for each switch."""
    calls, switches, form, up, rate = (
        int(sys.argv[1]),
        int(sys.argv[2]),
        sys.argv[3],
        int(sys.argv[4]),
        float(sys.argv[5]),
    )
    shares = [itertools.chain(calls_up(up, form), frames(calls // switches, form, rate)) for _ in range(switches)]
    if not up:
        shares = [iter(list(share)) for share in shares]
    ports: list[int] = []
    for share in shares:
        listening = socket.create_server(("127.0.0.1", 0))
        ports.append(listening.getsockname()[1])
        threading.Thread(target=serve, args=(listening, share), daemon=True).start()
    print(*ports, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
