"""A simulated switch that plays calls at a rate, and notes when it sent the end of each.

`python -m benchmarks.paced_switch RATE COUNT SPEED` prints its port, waits for a subscriber, plays COUNT calls, RATE a
second, each SPEED times as fast as recorded, and prints for each leg that ended its id and when (s, monotonic clock).
"""

import asyncio
import sys
import time

from tollbook.simulator.event import Playable
from tollbook.simulator.player import Player
from tollbook.simulator.recording import CdrFile, load_all, shipped_names
from tollbook.simulator.switch import SimulatedSwitch

_END = b"CHANNEL_HANGUP_COMPLETE"


class _NotingSwitch(SimulatedSwitch):
    def __init__(self) -> None:
        super().__init__(password="ClueCon")
        self.ended: dict[bytes, float] = {}

    def emit(self, event: Playable, cdr: CdrFile | None = None) -> None:
        if event.name == _END and event.unique_id:
            self.ended[event.unique_id] = time.monotonic()
        super().emit(event, cdr)


async def play(rate: float, count: int, speed: float) -> None:
    """Play, and print."""
    switch = _NotingSwitch()
    _, port = await switch.start(port=0)
    print(port, flush=True)
    player = Player(switch, load_all(shipped_names()))
    while not switch.connection_count:
        await asyncio.sleep(0.01)
    await asyncio.sleep(1)
    await player.play_at_rate(calls_per_s=rate, count=count, speed=speed)
    for uid, at_s in switch.ended.items():
        print(uid.decode(), at_s)
    sys.stdout.flush()
    await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(play(float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
