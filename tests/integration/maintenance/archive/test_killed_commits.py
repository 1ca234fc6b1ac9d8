"""A run that is killed at any step of a commit: the next one goes on by itself, and each call is archived once."""

import datetime as dt
import os
import signal
import subprocess
import sys
from typing import Final

import pytest

from maintenance.archive.attach import attach_archive
from maintenance.archive.guard import load_checked
from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now, archived, stored
from tests.commands import environment
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.errors import UsageError
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

STEPS: Final = ("announced", "torn head", "head", "torn metadata", "metadata", "pointer", "finished")

# A process that runs `tollbook archive run --now` and kills itself at a step of its first commit.
KILLED: Final = """
import os, signal, sys
from pyiceberg.catalog.sql import SqlCatalog
from maintenance.archive import announced, head
from maintenance.archive_cli import archive

step = sys.argv[1]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def at_end_of(holder, name, here):
    function = getattr(holder, name)
    def then_die(*arguments, **named):
        result = function(*arguments, **named)
        if here:
            die()
        return result
    setattr(holder, name, then_die)

at_end_of(announced, "announce", step == "announced")
at_end_of(announced, "write_head", step == "head")
at_end_of(announced, "finish", step == "finished")
if step == "torn head":
    def torn_head(io, location, head_of_commit):
        with io.new_output(f"{location}/metadata/tollbook-head.json").create(overwrite=True) as stream:
            stream.write(b'{"id": "')
        die()
    announced.write_head = torn_head
if step == "pointer":
    announced.finish = lambda *_: die()
if step in ("torn metadata", "metadata"):
    write = SqlCatalog._write_metadata
    def write_and_die(metadata, io, metadata_path, **named):
        write(metadata, io, metadata_path, **named)
        if step == "torn metadata":
            with io.new_input(metadata_path).open() as stream:
                content = stream.read()
            with io.new_output(metadata_path).create(overwrite=True) as stream:
                stream.write(content[:len(content) // 2])
        die()
    SqlCatalog._write_metadata = staticmethod(write_and_die)
archive(["run", "--now"])
"""


def run_killed(settings: Settings, step: str) -> None:
    url = settings.require_database_url()
    warehouse = {name: value for name, value in os.environ.items() if name.startswith("PYICEBERG_")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, step],
        env=environment(database_url=url, data_dir=str(settings.data_dir)) | warehouse,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def assert_goes_on(settings: Settings, database: Connection) -> None:
    """Run and compact, and see that nothing is missing, doubled, or left for the operator."""
    store(database, call("after", start_ts=START_MS - 100 * MS_PER_DAY))
    archive_now(settings)
    assert archived(settings) == stored(database)
    compact_archive(settings, remove_orphans=True, now=dt.datetime.now(dt.UTC) + dt.timedelta(days=4))
    assert archived(settings) == stored(database)
    with open_catalog(settings) as catalog:
        assert load_checked(database, catalog) is not None
    with pytest.raises(UsageError, match="nothing to attach"):
        attach_archive(settings)


@pytest.mark.parametrize("step", STEPS)
def test_an_append_that_is_killed(settings: Settings, database: Connection, step: str) -> None:
    store(database, call("before", start_ts=START_MS - 100 * MS_PER_DAY))
    archive_now(settings)
    store(database, call("during", start_ts=START_MS - 100 * MS_PER_DAY))
    run_killed(settings, step)
    assert_goes_on(settings, database)


@pytest.mark.parametrize(
    "step",
    [pytest.param(step, marks=() if step in ("torn metadata", "pointer") else pytest.mark.soak) for step in STEPS],
)
def test_the_creation_of_the_table_is_killed(local_settings: Settings, database: Connection, step: str) -> None:
    store(database, call("during", start_ts=START_MS - 100 * MS_PER_DAY))
    run_killed(local_settings, step)
    assert_goes_on(local_settings, database)


def test_two_kills_in_a_row_leave_two_orphans_of_the_same_number(
    settings_on_both: Settings, database: Connection
) -> None:
    """Neither is taken for another database's state, also when the table is looked for from its files alone."""
    store(database, call("before", start_ts=START_MS - 100 * MS_PER_DAY))
    archive_now(settings_on_both)
    store(database, call("during", start_ts=START_MS - 100 * MS_PER_DAY))
    run_killed(settings_on_both, "metadata")
    run_killed(settings_on_both, "metadata")
    database.execute("DROP TABLE iceberg_tables, iceberg_namespace_properties")
    assert str(attach_archive(settings_on_both)).startswith("attached: 2 calls")
    assert_goes_on(settings_on_both, database)
