"""Calls as the listener writes them, and the answers that explain them."""

import json
from collections.abc import Callable
from typing import Any

from werkzeug.test import TestResponse

from export_app.calls.detail_schema import CallDetails
from rating.loader import load_tariffs
from tests.factories import created, ended, legs_of
from tollbook.model.details import CARRIER_COLUMNS, DETAIL_COLUMNS
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.model.record import COLUMNS
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions

Get = Callable[..., TestResponse]


def legs(uid: str, account: str, at_s: float = 0, **facts: str) -> list[Leg]:
    """An answered call of one leg, a minute long, as the switch reports it."""
    create = created(uid, at_s=at_s, account=account, **{"user": "1000", "dialed": "15551230001"} | facts)
    return legs_of(create, ended(create, answered_s=at_s, hangup_s=at_s + 60))


def write(connection: Connection, *batches: list[Leg], fold_settings: FoldSettings | None = None) -> None:
    """Write calls as the listener does."""
    connection.rollback()
    connection.autocommit = False
    price = load_tariffs(connection).price
    connection.commit()
    write_batch(
        connection, [leg for batch in batches for leg in batch], fold_settings or FoldSettings(), price, Partitions()
    )
    connection.autocommit = True


def calls(answer: TestResponse) -> list[dict[str, Any]]:
    """The calls of an answer that is as the document says, to the member."""
    assert answer.status_code == 200, answer.text
    body = json.loads(answer.data)
    assert list(body) == ["ok", "calls"]
    CallDetails.model_validate(body)
    for call in body["calls"]:
        hidden = set() if "gateway" in call else CARRIER_COLUMNS
        details = [name for name in DETAIL_COLUMNS if name not in hidden]
        assert list(call) == [*COLUMNS, "switch", "revision", "estimated", *details, "note", "legs", "rules", "price"]
        assert list(call["rules"]) == [*COLUMNS, *details]
    return body["calls"]
