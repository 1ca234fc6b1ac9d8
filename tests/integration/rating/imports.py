"""Rates that are imported into a plan, and what is there of them."""

from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tollbook.model.charge import Charge
from tollbook.store.database import Connection
from tollbook.store.tariffs.deck_import import Imported, replace_rates

AT = 1_800_000_000_000
DATED = "prefix,per_min_micros,valid_from,valid_to"


def put(
    connection: Connection, plan: str, *lines: str, header: str = "prefix,per_min_micros", **given: object
) -> Imported:
    rows = parse_deck([("", [f"{header}\n", *(f"{line}\n" for line in lines)])])
    return replace_rates(connection, plan, None, rows, **given)


def kept(connection: Connection) -> list[tuple[object, ...]]:
    """Every rate that was ever in a plan: id, prefix, price, first and last version."""
    return connection.execute(
        "SELECT rate_id, prefix, per_min_micros, version, until_version FROM rate ORDER BY rate_id"
    ).fetchall()


def spans(connection: Connection) -> list[tuple[object, ...]]:
    """Return the rates of today: prefix, price, from and to."""
    return connection.execute(
        "SELECT prefix, per_min_micros, valid_from_ts, valid_to_ts FROM rate WHERE until_version IS NULL ORDER BY 1, 3"
    ).fetchall()


def price(connection: Connection, number: str, account_id: str = "acme") -> tuple[int | None, str | None, int | None]:
    found = load_tariffs(connection).price_charges(
        account_id, AT, True, [Charge(direction="outbound", number=number, seconds=60)]
    )
    return found.cost_micros, found.parts[0].plan, found.parts[0].version
