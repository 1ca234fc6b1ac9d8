"""Runs the demo: real processes on an embedded database, with a simulated switch or your own."""

import os
import signal
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from tollbook.demo.check_export import Export
from tollbook.demo.processes import Processes
from tollbook.demo.show import call_line, welcome
from tollbook.demo.verdict import Difference, differences, from_csv, record_of
from tollbook.embedded import embedded_postgres
from tollbook.env_file import ENV_FILE
from tollbook.errors import TollbookError
from tollbook.scratch import scratch_folder
from tollbook.simulator.freshen import FreshCall
from tollbook.simulator.recording import load_all, shipped_names
from tollbook.simulator.thread import SwitchThread

_ACCOUNTS = ("acct_alpha", "acct_beta")
_CALLS_PER_S = 0.5
_ONCE_SPEED = 4.0
_ONCE_TIMEOUT_S = 60.0
_POLL_S = 0.5
# The agent of the recorded queue, as its switch names him, and a colleague who drinks coffee.
_AGENT, _COLLEAGUE = "1000@default", "1002@default"
_CDR_FOLDER = "cdr"
_ARCHIVE_EVERY_S = 20.0
# A call leaves 16 kB of them, and nobody but `tollbook recover` reads them.
_CDR_KEPT_S = 1800.0
_SHOWN_WINDOW_MS = 3_600_000
# That of the documentation; 0 is any free one.
_PORTS = (8080, 0, 0)


@dataclass(frozen=True, kw_only=True)
class _Demo:
    console: Console
    processes: Processes
    export: Export
    key: str
    settings: dict[str, str]
    since_ms: int


def once() -> None:
    """Play each shipped recording once, and check rows, export and archive. Raises TollbookError if a row is wrong."""
    with _folder() as folder, _simulated(folder) as switch, _started(folder, switch.url) as demo:
        wanted: dict[str, list[dict[str, Any]]] = {}

        def note(call: FreshCall) -> None:
            name = call.template.recording.name
            wanted[name] = [record_of(name, row) for row in call.rows]

        switch.wait_for_subscriber()
        with demo.console.status("playing recorded calls…"):
            switch.start_playing(load_all(shipped_names()), speed=_ONCE_SPEED, on_begin=note).result(_ONCE_TIMEOUT_S)
            found = _wait_until_complete(demo, lambda: sum(map(len, wanted.values())))
        for row in reversed(found):
            demo.console.print(call_line(row), soft_wrap=True)
        wrong = differences(wanted, found, "the API")
        wrong += differences(wanted, from_csv(demo.export.csv(demo.since_ms), wanted), "the CSV")
        with demo.console.status("archiving…"):
            demo.processes.run("archive", "run", "--now")
            archived = demo.processes.run("archive", "query", "--all", "--csv")
        wrong += differences(wanted, from_csv(archived, wanted), "the archive")
        _verdict(demo.console, sum(map(len, wanted.values())), wrong)


def forever(esl: str | None) -> None:
    """Show calls as they end, until Ctrl-C: of a simulated switch, or of the one at `esl`."""
    if esl is not None:
        with _folder() as folder, _started(folder, esl, own_settings=True) as demo:
            _greet(demo, esl.rpartition("@")[2])
            _show(demo)
        return
    with _folder() as folder, _simulated(folder) as switch, _started(folder, switch.url) as demo:
        switch.wait_for_subscriber()
        _greet(
            demo, f"simulated, {switch.address[0]}:{switch.address[1]}, playing {len(shipped_names())} recorded calls"
        )
        switch.start_playing_at_rate(load_all(shipped_names()), calls_per_s=_CALLS_PER_S)
        _show(demo)


@contextmanager
def _folder() -> Generator[Path]:
    """Yield the folder of all that the demo writes, which is removed at the end, also after an error or a signal."""
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT: a script's shell ignores it for what it starts with &
        signal.signal(number, _as_ctrl_c)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it: then it outlives its terminal
        signal.signal(signal.SIGHUP, _as_ctrl_c)
    with scratch_folder("tollbook-demo-") as folder:
        yield folder


@contextmanager
def _simulated(folder: Path) -> Generator[SwitchThread]:
    """Run a simulated switch with two agents, which writes its CDR files into the demo's folder."""
    cdr_dir = folder / _CDR_FOLDER
    cdr_dir.mkdir()
    with SwitchThread(json_cdr_dir=cdr_dir) as switch:
        switch.set_agent(_AGENT, status="Available", state="Waiting")
        switch.set_agent(_COLLEAGUE, status="On Break", state="Waiting")
        yield switch


def _greet(demo: _Demo, switch: str) -> None:
    if not demo.export.url.endswith(f":{_PORTS[0]}"):
        demo.console.print(f"port {_PORTS[0]} of 127.0.0.1 is taken: the API is at {demo.export.url}", soft_wrap=True)
    welcome(
        demo.console,
        switch=switch,
        url=demo.export.url,
        key=demo.key,
        operator_key=demo.export.key,
        settings=demo.settings,
    )


