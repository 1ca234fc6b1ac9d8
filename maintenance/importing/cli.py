"""The command `tollbook import`."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from maintenance.importing.folder import refused_path
from maintenance.importing.report import RefusedFile
from maintenance.importing.run import Imported, import_calls
from maintenance.importing.sources import Sources
from maintenance.importing.stamps import StampReader
from maintenance.importing.template import template_of
from maintenance.importing.variables import Reading
from maintenance.progress import progress_bar
from tollbook.command import begin_command
from tollbook.errors import DataError, UsageError
from tollbook.model.charge import Price
from tollbook.model.event import header_names
from tollbook.model.imported import IMPORT_FORMATS, ImportFormat
from tollbook.model.record import Row

_TABLES = {"fusionpbx": "v_xml_cdr", "cdr_pg_csv": "cdr"}


@click.command("import")
@click.argument("kind", metavar="FORMAT", type=click.Choice(IMPORT_FORMATS))
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--switch", default="", help="The switch's name (`switchname`), where the records do not state it.")
@click.option("--timezone", help="The zone of times without one, such as Europe/Berlin: that of the old machine.")
@click.option("--template", help="Of cdr_csv: the template's name in cdr_csv.conf.xml; `example` by default.")
@click.option("--conf", type=click.Path(path_type=Path), help="Of cdr_csv: your own cdr_csv.conf.xml.")
@click.option("--outside", multiple=True, default=("public",), help="Context of calls from outside (public).")
@click.option("--table", help="The table, if SOURCE is the URL of a database: v_xml_cdr, cdr.")
@click.option("--encoding", type=click.Choice(["utf-8", "latin-1", "cp1252"]), default="utf-8", help="Of the text.")
@click.option("--price", is_flag=True, help="Price the calls by today's plans, and so bill them in statements.")
@click.option("--refused", type=click.Path(path_type=Path), help="Where refused records go.")
@click.option("--dry-run", is_flag=True, help="Write nothing; show ten calls as they would become, and the counts.")
def import_command(
    kind: ImportFormat,
    sources: tuple[str, ...],
    switch: str,
    timezone: str | None,
    template: str | None,
    conf: Path | None,
    outside: tuple[str, ...],
    table: str | None,
    encoding: str,
    price: bool,
    refused: Path | None,
    dry_run: bool,
) -> None:
    """Add the calls of another system's records, each once; safe to repeat. docs/import.md has the formats.

    FORMAT is fusionpbx (v_xml_cdr), cdr_csv (Master.csv), cdr_pg_csv (its table) or xml_cdr (a folder of files). SOURCE
    is a file, the folder, or for a table postgresql://USER@HOST/DATABASE.

    Calls that Tollbook has recorded itself stay as they are. Imported ones get no price, unless --price asks for it.
    """
    settings = begin_command()
    if not switch and kind != "xml_cdr":
        raise UsageError(
            "name the switch that made these calls with `--switch NAME`, as `fs_cli -x switchname` prints it: by it"
            " calls are recognised that Tollbook has recorded itself"
        )
    headers = header_names(
        settings.account_variable, settings.parent_variable, settings.direction_variable, settings.variables
    )
    reading = Reading(
        headers=headers,
        stamps=StampReader(zone=_zone(timezone)),
        switch=switch,
        billed_elsewhere=not price,
        outside=frozenset(outside),
    )
    read = Sources(
        kind=kind, names=sources, template=template_of(template, conf), table=table or _TABLES.get(kind, ""),
        encoding=encoding, reading=reading,
    )  # fmt: skip
    refused = refused or refused_path(settings.data_dir)
    if refused.resolve() in {Path(name).resolve() for name in sources}:
        raise UsageError(f"{refused} is where refused records go, and would be lost: copy it, and name the copy")
    refusals = RefusedFile(refused)
    try:
        done = import_calls(settings, read, refusals, dry_run=dry_run, steps=progress_bar)
    finally:
        refusals.close()
    _show(done)
    if done.report.refused:
        raise DataError(f"{done.report.refused} records were refused: {refused} has each with its line and reason")


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"there is no time zone {name!r}: name one like Europe/Berlin") from None


def _show(done: Imported) -> None:
    for line in _lines(done.rows):
        click.echo(line)
    click.echo(str(done.report))


def _lines(rows: Sequence[tuple[Row, Price]]) -> Sequence[str]:
    return [
        f"{dt.datetime.fromtimestamp(row.start_ts / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}Z {row.account_id or '-'}"
        f" {row.direction} {row.from_num or '-'} -> {row.to_num or '-'} {row.billsec} s {row.disposition}"
        f" {row.hangup_cause or '-'} {row.call_id}"
        for row, _ in rows
    ]
