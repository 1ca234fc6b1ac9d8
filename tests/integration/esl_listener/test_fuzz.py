"""`make fuzz` itself; and that PostgreSQL takes what hostile bytes leave of calls."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from rating.engine import Tariffs
from tests.fuzz.mutator import Mutator, split
from tests.fuzz.seeds import seeds
from tests.fuzz.wire import INNOCENT_ROWS, listen
from tests.paths import ROOT
from tollbook.errors import ClockAhead
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import merge_all
from tollbook.store.calls.poison import Refused, write_around_poison
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions

MINUTES = 1
INPUTS = 300


def refused(database: Connection, inputs: Iterable[bytes]) -> list[Refused]:
    """Write what is heard of each input, and the innocent calls among it; return what PostgreSQL refuses.

    A leg whose clock is years ahead is refused by us, as it should be.
    """
    found: list[Refused] = []
    partitions = Partitions()
    for content in inputs:
        legs = list(merge_all(listen(content)).values())
        _, more = write_around_poison(database, legs, FoldSettings(), Tariffs().price, partitions)
        found += [refusal for refusal in more if refusal.reason != str(ClockAhead([]))]
    return found


def innocent_rows(database: Connection) -> set[tuple[object, ...]]:
    ids = [row.call_id for row, _ in INNOCENT_ROWS.values()]
    query = (
        "SELECT call_id, start_ts, end_ts, billsec, disposition, from_num, to_num FROM call_cdr WHERE call_id = ANY(%s)"
    )
    return set(database.execute(query, (ids,)).fetchall())


def expected_rows() -> set[tuple[object, ...]]:
    return {
        (row.call_id, row.start_ts, row.end_ts, row.billsec, row.disposition, row.from_num, row.to_num)
        for row, _ in INNOCENT_ROWS.values()
    }


def test_what_is_left_of_damaged_calls_can_be_stored(database: Connection) -> None:
    """Nothing of 300 damaged calls is refused, and the innocent ones are stored as they were."""
    calls = [content for name, content in seeds() if name.endswith("small")]
    mutator = Mutator([frame for content in calls for frame in split(content)], bytes)
    inputs = [mutator.mutate(calls[number % len(calls)], 50_000, number) for number in range(INPUTS)]
    assert refused(database, inputs) == []
    assert innocent_rows(database) == expected_rows()


@pytest.mark.soak
def test_a_minute_of_hostile_bytes_finds_nothing(tmp_path: Path, database: Connection) -> None:
    """Guided by what they reach in our code: only our errors, no row that is wrong, no memory that grows.

    And what was kept because it reached something new can be stored.
    """
    # By a shell that forks: the kernel counts the memory of who starts a process as that process's own, and libFuzzer
    # would stop for the memory of these tests.
    command = ["sh", "-c", '"$@"; exit $?', "sh"]
    command += [sys.executable, "-m", "tests.fuzz", f"--minutes={MINUTES}", f"--folder={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MINUTES * 60 + 120, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done" in done.stderr
    assert not [*tmp_path.glob("crash-*"), *tmp_path.glob("timeout-*"), *tmp_path.glob("oom-*")]
    kept = [path.read_bytes() for path in sorted((tmp_path / "corpus").iterdir())]
    assert refused(database, (content for content in kept if not content.startswith(b"{"))) == []
    assert innocent_rows(database) == expected_rows()
