"""The command `tollbook doctor`."""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import Console
from rich.text import Text

from maintenance.doctor.checks import check_settings, groups_for
from maintenance.doctor.commands import Shell
from maintenance.doctor.finding import Finding, Status, escaped, fail, worst
from maintenance.doctor.run import run_groups
from tollbook.config import load_settings
from tollbook.errors import SettingsError

_STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for monitoring.")
def doctor(as_json: bool) -> None:
    """Check everything that Tollbook needs, and say what to do. Safe at any time.

    Ends with 0 when all is well, 1 after a warning, 2 after a failure.
    """
    findings, hangs = _findings()
    if as_json:
        click.echo(_as_json(findings))
    else:
        _show(findings)
    code = int(worst(findings))
    if hangs:
        # pyarrow ends a request to S3 that is not answered only after a minute, and Python waits for pyarrow.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _findings() -> tuple[list[Finding], bool]:
    try:
        settings = load_settings()
    except SettingsError as error:
        _, *problems = str(error).splitlines()
        found = "; ".join(line.strip() for line in problems) or str(error)
        return [escaped(fail("settings", found, "correct them; nothing else could be checked"))], False
    shell = Shell.here(settings.data_dir)
    findings, hangs = run_groups(groups_for(settings))
    return [shell.complete(finding) for finding in (escaped(check_settings(settings)), *findings)], hangs


def _as_json(findings: Sequence[Finding]) -> str:
    fields = [{**asdict(finding), "status": finding.status.name} for finding in findings]
    return json.dumps({"status": worst(findings).name, "findings": fields}, indent=2)


def _show(findings: Sequence[Finding]) -> None:
    """Print a line for each finding, and what to do below it, with whole commands on lines of their own.

    Lines are never wrapped, so that grep finds them, and a command can be pasted.
    """
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # a terminal that lacks a letter must not stop the output
    console = Console(highlight=False)
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        line = Text.assemble(
            (f"{finding.status.name:4}", _STYLES[finding.status]), f"  {finding.check:{width}}  {finding.found}"
        )
        console.print(line, soft_wrap=True)
        if finding.remedy:
            console.print(Text(f"      -> {finding.remedy}", style="italic"), soft_wrap=True)
        for command in finding.commands:
            console.print(Text(f"         {command}"), soft_wrap=True)
    counts = Counter(finding.status for finding in findings)
    console.print(", ".join(f"{counts[status]} {status.name}" for status in Status), soft_wrap=True, markup=False)
