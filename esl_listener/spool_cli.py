"""The command `tollbook spool`. It needs no gevent, and works beside a listener."""

import click

from esl_listener.dead_letter import SET_ASIDE, Kept, kept
from esl_listener.spool import contents, segments, spool_folders
from rating.loader import load_pricing
from tollbook.config import Settings, load_settings
from tollbook.errors import DataError, TollbookError
from tollbook.log import printable
from tollbook.store.calls.batch import Refused, write_around_poison
from tollbook.store.database import check_schema, connect
from tollbook.store.days.partitions import Partitions


@click.group()
def spool() -> None:
    """List what waits on disk for PostgreSQL, and try refused legs again."""


@spool.command("list")
def list_() -> None:
    """Show the spool's segments and the legs that were set aside, with their reasons."""
    folder = load_settings().data_dir
    bytes_waiting = records = 0
    legs: set[tuple[str, str, int]] = set()
    for path in (path for spool in spool_folders(folder) for path in segments(spool)):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # a listener has just replayed it
        found = contents(data)
        legs.update(leg.key for leg in found.legs)
        records += len(found.legs)
        bytes_waiting += len(data)
        damage = f", {len(found.damaged)} damaged stretches" if found.damaged else ""
        click.echo(f"{path.parent.name}/{path.name}  {len(data)} bytes, {len(found.legs)} records{damage}")
    click.echo(f"waiting: {len(legs)} legs in {records} records, {bytes_waiting} bytes")
    aside = list(kept(folder / SET_ASIDE))
    for one in aside:
        click.echo(_line(one))
    click.echo(f"set aside: {len(aside)}")


@spool.command()
def retry() -> None:
    """Write the legs that were set aside, and remove the files of those that PostgreSQL takes now."""
    settings = load_settings()
    aside = list(kept(settings.data_dir / SET_ASIDE))
    still = _write(settings, aside) if aside else []
    for one in still:
        click.echo(_line(one))
    click.echo(f"written: {len(aside) - len(still)}, still set aside: {len(still)}")
    if still:
        raise DataError("what is still set aside cannot be written as it is: correct its file, or remove it")


def _write(settings: Settings, aside: list[Kept]) -> list[Kept]:
    """Write each leg in a batch of its own, and give what is left, with today's reasons."""
    still: list[Kept] = []
    with connect(settings.require_database_url(), name="spool") as connection:
        check_schema(connection)
        fold_settings, prices = load_pricing(connection, settings.trunk_rules)
        partitions = Partitions()
        for one in aside:
            if one.leg is None:
                still.append(one)
                continue
            try:
                _, refused = write_around_poison(connection, [one.leg], fold_settings, prices.price, partitions)
            except TollbookError:
                raise
            except Exception as error:  # noqa: BLE001 - a rule of ours that fails on one leg fails on no other
                refused = [Refused(leg=one.leg, reason=f"{type(error).__name__}: {error}")]
            if refused:
                still.append(Kept(path=one.path, reason=refused[0].reason, leg=one.leg))
            else:
                one.path.unlink(missing_ok=True)
    return still


def _line(one: Kept) -> str:
    who = f"  {printable(one.leg.switch)} {printable(one.leg.uid)}" if one.leg else ""
    return f"{one.path.name}{who}  {printable(one.reason)}"