@contextmanager
def _started(folder: Path, esl: str, *, own_settings: bool = False) -> Generator[_Demo]:
    """Start database, listener and API, whose files are in `folder`; stop them at the end.

    `own_settings`: it is a switch of your own, with settings of your own. If not, the simulated one.
    """
    console = Console(highlight=False)
    data = folder / "data"
    with console.status("starting PostgreSQL…") as status, embedded_postgres(data) as database:
        settings = {
            # The settings of this machine's services would lead to their database and their CDR files.
            ENV_FILE: os.environ.get(ENV_FILE, "") if own_settings else "",
            "TOLLBOOK_DATABASE_URL": database,
            "TOLLBOOK_DATA_DIR": str(data),
            "TOLLBOOK_ESL": esl,
        }
        if not own_settings:
            settings["TOLLBOOK_CDR_DIR"] = str(folder / _CDR_FOLDER)
        processes = Processes(folder, settings, keep=own_settings)
        try:
            status.update("creating the schema, rates and accounts…")
            processes.run("db", "upgrade")
            processes.run("rates", "import", str(Path(__file__).with_name("rates.csv")), "--plan", "demo")
            for account in _ACCOUNTS:
                processes.run("account", "add", account, "--plan", "demo")
            processes.run("account", "agent", "add", _ACCOUNTS[0], _AGENT, _COLLEAGUE)
            key = processes.run("key", "create", "--account", _ACCOUNTS[0], "--scope", "*")
            operator_key = processes.run("key", "create", "--operator")
            since_ms = time.time_ns() // 1_000_000 - 60_000
            status.update("starting the API and the listener…")
            export = _start_api(processes, operator_key)
            processes.start("listen", ready=lambda: "listening" in (folder / "listen.log").read_text())
            status.stop()
            shown = {name: settings[name] for name in (ENV_FILE, "TOLLBOOK_DATA_DIR")}
            shown["TOLLBOOK_API_BIND"] = export.url.removeprefix("http://")  # `doctor` asks it
            if not own_settings:  # the URL of a real switch has its password
                shown |= {name: settings[name] for name in ("TOLLBOOK_ESL", "TOLLBOOK_CDR_DIR")}
            yield _Demo(console=console, processes=processes, export=export, key=key, settings=shown, since_ms=since_ms)
        finally:
            processes.stop()


def _as_ctrl_c(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


def _start_api(processes: Processes, key: str) -> Export:
    """Start the API on the port that the documentation names, or on any free one when that is in use.

    Between the look for a port and the API's own bind somebody else may take it: then another port is tried.
    """
    for wanted in _PORTS:
        bind = f"127.0.0.1:{_free_port(wanted)}"
        export = Export(url=f"http://{bind}", key=key)
        try:
            processes.start("serve", ready=export.ready, settings={"TOLLBOOK_API_BIND": bind})
        except TollbookError as error:
            if f"TOLLBOOK_API_BIND={bind}" not in str(error):
                raise
        else:
            return export
    raise TollbookError(f"each of {len(_PORTS)} ports of 127.0.0.1 was taken before the API could bind it: try again")


def _free_port(wanted: int) -> int:
    """Return the wanted port, or any free one when that is in use."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise TollbookError("no free port on 127.0.0.1")


def _wait_until_complete(demo: _Demo, rows: Any) -> list[dict[str, Any]]:
    deadline = time.monotonic() + _ONCE_TIMEOUT_S
    while time.monotonic() < deadline:
        demo.processes.check()
        found = demo.export.rows(demo.since_ms)
        if len(found) >= rows() and all(row["end_ts"] is not None for row in found):
            return found
        time.sleep(_POLL_S)
    return demo.export.rows(demo.since_ms)


def _show(demo: _Demo) -> None:
    shown: set[tuple[str, int]] = set()
    archived_s = time.monotonic()
    while True:
        for command in demo.processes.start_killed():
            demo.console.print(f"`tollbook {command}` was killed, and is started again, as systemd does", style="dim")
        since_ms = max(demo.since_ms, time.time_ns() // 1_000_000 - _SHOWN_WINDOW_MS)
        try:
            rows = demo.export.rows(since_ms)
        except OSError:  # the API was killed while it answered
            continue
        finished = {(row["call_id"], row["start_ts"]): row for row in rows if row["end_ts"] is not None}
        for key in sorted(finished.keys() - shown, key=lambda key: finished[key]["end_ts"]):
            demo.console.print(call_line(finished[key]), soft_wrap=True)
        shown = set(finished)
        if time.monotonic() - archived_s > _ARCHIVE_EVERY_S:
            archived_s = time.monotonic()
            _drop_old(demo.settings.get("TOLLBOOK_CDR_DIR"))
            printed = demo.processes.run("archive", "run", "--now")
            if not printed.startswith("archived: 0 rows"):
                demo.console.print(printed, style="dim", soft_wrap=True)
        time.sleep(_POLL_S)


def _drop_old(cdr_dir: str | None) -> None:
    """Remove old CDR files of the simulated switch; those of a switch of your own are not named in the settings."""
    for file in Path(cdr_dir).glob("*.json") if cdr_dir else ():
        with suppress(FileNotFoundError):  # `tollbook recover` has moved it
            if time.time() - file.stat().st_mtime > _CDR_KEPT_S:
                file.unlink()


def _verdict(console: Console, rows: int, wrong: list[Difference]) -> None:
    if wrong:
        raise TollbookError("the rows are not what they must be:\n  " + "\n  ".join(map(str, wrong)))
    console.print(f"\n{rows} calls played: every row right in the API, in CSV and in the archive.", style="bold green")
