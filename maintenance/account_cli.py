"""The command `tollbook account`: `rating`'s own, and what concerns all calls of an account, in both tiers."""

import click

from maintenance.agents.cli import agent
from maintenance.erase.cli import erase
from maintenance.export.cli import export
from rating.cli.accounts import account
from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.model.party import MAX_NAME, MAX_TAX_ID, checked_text, parse_address
from tollbook.model.taxes import parse_taxes, written_taxes
from tollbook.setting_values import check_zone
from tollbook.store import holds
from tollbook.store.database import check_schema, connect
from tollbook.store.erasure import receipts
from tollbook.store.statements.billing import AS_SETTINGS, BillingChange, change, read
from tollbook.times import written
from tollbook.user import user_at_host

__all__ = ["account"]

_DEFAULT = "default"  # what is typed for what the settings say
_NONE = "none"

account.add_command(agent)
account.add_command(export)
account.add_command(erase)


@account.command()
@click.argument("account_id", required=False)
@click.option("--reason", help="Why its calls must be kept, for who asks later; also of an account that is held.")
@click.option("--release", is_flag=True, help="Lift the hold.")
def hold(account_id: str | None, reason: str | None, release: bool) -> None:
    """Keep all calls of ACCOUNT_ID: neither `account erase` nor the archive's retention removes one under a hold.

    Without ACCOUNT_ID: list the holds.
    """
    if account_id is None and (release or reason is not None):
        raise UsageError("name the account: tollbook account hold ACCOUNT_ID")
    if release and reason is not None:
        raise UsageError("--reason is for a new hold, not for --release")
    by_whom = user_at_host()
    with connect(load_settings().require_database_url(), name="account") as connection:
        check_schema(connection)
        if account_id is None:
            for row in holds.holds(connection):
                click.echo(f"{row.account_id}\tsince {written(row.since_ts)}\t{row.by_whom}\t{row.reason}")
        elif release:
            holds.release(connection, account_id, by_whom=by_whom)
            click.echo(f"account {account_id} is no longer held: it may be erased, and the archive's retention applies")
        elif reason is not None and holds.change_reason(connection, account_id, reason):
            click.echo(f"account {account_id} stays held, for this reason: {reason}")
        else:
            holds.place(connection, account_id, by_whom=by_whom, reason=reason or "")
            click.echo(f"account {account_id} is held: its calls are neither erased nor dropped from the archive")


@account.command("erasures")
def list_erasures() -> None:
    """List the receipts of erasures: when, of whom, how many calls, by whom, why, and their id."""
    with connect(load_settings().require_database_url(), name="account") as connection:
        check_schema(connection)
        for row in receipts.receipts(connection):
            whose = f"account {row.account_id}" if row.account_id is not None else "every account"
            done = "NOT FINISHED: run it again" if row.finished_ts is None else f"{row.calls} calls"
            columns = [written(row.begun_ts), whose + ", a number" * row.of_number, done, row.by_whom, row.reason]
            click.echo("\t".join([*columns, str(row.erasure_id)]))


@account.command()
@click.argument("account_id")
@click.option("--name", help="The name on its statements. Default: the account's.")
@click.option("--address", help="The lines of its address, separated by `;`.")
@click.option("--tax-id", help="Its tax id.")
@click.option("--taxes", help="NAME=PERCENT, several separated by commas; none: no tax; default: TOLLBOOK_TAXES again.")
@click.option("--zone", help="The time zone of its months; default: TOLLBOOK_STATEMENT_ZONE again.")
def billing(
    account_id: str, name: str | None, address: str | None, tax_id: str | None, taxes: str | None, zone: str | None
) -> None:
    """Set what the statements of ACCOUNT_ID say of it, from the next one on, and show it."""
    try:
        new = BillingChange(
            name=None if name is None else checked_text(name, MAX_NAME),
            address=None if address is None else list(parse_address(address)),
            tax_id=None if tax_id is None else checked_text(tax_id, MAX_TAX_ID),
            taxes=_taxes(taxes),
            zone=AS_SETTINGS if zone == _DEFAULT else None if zone is None else check_zone(zone),
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    with connect(load_settings().require_database_url(), name="account", autocommit=True) as connection:
        check_schema(connection)
        if new != BillingChange():
            change(connection, account_id, new)
        found = read(connection, account_id)
    if found is None:
        raise UsageError(f"there is no account {account_id!r}: `tollbook account list` lists them")
    shown_taxes = _DEFAULT if found.taxes is None else found.taxes or _NONE
    click.echo("\t".join((found.name, "; ".join(found.address), found.tax_id, shown_taxes, found.zone or _DEFAULT)))


def _taxes(text: str | None) -> str | None:
    """Return taxes as `billing.change` takes them."""
    if text is None:
        return None
    return AS_SETTINGS if text == _DEFAULT else "" if text == _NONE else written_taxes(parse_taxes(text))
