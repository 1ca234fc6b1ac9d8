"""`GET /v1/calls/{id}` over a real PostgreSQL: the details of recorded calls and their legs, and who sees which."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from export_app.calls.detail_schema import CallDetails
from tests.factories import created, ended, legs_of
from tests.recorded_details import DELAY_MS, HOLD_END_MS, NAMES, legs_heard, recorded
from tollbook.config import Settings
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.details import CARRIER_COLUMNS, DETAIL_COLUMNS
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.model.record import Row
from tollbook.store import keys
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import tariffs

Get = Callable[..., list[dict[str, Any]]]

ROOT = "/var/lib/fs-s/recordings"
URL = "https://media.example/{path}"
#: What a leg says of its far end.
OF_FAR_END = ("channel", "gateway", "sip_status", "sip_call_id", "source_ip", "user_agent")


@pytest.fixture
def settings(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """With a server for recordings; and with carriers that tenants may know, where a test asks for it."""
    return Settings(
        database_url=SecretStr(database_url),
        data_dir=tmp_path,
        recordings_url=URL,
        tenants_see_carriers=getattr(request, "param", False),
    )


@pytest.fixture
def get(client: FlaskClient, database: Connection) -> Get:
    """Ask for the calls of an id with the operator's key, or with acct_alpha's."""
    database.autocommit = True
    tariffs.add_account(database, tariffs.Account(account_id="acct_alpha", name="Alpha", plan_id=None))
    secrets = {
        "operator": keys.create(database, account_id=None, scopes=["operator"])[1],
        "alpha": keys.create(database, account_id="acct_alpha", scopes=["cdr"])[1],
    }
    database.autocommit = False

    def ask(call_id: str, who: str = "operator") -> list[dict[str, Any]]:
        answer = client.get(f"/v1/calls/{quote(call_id, safe='')}", headers={"x-api-key": secrets[who]})
        if answer.status_code == 404:
            return []
        assert answer.status_code == 200, answer.text
        body = json.loads(answer.data)
        CallDetails.model_validate(body)
        return body["calls"]

    return ask


def write(database: Connection, legs: tuple[Leg, ...] | list[Leg]) -> None:
    """Write legs as the listener does; nothing is charged."""
    write_batch(database, legs, FoldSettings(), _free, Partitions())
    database.commit()


def _free(row: Row) -> Price:
    charges = [
        PricedCharge(direction=part.direction, number=part.number, seconds=part.seconds, cost_micros=0)
        for part in row.parts or ()
    ]
    return Price(cost_micros=0, parts=tuple(charges), currency="EUR")


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_call_has_its_details(get: Get, database: Connection, name: str) -> None:
    """They are the truth that was measured at the SIP peers, and each has a rule that was applied again."""
    write(database, legs_heard(name))
    for row in recorded(name).rows:
        (call,) = get(row["call_id"])
        truth = recorded(name).details[row["call_id"]]
        assert list(call["rules"])[-len(DETAIL_COLUMNS) :] == list(DETAIL_COLUMNS)
        assert not [rule for rule in call["rules"].values() if "as it was computed then" in rule]
        assert call["note"] is None
        for field, true in truth.items():
            has = call[field]
            if field == "recordings":
                assert [recording["path"] for recording in has or []] == true
            elif field == "vars":
                assert (has or {}) == true
            elif field == "sip_status":
                assert has == (None if true is None else int(true))
            elif field.endswith("_ms") and true is not None:
                assert has == pytest.approx(true, abs=2 * HOLD_END_MS if field == "hold_ms" else DELAY_MS)
            else:
                assert has == true, field
        for leg in call["legs"]:
            # Every leg of a SIP switch that was answered by more than a 100 can be found in a trace.
            assert leg["sip_call_id"] or not (leg["progress_ts"] or leg["answered_ts"] or leg["direction"] == "inbound")
            assert leg["quality"] is None or set(leg["quality"]) == {"rx_mos", "packets_in", "packets_skipped", "why"}


@pytest.mark.parametrize("name", NAMES)
def test_a_tenant_never_sees_who_a_carrier_is(get: Get, database: Connection, name: str) -> None:
    """Neither in the legs, nor in the details, nor in a sentence; all else is as an operator sees it.

    But for phones that nothing says are the account's own: of these it learns no more than of a carrier's legs.
    """
    write(database, legs_heard(name))
    for row in recorded(name).rows:
        (whole,) = get(row["call_id"])
        seen = get(row["call_id"], "alpha")
        assert bool(seen) == (row["account_id"] == "acct_alpha")
        for call in seen:
            carriers = [leg for leg in whole["legs"] if leg["of_carrier"]]
            secrets = {leg[field] for leg in carriers for field in OF_FAR_END if isinstance(leg[field], str)}
            # A gateway has the name `carrier`, a word of this sentence. What `vars` says the operator has chosen.
            texts = [text for text in _texts(call | {"vars": None}) if text != "a carrier's: for operators alone"]
            assert not [(secret, text) for secret in secrets for text in texts if secret in text]
            assert CARRIER_COLUMNS.isdisjoint(call)
            assert CARRIER_COLUMNS.isdisjoint(call["rules"])
            for leg, of_operator in zip(call["legs"], whole["legs"], strict=True):
                known = of_operator | {"recordings": leg["recordings"]}
                hidden = known | dict.fromkeys(OF_FAR_END)
                assert leg == hidden or not leg["of_carrier"]
                assert leg in (known, hidden)
                assert leg == known or leg["of_carrier"] or leg["role"] != "root"
                assert not [path for recording in leg["recordings"] if (path := recording["path"]).startswith("/")]


def _texts(value: object) -> list[str]:
    """All texts in a JSON value, but for the names of members."""
    match value:
        case str():
            return [value]
        case dict():
            return [text for member in value.values() for text in _texts(member)]
        case list():
            return [text for member in value for text in _texts(member)]
        case _:
            return []


def test_a_recording_is_shown_with_its_leg_and_its_address(get: Get, database: Connection) -> None:
    """An operator sees the switch's path, a tenant what is below the root."""
    write(database, legs_heard("rec_masked"))
    (row,) = recorded("rec_masked").rows
    file = f"mk-{row['call_id']}.wav"
    url = f"https://media.example/{file}"
    (whole,) = get(row["call_id"])
    assert whole["recordings"] == [{"path": f"{ROOT}/{file}", "url": url}]
    assert [leg["recordings"] for leg in whole["legs"] if leg["recordings"]] == [whole["recordings"]]
    (call,) = get(row["call_id"], "alpha")
    assert call["recordings"] == [{"path": file, "url": url}]
    assert [leg["recordings"] for leg in call["legs"] if leg["recordings"]] == [call["recordings"]]
    assert ROOT not in json.dumps(call)


