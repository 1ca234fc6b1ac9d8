"""The command `tollbook archive verify`."""

import os
import re
import sys

import click

from maintenance.progress import progress_bar
from maintenance.recorded import recorded
from maintenance.verify.heal import heal_archive
from maintenance.verify.run import VerifyRequest, verify_archive
from tollbook.command import begin_command
from tollbook.errors import TollbookError, UsageError


@click.command()
@click.option("--account", help="Only this account's calls.")
@click.option("--month", metavar="MONTH", help="Only this month's calls, such as 2026-09.")
@click.option("--heal", is_flag=True, help="Archive the calls of damaged files again, where PostgreSQL still has them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for monitoring.")
def verify(account: str | None, month: str | None, heal: bool, as_json: bool) -> None:
    """Read the whole archive, and say what is damaged or missing, and what brings it back. Changes nothing.

    Ends with 74 for damage, and with 78 for a database that was restored, which may lead to an older state than the
    newest. With --heal, damaged files whose calls PostgreSQL still has are replaced; others are left.
    """
    if month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise UsageError(f"{month!r} is not a month like 2026-09")
    settings = begin_command()
    with recorded(settings, "verify", record=account is None and month is None) as work:
        with progress_bar("verifying", min_total=2) as progress:
            report = verify_archive(settings, VerifyRequest.of(account, month), progress=progress)
        work.items = report.counted
        if heal:
            try:
                report = heal_archive(settings, report)
            except TollbookError:
                click.echo(str(report))  # what was found; the error says why it was not healed
                raise
        click.echo(report.to_json() if as_json else str(report))
        if report.restored:
            sys.exit(os.EX_CONFIG)
        if not report.sound:
            sys.exit(os.EX_IOERR)
