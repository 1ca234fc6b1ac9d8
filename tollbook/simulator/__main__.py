"""The simulated switch as a process: `python -m tollbook.simulator --play outbound_answered --loop`."""

import asyncio
import signal
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from tollbook.errors import DataError
from tollbook.simulator.player import Player
from tollbook.simulator.recording import load_all, shipped_names
from tollbook.simulator.switch import HEARTBEAT_S, SimulatedSwitch


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to play and how. `rate` is in calls a second; without it `speed` sets the pace.

    `count` None: each recording once. `subscriber_timeout_s` None: do not wait for a subscriber.
    """

    speed: float
    rate: float | None
    count: int | None
    loop: bool
    verbatim: bool
    subscriber_timeout_s: float | None
    exit_when_played: bool


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8021, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--password", default="ClueCon", show_default=True)
@click.option("--switch-name", default="fs-lab", show_default=True, help="FreeSWITCH-Switchname.")
@click.option("--play", "names", multiple=True, metavar="NAME", help="Recording to play; more names may follow.")
@click.argument("more_names", nargs=-1, metavar="[NAME]...")
@click.option("--recordings", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder of recordings.  [default: those shipped with Tollbook]")  # fmt: skip
@click.option("--speed", default=1.0, show_default=True, help="Factor on the recorded pace; 0: no waiting.")
@click.option("--rate", type=float, help="Calls to begin per second.")
@click.option("--count", type=int, help="Calls to play.  [default: each recording once]")
@click.option("--loop", is_flag=True, help="Play again and again.")
@click.option("--verbatim", is_flag=True, help="Send the recorded bytes, old ids and times included.")
@click.option("--wait-for-subscriber", is_flag=True, help="Begin when a client subscribes to CHANNEL_CREATE.")
@click.option("--subscriber-timeout", default=600.0, show_default=True, help="Seconds to wait for it.")
@click.option("--json-cdr-dir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder to write mod_json_cdr files to.")  # fmt: skip
@click.option("--heartbeat", default=HEARTBEAT_S, show_default=True, help="Seconds between heartbeats.")
@click.option("--exit-when-played", is_flag=True, help="Exit when everything is played and read.")
def main(
    host: str,
    port: int,
    password: str,
    switch_name: str,
    names: tuple[str, ...],
    more_names: tuple[str, ...],
    recordings: Path | None,
    speed: float,
    rate: float | None,
    count: int | None,
    loop: bool,
    verbatim: bool,
    wait_for_subscriber: bool,
    subscriber_timeout: float,
    json_cdr_dir: Path | None,
    heartbeat: float,
    exit_when_played: bool,
) -> None:
    """Simulate a FreeSWITCH that plays recorded calls to Event Socket clients."""
    for value, message in ((speed, "--speed must be 0 or more"), (count or 0, "--count must be 0 or more")):
        if value < 0:
            raise click.UsageError(message)
    if rate is not None and rate <= 0:
        raise click.UsageError("--rate must be above 0")
    try:
        loaded = load_all([*names, *more_names], folder=recordings)
    except DataError as error:
        raise click.UsageError(f"{error}\nShipped are: {', '.join(shipped_names())}") from error
    program = Program(
        speed=speed,
        rate=rate,
        count=count,
        loop=loop,
        verbatim=verbatim,
        subscriber_timeout_s=subscriber_timeout if wait_for_subscriber else None,
        exit_when_played=exit_when_played,
    )
    try:
        switch = SimulatedSwitch(
            password=password, switch_name=switch_name, heartbeat_s=heartbeat, json_cdr_dir=json_cdr_dir
        )
    except DataError as error:
        raise click.UsageError(str(error)) from error
    player = Player(switch, loaded, verbatim=verbatim) if loaded else None
    asyncio.run(_serve(switch, player, len(loaded), program, host, port))


async def _serve(
    switch: SimulatedSwitch, player: Player | None, recordings: int, program: Program, host: str, port: int
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bound_host, bound_port = await switch.start(host=host, port=port)
    click.echo(f"listening on {bound_host}:{bound_port}")  # click.echo flushes: the parent process waits for this line
    playing = asyncio.create_task(_play(switch, player, recordings, program)) if player else None
    try:
        if playing is not None:
            await _first(playing, stop.wait())
            if playing.done():
                click.echo(f"played {playing.result()} events")
        if playing is None or not program.exit_when_played:
            await stop.wait()
    finally:
        if playing is not None:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
        await switch.close()


async def _play(switch: SimulatedSwitch, player: Player, recordings: int, program: Program) -> int:
    if program.subscriber_timeout_s is not None:
        await switch.wait_for_subscriber(program.subscriber_timeout_s)
    count = None if program.loop else program.count if program.count is not None else recordings
    if program.rate is not None:
        played = await player.play_at_rate(calls_per_s=program.rate, count=count, speed=program.speed)
    elif program.speed == 0:
        played = await player.play_unpaced(count=count)
    else:
        played = await _repeat(player, recordings, count, program.speed)
    if program.exit_when_played:
        await switch.drain()
    return played


async def _repeat(player: Player, recordings: int, count: int | None, speed: float) -> int:
    """Play all recordings together, again and again, until at least `count` calls were played (None: for ever)."""
    calls = played = 0
    while count is None or calls < count:
        played += await player.play(speed=speed)
        calls += recordings
    return played


async def _first(playing: "asyncio.Task[int]", stopped: Awaitable[bool]) -> None:
    stopping = asyncio.ensure_future(stopped)
    await asyncio.wait((playing, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


if __name__ == "__main__":
    main()
