"""The commands of the archive give back the memory that they free."""

import os
import subprocess
import sys

import pytest

_LOADED = """
import sys
import click
from tollbook.cli import tollbook
assert tollbook.get_command(click.Context(tollbook), sys.argv[1]) is not None
import pyarrow.dataset
print(pyarrow.default_memory_pool().backend_name, *{"numpy", "pandas"} & sys.modules.keys())
"""


@pytest.mark.parametrize("command", ["archive", "serve"])
def test_arrow_keeps_nothing_in_the_commands_of_the_archive(command: str) -> None:
    """Its allocator is chosen before it is imported, without what it imports where it can; the API's is left to it."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, command], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout.strip() == "system") is (command == "archive")


_WITH_AN_ENGINE = """
import importlib.util
import sys
import click
from tollbook.cli import tollbook
assert tollbook.get_command(click.Context(tollbook), sys.argv[1]) is not None
from tollbook.config import load_settings
assert load_settings().engine is not None
for name in ("numpy", "pandas"):
    try:
        __import__(name)
        found = True
    except ModuleNotFoundError:
        found = False
    assert found is (importlib.util.find_spec(name) is not None)
    print(found)
"""


@pytest.mark.parametrize(("command", "found"), [("archive", "False"), ("statement", "False"), ("serve", "True")])
def test_what_the_api_adds_up_with_stops_no_other_command(command: str, found: str) -> None:
    """The client of Spark Connect needs pandas, which a command that asks no engine leaves out as if it were not there.

    The setting is one for all commands.
    """
    environment = {**os.environ, "TOLLBOOK_ENV_FILE": "", "TOLLBOOK_ENGINE": "sc://127.0.0.1:15002"}
    done = subprocess.run(
        [sys.executable, "-c", _WITH_AN_ENGINE, command], capture_output=True, text=True, timeout=60, env=environment
    )
    assert (done.stdout.split(), done.returncode) == ([found] * 2, 0), done.stderr
