"""The commands of the archive give back the memory that they free."""

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
