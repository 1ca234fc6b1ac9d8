"""`tollbook run` runs what the units run, at their times."""

import re
from pathlib import Path

import pytest

from tests.integration.conf.test_conf import UNITS, seconds, section
from tollbook.supervisor.schedule import Daily, Interval, Schedule
from tollbook.supervisor.table import SERVICES, TIMER_NICE, TIMER_STOP_S, timers

FOLDER = UNITS[0].parent
UNIT_OF = {"listen": "tollbook-listen", "serve": "tollbook-api", "deliver": "tollbook-deliver"}
TIMERS = {f"tollbook-{timer.name}": timer for timer in timers()}


def unit(name: str) -> dict[str, str]:
    path = FOLDER / name
    return section(path, "Service" if path.suffix == ".service" else "Timer")


def arguments(service: dict[str, str]) -> tuple[str, ...]:
    """The words after the program."""
    program, *words = service["ExecStart"].split()
    assert Path(program).name == "tollbook"
    return tuple(words)


def schedule(timer: dict[str, str]) -> Schedule:
    """What a .timer says; anything that the table does not know fails."""
    if "OnUnitInactiveSec" in timer:
        assert set(timer) <= {"OnActiveSec", "OnUnitInactiveSec", "AccuracySec"}
        return Interval(first_s=seconds(timer["OnActiveSec"]), again_s=seconds(timer["OnUnitInactiveSec"]))
    assert set(timer) == {"OnCalendar", "RandomizedDelaySec", "Persistent"}
    assert timer["Persistent"] == "true"
    found = re.fullmatch(r"\*-\*-\* (\d\d):(\d\d)(?::00)?( UTC)?", timer["OnCalendar"])
    assert found, timer["OnCalendar"]
    spread_s = seconds(timer["RandomizedDelaySec"])
    return Daily(hour=int(found[1]), minute=int(found[2]), utc=found[3] is not None, spread_s=spread_s)


def test_no_unit_is_left_out() -> None:
    """Each unit of conf/systemd is in the table, and nothing else."""
    of_table = {f"{name}.service" for name in (*UNIT_OF.values(), *TIMERS)} | {f"{name}.timer" for name in TIMERS}
    assert of_table == {path.name for path in UNITS}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_is_its_unit(service: object) -> None:
    """Its command, and how long it may be silent or take to end."""
    found = next(known for known in SERVICES if known == service)
    stated = unit(f"{UNIT_OF[found.name]}.service")
    assert arguments(stated) == found.arguments
    assert seconds(stated["WatchdogSec"]) == found.watchdog_s
    assert seconds(stated["TimeoutStopSec"]) == found.stop_s
    assert seconds(stated.get("TimeoutStartSec", "90s")) == found.start_s  # systemd's own default


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_is_its_unit(name: str) -> None:
    """Its command, its times, and how long a run may take."""
    timer, service = TIMERS[name], unit(f"{name}.service")
    assert arguments(service) == timer.arguments
    assert schedule(unit(f"{name}.timer")) == timer.schedule
    assert seconds(service["TimeoutStartSec"]) == timer.limit_s
    assert (seconds(service["TimeoutStopSec"]), int(service["Nice"])) == (TIMER_STOP_S, TIMER_NICE)
    condition = section(FOLDER / f"{name}.service", "Unit").get("ConditionPathIsDirectory")
    assert condition == (None if timer.folder is None else str(timer.folder))
