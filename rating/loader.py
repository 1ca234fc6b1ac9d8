"""Load every account's deck from the database: the package's only I/O."""

from rating.engine import Deck, Rate, Tariffs
from tollbook.model.fold import Operator
from tollbook.model.offnet import Peers
from tollbook.store import tariffs
from tollbook.store.database import Connection, store_errors


def load_tariffs(connection: Connection) -> Tariffs:
    """Read accounts and the decks of the plans they use; accounts of one plan share its deck."""
    accounts = tariffs.accounts(connection)
    decks = {
        plan_id: Deck(
            Rate(
                rate_id=rate_id,
                direction=direction,
                prefix=prefix,
                per_min_micros=per_min,
                connection_fee_micros=fee,
                increment_sec=increment,
                first_increment_sec=first,
                valid_from_ts=valid_from,
                valid_to_ts=valid_to,
                name=name,
            )
            for rate_id, direction, prefix, per_min, fee, increment, first, valid_from, valid_to, name in (
                tariffs.rates(connection, plan_id)
            )
        )
        for plan_id in {one.plan_id for one in accounts if one.plan_id}
    }
    return Tariffs(decks={one.account_id: decks[one.plan_id] if one.plan_id else None for one in accounts})


def load_pricing(connection: Connection, peers: Peers) -> tuple[Operator, Tariffs]:
    """Read, in one snapshot, all that a batch needs beside its legs. Call between transactions; raises our errors."""
    with store_errors():
        try:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            owners = tariffs.number_owners(connection)
            return Operator(peers=peers, number_owners=owners), load_tariffs(connection)
        finally:
            connection.rollback()
