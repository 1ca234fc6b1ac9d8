"""The command `tollbook spool`. It needs no gevent, and works beside a listener."""

import click

from esl_listener.dead_letter import DeadLetter, load_all
from esl_listener.segment import decode_segment
from rating.loader import load_pricing
from tollbook.command import begin_command
from tollbook.config import Settings, load_settings
from tollbook.errors import DataError, TollbookError
from tollbook.log import printable
from tollbook.model.leg import LegKey
from tollbook.spool_files import dead_letter_folder, segments, spool_folders
from tollbook.store.calls.poison import Refused, write_around_poison
from tollbook.store.database import check_schema, connect
from tollbook.store.days.partitions import Partitions


@click.group()
def spool() -> None:
    """List what waits on disk for PostgreSQL, and write dead letters again."""


@spool.command("list")
def list_() -> None:
    """Show the spool's segments, and the dead letters with their reasons."""
    data_dir = load_settings().data_dir
    bytes_waiting = records = 0
    legs: set[LegKey] = set()
    for path in (path for folder in spool_folders(data_dir) for path in segments(folder)):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # a listener has just replayed it
        found = decode_segment(data)
        legs.update(leg.key for leg in found.legs)
        records += len(found.legs)
        bytes_waiting += len(data)
        damage = f", {len(found.damaged)} damaged stretches" if found.damaged else ""
        click.echo(f"{path.parent.name}/{path.name}  {len(data)} bytes, {len(found.legs)} records{damage}")
    click.echo(f"waiting: {len(legs)} legs in {records} records, {bytes_waiting} bytes")
    letters = list(load_all(dead_letter_folder(data_dir)))
    for letter in letters:
        click.echo(_line(letter))
    click.echo(f"dead letters: {len(letters)}")


@spool.command()
def retry() -> None:
    """Write the legs of the dead letters again, and remove the files of those that PostgreSQL takes now."""
    settings = begin_command()
    letters = list(load_all(dead_letter_folder(settings.data_dir)))
    refused = _write(settings, letters) if letters else []
    for letter in refused:
        click.echo(_line(letter))
    click.echo(f"written: {len(letters) - len(refused)}, still refused: {len(refused)}")
    if refused:
        raise DataError("what is still refused cannot be written as it is: correct its file, or remove it")


def _write(settings: Settings, letters: list[DeadLetter]) -> list[DeadLetter]:
    """Write each leg in a batch of its own; return the letters that stay, with today's reasons."""
    staying: list[DeadLetter] = []
    with connect(settings.require_database_url(), name="spool") as connection:
        check_schema(connection)
        fold_settings, prices = load_pricing(connection, settings.trunk_rules)
        partitions = Partitions()
        for letter in letters:
            if letter.leg is None:
                staying.append(letter)
                continue
            try:
                _, refused = write_around_poison(connection, [letter.leg], fold_settings, prices.price, partitions)
            except TollbookError:
                raise
            except Exception as error:  # noqa: BLE001 - a rule of ours that fails on one leg does not stop the others
                refused = [Refused(leg=letter.leg, reason=f"{type(error).__name__}: {error}")]
            if refused:
                staying.append(DeadLetter(path=letter.path, reason=refused[0].reason, leg=letter.leg))
            else:
                letter.path.unlink(missing_ok=True)
    return staying


def _line(letter: DeadLetter) -> str:
    leg = f"  {printable(letter.leg.switch)} {printable(letter.leg.uid)}" if letter.leg else ""
    return f"{letter.path.name}{leg}  {printable(letter.reason)}"
