"""The commands that `tollbook doctor` prints can be run: a shell reads them, and those of Tollbook exist."""

import subprocess

import pytest

from maintenance.doctor.finding import Finding
from tests.integration.test_docs import unknown
from tests.unit.maintenance.doctor import test_archive_rules, test_files_rules, test_rules, test_timer_rules

CASES = [*test_archive_rules.CASES, *test_files_rules.CASES, *test_rules.CASES, *test_timer_rules.CASES]
COMMANDS = sorted({command for finding, *_ in CASES for command in finding.commands})


def test_there_are_commands() -> None:
    """Of all findings that are not OK, most have one."""
    findings: list[Finding] = [finding for finding, *_ in CASES if finding.status]
    assert len([finding for finding in findings if finding.commands]) > len(findings) * 0.8


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_a_shell_takes(command: str) -> None:
    """Its quotes are closed, and after `tollbook` come a command and its options."""
    subprocess.run(["bash", "-n", "-c", command], check=True, timeout=10)
    program, *words = command.split()
    assert program != "tollbook" or unknown(words) is None
