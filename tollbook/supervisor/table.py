"""What runs, and when: the same as the units in conf/systemd, which a test compares with this."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tollbook.supervisor.schedule import Daily, Interval, Schedule

#: Where mod_json_cdr writes by conf/freeswitch/json_cdr.conf.xml.
DEFAULT_CDR_DIR: Final = Path("/var/spool/freeswitch/json_cdr")

#: How long a run of a timer may take to end at a stop, after which it is killed.
TIMER_STOP_S: Final = 30
#: Recording calls comes first.
TIMER_NICE: Final = 10


@dataclass(frozen=True, kw_only=True)
class Service:
    """A command that always runs. Seconds: to be ready, to give a sign of life, to end after SIGTERM."""

    name: str
    arguments: tuple[str, ...]
    start_s: float
    watchdog_s: float
    stop_s: float


@dataclass(frozen=True, kw_only=True)
class Timer:
    """A command that runs at its times, at most `limit_s` seconds, and only while `folder`, if it has one, is there."""

    name: str
    arguments: tuple[str, ...]
    schedule: Schedule
    limit_s: float
    folder: Path | None = None


#: In the order in which they start: the listener upgrades the schema, which the others need.
SERVICES: Final = (
    Service(name="listen", arguments=("listen", "--upgrade"), start_s=600, watchdog_s=30, stop_s=180),
    Service(name="serve", arguments=("serve",), start_s=90, watchdog_s=60, stop_s=30),
    Service(name="deliver", arguments=("deliver",), start_s=90, watchdog_s=60, stop_s=30),
)


def timers(cdr_dir: Path = DEFAULT_CDR_DIR) -> tuple[Timer, ...]:
    """Return the timers, with the folder of the CDR files."""
    return (
        Timer(
            name="recover",
            arguments=("recover", str(cdr_dir)),
            schedule=Interval(first_s=120, again_s=600),
            limit_s=6 * 3600,
            folder=cdr_dir,
        ),
        Timer(
            name="archive",
            arguments=("archive", "run"),
            schedule=Interval(first_s=30, again_s=300),
            limit_s=3600,
        ),
        Timer(
            name="compact",
            arguments=("archive", "compact", "--remove-orphans"),
            schedule=Daily(hour=3, minute=30, utc=False, spread_s=1800),
            limit_s=12 * 3600,
        ),
        Timer(
            name="prune",
            arguments=("prune",),
            schedule=Daily(hour=2, minute=0, utc=True, spread_s=3600),
            limit_s=3600,
        ),
    )
