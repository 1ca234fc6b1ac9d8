"""The command `tollbook statement`."""

import sys
from pathlib import Path
from typing import Literal, TypeAlias

import click

from maintenance.progress import progress_bar
from tollbook.config import Settings, load_settings
from tollbook.errors import SettingsError, UsageError
from tollbook.log import setup
from tollbook.statements.forms import MEDIA_TYPES, Form, encode
from tollbook.statements.period import is_month
from tollbook.statements.statement import Issued

_Format: TypeAlias = Literal["table"] | Form


@click.command()
@click.option("--account", "account_id", help="Whose statement.")
@click.option("--all", "every", is_flag=True, help="Issue for every account, with --month and --issue.")
@click.option("--unbilled", is_flag=True, help="List the calls of --month that nobody is billed for, and why.")
@click.option("--month", help="Of which month, such as 2026-11. Without it: list what is issued.")
@click.option("--issue", is_flag=True, help="Freeze it under the next number. What is issued stays as it is.")
@click.option("--format", "file_format", type=click.Choice(["table", *MEDIA_TYPES]), default="table", show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path), help="A file, or with --all a folder, made if it is missing."
)
def statement(
    account_id: str | None,
    every: bool,
    unbilled: bool,
    month: str | None,
    issue: bool,
    file_format: _Format,
    output: Path | None,
) -> None:
    """Show what the calls of a month add up to, out of PostgreSQL and the archive; --issue freezes it.

    A statement that is not issued is a draft. Of an issued month, whatever changes later is a credit or a debit on the
    next statement. See docs/statements.md.
    """
    if (account_id is not None) + every + unbilled != 1:
        raise UsageError("name an account with --account, or issue for all with --all, or list what is --unbilled")
    if month is not None and not is_month(month):
        raise UsageError(f"--month {month} is no month: write it as 2026-11")
    if unbilled and (month is None or issue or file_format != "table" or output is not None):
        raise UsageError("--unbilled lists calls of a month: give --month, and no --issue, --format or --output")
    if every and (month is None or not issue):
        raise UsageError("--all issues a month for every account: give --month and --issue, too")
    if file_format == "pdf" and output is None:
        raise UsageError("a PDF goes into a file: name it with --output")
    if file_format == "table" and output is not None:
        raise UsageError("--output writes a file: choose its form with --format json, csv or pdf")
    # As whoever we are: it writes files where it is told to, and none below the data directory.
    settings = load_settings()
    setup(settings.log_level)
    if unbilled:
        assert month is not None
        _list_unbilled(settings, month)
    elif every:
        assert month is not None
        _issue_all(settings, month, file_format, output)
    elif account_id is not None:
        _show(settings, account_id, month, issue=issue, file_format=file_format, output=output)


def _show(
    settings: Settings,
    account_id: str,
    month: str | None,
    *,
    issue: bool,
    file_format: _Format,
    output: Path | None,
) -> None:
    # Here, because pyarrow and pyiceberg take a second to load.
    from tollbook.statements.issue import issuing

    with issuing(settings) as issuer:
        if month is None:
            if issue:
                raise UsageError("say which month to issue: --month 2026-11")
            listed = issuer.list_issued(account_id)
            if not listed:
                click.echo(f"no statement of {account_id} is issued yet: --month 2026-11 shows a draft", err=True)
            for found in listed:
                due = ", ".join(f"{total.total} {total.currency}" for total in found.statement.totals) or "0"
                click.echo(f"{found.statement.month}\t{found.statement.number}\t{due}\t{found.sha256}")
            return
        found = issuer.issue(account_id, month) if issue else issuer.show(account_id, month)
        left = issuer.unbilled(month) if issue else ""
    _put(found, file_format, output)
    if left:
        click.echo(left, err=True)


def _list_unbilled(settings: Settings, month: str) -> None:
    from maintenance.statement.show import unbilled_lines
    from tollbook.statements.unbilled import find_month

    for line in unbilled_lines(month, find_month(settings, month)):
        click.echo(line)


def _issue_all(settings: Settings, month: str, file_format: _Format, folder: Path | None) -> None:
    from maintenance.statement.run import issue_all
    from tollbook.archive.file_io import make_private_folder

    if file_format != "table" and folder is None:
        raise UsageError("name a folder for the files: --output FOLDER")
    if folder is not None:
        try:
            make_private_folder(folder)
        except OSError as error:
            raise UsageError(f"{folder} cannot be made: {error.strerror}") from error
        if not folder.is_dir():
            raise UsageError(f"{folder} is a file, and no folder")

    def keep(found: Issued) -> None:
        if folder is not None:
            _put(found, file_format, folder / f"{found.statement.number}.{file_format}")

    with progress_bar("issuing statements", min_total=2) as progress:
        report = issue_all(settings, month, keep, progress=progress)
    click.echo(str(report))
    if report.failed:
        sys.exit(max(error.exit_code for _, error in report.failed))


def _put(found: Issued, file_format: _Format, output: Path | None) -> None:
    """Print a statement, or write it to a file."""
    from maintenance.statement.show import print_statement
    from tollbook.archive.file_io import write_private

    if file_format == "table":
        print_statement(found)
        return
    content = encode(found, file_format)
    if output is None:
        click.echo(content, nl=False)
        return
    try:
        write_private(output, content)
    except OSError as error:
        raise SettingsError(f"{output} cannot be written: {error.strerror}") from error
