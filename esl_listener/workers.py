"""`tollbook listen --workers N`: the switches shared out among N listeners, each a process with a spool of its own.

`tollbook listen` becomes `python -m esl_listener.workers`, the same process with a new program: gevent has changed the
standard library in the first one, and nothing here may be gevent's, or children and signals would be handled twice.
"""

import logging
import sys
from collections.abc import Sequence
from typing import Final, NoReturn, TypeVar

import click
from prometheus_client import CollectorRegistry

from esl_listener.workers_page import WorkersPage
from tollbook.command import begin_command
from tollbook.config import Settings
from tollbook.errors import TollbookError
from tollbook.log import log_line
from tollbook.metrics import serve_metrics
from tollbook.supervisor.group import Group
from tollbook.supervisor.notices import Notices
from tollbook.supervisor.table import SERVICES, Service

_log = logging.getLogger("tollbook.listen")

_T = TypeVar("_T")

#: The listener's own times, which a worker has, too.
_LISTEN: Final = next(service for service in SERVICES if service.name == "listen")


def share_out(switches: Sequence[_T], workers: int) -> list[Sequence[_T]]:
    """Return the switches of each worker: dealt like cards, and no more workers than there are switches.

    A switch need not stay with its worker: whichever hears it writes the same rows.
    """
    count = min(workers, len(switches))
    return [switches[first::count] for first in range(count)]


def run_workers(settings: Settings, workers: int) -> int:
    """Run so many workers until SIGTERM or SIGINT; return the exit code, that of a worker that failed.

    Raises SettingsError when no switch is named, or when nobody can listen where the metrics are to be.
    """
    shares = share_out(settings.require_esl(), workers)
    names = [f"worker-{number}" for number in range(1, len(shares) + 1)]
    services = [
        Service(
            name=name,
            arguments=("listen", f"--workers={workers}", f"--worker={number}"),
            start_s=_LISTEN.start_s,
            watchdog_s=_LISTEN.watchdog_s,
            stop_s=_LISTEN.stop_s,
        )
        for number, name in enumerate(names, 1)
    ]

    def is_ready(name: str) -> bool:
        return group.services[name].ready

    page = WorkersPage(
        {name: [str(address) for address in share] for name, share in zip(names, shares, strict=True)},
        is_ready,
        settings.data_dir,
    )
    registry = CollectorRegistry()
    with Notices() as notices:
        group = Group(
            notices,
            services,
            in_turn=False,
            status=f"{len(shares)} workers listen to {len(settings.esl)} switches",
            heard=page.hear,
            hang_up=_refuse_to_reload,
        )
        registry.register(page)
        serve_metrics(registry, settings.metrics_bind, "TOLLBOOK_METRICS_BIND")
        return group.run()


def _refuse_to_reload() -> None:
    log_line(_log, logging.WARNING, "SIGHUP ignored: settings are read at a start, so restart")


def main() -> NoReturn:
    """Run as many workers as the argument says; an error of ours is one line and its exit code, as of any command."""
    try:
        code = run_workers(begin_command(), int(sys.argv[1]))
    except TollbookError as error:
        click.echo(f"tollbook: {error}", err=True)
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main()