@pytest.mark.parametrize("settings", [True], indirect=True)
def test_a_setting_opens_the_carriers_to_every_account(get: Get, database: Connection) -> None:
    """Then a tenant's answer is an operator's."""
    write(database, legs_heard("pdd_failover"))
    (row,) = recorded("pdd_failover").rows
    (whole,), (call,) = get(row["call_id"]), get(row["call_id"], "alpha")
    assert call == whole
    assert (call["gateway"], [leg["gateway"] for leg in call["legs"]]) == ("carrier2", ["carrier", None, "carrier2"])


def test_a_leg_of_another_account_s_call_stays_unseen(get: Get, database: Connection) -> None:
    """It said who hung up; the tenant's row has that, and the sentence says only that another call's leg did."""
    legs = legs_heard("xfer_attended_by_callee")
    write(database, legs)
    ids = [row["call_id"] for row in recorded("xfer_attended_by_callee").rows]
    rules = {call_id: get(call_id)[0]["rules"]["hung_up_by"] for call_id in ids}
    (bridged,) = (call_id for call_id in ids if "a leg of another call says" in rules[call_id])
    (other,) = (call_id for call_id in ids if call_id != bridged)
    database.execute("UPDATE call_cdr SET account_id = 'other' WHERE call_id = %s", (other,))
    database.commit()
    (call,) = get(bridged, "alpha")
    assert call["hung_up_by"] == "callee"
    assert (
        call["rules"]["hung_up_by"] == "as it was computed then: a leg of another call said it, which is not known here"
    )
    assert call["note"] is None


def test_of_pruned_legs_the_details_of_the_row_are_left(get: Get, database: Connection) -> None:
    """Also who a carrier is: that stands in the row."""
    create = created("x", account="acct_alpha", source_ip="192.0.2.9", sip_call_id="a@192.0.2.9")
    write(database, legs_of(create, ended(create, answered_s=1, hangup_s=9)))
    database.execute("DELETE FROM call_leg")
    database.commit()
    (whole,), (call,) = get("x"), get("x", "alpha")
    assert (whole["source_ip"], whole["sip_call_id"]) == ("192.0.2.9", "a@192.0.2.9")
    assert (call["source_ip"], call["sip_call_id"], call["legs"]) == (None, None, [])
    assert call["rules"]["source_ip"] == "a carrier's: for operators alone"
    assert whole["rules"]["source_ip"] == "recorded"
