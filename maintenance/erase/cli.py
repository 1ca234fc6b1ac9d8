"""The command `tollbook account erase`."""

import time
from pathlib import Path

import click

from maintenance.confirm import confirm
from maintenance.progress import progress_bar
from tollbook.command import begin_command
from tollbook.errors import UsageError
from tollbook.model.numbers import without_separators
from tollbook.user import user_at_host


@click.command()
@click.argument("account_id", required=False)
@click.option("--number", help="Only the calls of this number: as +4930123456, or as the account dials it.")
@click.option("--reason", help="Why, for the receipt: a ticket, a request. Not the number.")
@click.option("--keep-numbers", is_flag=True, help="Leave the account the numbers that it owns: it remains a customer.")
@click.option(
    "--cdr-dir",
    "cdr_dirs",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder of mod_json_cdr besides TOLLBOOK_CDR_DIR; may be given more than once.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    account_id: str | None,
    number: str | None,
    reason: str | None,
    keep_numbers: bool,
    cdr_dirs: tuple[Path, ...],
    yes: bool,
) -> None:
    """Erase all calls of ACCOUNT_ID that have ended, or those of a number, from everywhere, and write a receipt.

    Nothing brings them back but a backup. Refused for an account under a hold. When it was cut short, the same command
    goes on.
    """
    # Here, because pyarrow and pyiceberg take a second to load, for which `account add` need not wait.
    from maintenance.erase.preview import EraseRequest, preview
    from maintenance.erase.run import erase_calls

    if account_id is None and number is None:
        raise UsageError("say what to erase: ACCOUNT_ID, or --number, or both")
    if reason and number and without_separators(number).lstrip("+") in without_separators(reason):
        raise UsageError("the reason stays on the receipt, and must not hold the number")
    settings = begin_command()
    request = EraseRequest(
        account_id=account_id,
        number=number,
        until_ts=time.time_ns() // 1_000_000,
        by_whom=user_at_host(),
        reason=reason or "",
        cdr_dirs=cdr_dirs,
        keep_numbers=keep_numbers,
    )
    click.echo(str(preview(settings, request)))
    if not yes:
        confirm(account_id or number or "")
    click.echo(str(erase_calls(settings, request, steps=progress_bar)))
