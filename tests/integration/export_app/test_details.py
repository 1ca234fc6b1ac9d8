"""The details of calls: shown, filtered by, and what they would tell a tenant about the operator's carriers."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from export_app.app import create_app
from export_app.calls.cursor import CallsCursor, ChangesCursor, Cursor, SyncCursor, encode
from export_app.context import Services
from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.databases import written_when_ended
from tests.factories import DETAILS
from tollbook.config import Settings
from tollbook.model.details import CARRIER_COLUMNS, DETAIL_COLUMNS, NO_DETAILS
from tollbook.model.filters import Filters
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.history import read_epoch
from tollbook.times import MS_PER_DAY, current_day

Ask = Callable[..., TestResponse]
Put = Callable[..., None]

TODAY = current_day()
SYNCED = (TODAY - 30) * MS_PER_DAY
URL = "https://media.example/{path}"
ROOT = "/var/lib/freeswitch/recordings"
OPEN = tuple(name for name in DETAIL_COLUMNS if name not in CARRIER_COLUMNS)
#: For each filter by a detail, a value that the calls of `both_tiers` have, and one that they lack.
VALUES: dict[str, tuple[object, object]] = {
    "hung_up_by": ("callee", "switch"), "codec": ("PCMA", "pcma"), "sip_call_id": (DETAILS.sip_call_id, "other"),
    "gateway": ("carrier", "carrier2"), "sip_status": (486, 487), "destination": ("Germany", "germany"),
    "voicemail": ("true", "false"), "var": ("campaign.id:ü\\", "campaign.id:ü"),
}  # fmt: skip


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
def both_tiers(settings: Settings, put: Put, accounts: Connection) -> None:
    """In each tier a call of a phone with all details, the same of a carrier, and one with none."""
    for tier, day in (("old", TODAY - 60), ("new", TODAY - 1)):
        start_ts = day * MS_PER_DAY
        put(f"{tier} phone", details=DETAILS, destination="Germany", start_ts=start_ts)
        put(f"{tier} carrier", details=DETAILS, destination="Germany", trunk_root=True, start_ts=start_ts + 1)
        put(f"{tier} none", details=NO_DETAILS, start_ts=start_ts + 2)
    archive_calls(settings, now=True)
    written_when_ended(accounts)
    assert prune_days(settings, today=TODAY).calls == 3


ALL_DETAILED = ["new carrier", "new phone", "old carrier", "old phone"]


def ids(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["call_id"] for row in answer.get_json()["rows"]]


@pytest.mark.usefixtures("both_tiers")
def test_an_operator_is_shown_every_detail_of_either_tier(ask: Ask, operator_key: str) -> None:
    """In JSON recordings and variables are JSON; in CSV they are JSON text."""
    fields = ",".join(("call_id", *DETAIL_COLUMNS))
    shown = {row.pop("call_id"): row for row in ask(operator_key, fields=fields).get_json()["rows"]}
    wanted = {name: getattr(DETAILS, name) for name in DETAIL_COLUMNS if name != "destination"}
    wanted |= {
        "destination": "Germany",
        "recordings": [
            {"path": f"{ROOT}/acme/ü 1.wav", "url": "https://media.example/acme/%C3%BC%201.wav"},
            {"path": 'b"\n.wav', "url": None},
        ],
    }
    for name in ALL_DETAILED:
        assert shown[name] == wanted
        assert tuple(shown[name]) == DETAIL_COLUMNS
    for name in ("old none", "new none"):
        assert shown[name] == dict.fromkeys(DETAIL_COLUMNS)
    text = ask(operator_key, fields=fields, format="csv", raw="1").text
    lines = {line.pop("call_id"): line for line in csv.DictReader(io.StringIO(text, newline=""))}
    for name in ALL_DETAILED:
        line: dict[str, Any] = lines[name]
        assert json.loads(line["recordings"]) == wanted["recordings"]
        assert json.loads(line["vars"]) == DETAILS.vars
        assert (line["voicemail"], line["rx_mos"], line["hold_ms"]) == ("true", "4.41", str(2**31))
    assert set(lines["old none"].values()) == {""}
    guarded = ask(operator_key, fields="vars", format="csv").text
    assert '""spring \\""24\\"",\' =1+1""' in guarded


@pytest.mark.usefixtures("both_tiers")
def test_a_tenant_is_shown_what_says_nothing_of_carriers(ask: Ask) -> None:
    """Recordings below the root; of a call that a carrier's leg began neither its address nor its Call-ID."""
    answer = ask(fields=",".join(("call_id", *OPEN)))
    shown = {row.pop("call_id"): row for row in answer.get_json()["rows"]}
    recordings = [
        {"path": "acme/ü 1.wav", "url": "https://media.example/acme/%C3%BC%201.wav"},
        {"path": 'b"\n.wav', "url": None},
    ]
    for tier in ("old", "new"):
        assert shown[f"{tier} phone"]["recordings"] == recordings
        assert shown[f"{tier} phone"]["sip_call_id"] == DETAILS.sip_call_id
        assert shown[f"{tier} phone"]["source_ip"] == DETAILS.source_ip
        hidden = {"sip_call_id": None, "source_ip": None}
        assert shown[f"{tier} carrier"] == shown[f"{tier} phone"] | hidden
    assert ROOT not in answer.text
    only = ask(fields="source_ip", format="csv").text
    assert only.split("\r\n")[1:-1] == ['""', '""', "2001:db8::7"] * 2
    assert "trunk_root" in ask(fields="trunk_root").get_json()["message"]


@pytest.mark.usefixtures("both_tiers")
@pytest.mark.parametrize("name", VALUES)
def test_every_filter_selects_in_both_tiers_page_by_page(ask: Ask, operator_key: str, name: str) -> None:
    """Equality alone; a cursor holds the filter, and is refused beside another value."""
    value, other = VALUES[name]
    assert ids(ask(operator_key, **{name: value})) == ALL_DETAILED
    assert ids(ask(operator_key, **{name: other})) == []
    assert ids(ask(operator_key, order="asc", **{name: value})) == ALL_DETAILED[::-1]
    found, page = list[str](), ask(operator_key, limit=1, **{name: value})
    while True:
        found += ids(page)
        cursor = page.get_json().get("next_cursor")
        if cursor is None:
            break
        assert ask(operator_key, limit=1, cursor=cursor, **{name: other}).get_json()["code"] == "cursor_mismatch"
        page = ask(operator_key, limit=1, cursor=cursor)
    assert found == ALL_DETAILED
    changed = ask(operator_key, updated_since=SYNCED, **{name: value})
    assert ids(changed)[-2:] == ["new phone", "new carrier"]
    total = ask(operator_key, path="/v1/stats", **{name: value}).get_json()["total"]
    assert total["calls"] == 2


@pytest.mark.usefixtures("both_tiers")
def test_a_tenant_finds_no_call_by_the_call_id_of_a_carrier(ask: Ask) -> None:
    """Otherwise whoever guesses it, or has it from a trace, would learn whose call it was."""
    assert ids(ask(sip_call_id=DETAILS.sip_call_id)) == ["new phone", "old phone"]
    page = ask(sip_call_id=DETAILS.sip_call_id, limit=1).get_json()
    assert ids(ask(cursor=page["next_cursor"])) == ["old phone"]
    assert "new carrier" not in ids(ask(updated_since=SYNCED, sip_call_id=DETAILS.sip_call_id))
    total = ask(path="/v1/stats", sip_call_id=DETAILS.sip_call_id).get_json()["total"]
    assert total["calls"] == 1


def own_cursors(epoch: str) -> Iterator[Cursor]:
    """Cursors with a filter by gateway, as a client can sign them that knows its key."""
    common: dict[str, Any] = {"filters": Filters(gateway="carrier"), "made_s": int(time.time())}
    key = {"start_ts": 1, "call_id": "a", "switch": "fs1"}
    yield CallsCursor(**common, **key, since=0, until=2**40, order="desc")
    yield ChangesCursor(**common, **key, epoch=epoch, updated_since=1, changed=1)
    yield SyncCursor(**common, epoch=epoch, first=1)


@pytest.mark.usefixtures("both_tiers")
@pytest.mark.parametrize("name", sorted(CARRIER_COLUMNS))
def test_a_tenant_is_refused_what_says_who_the_carriers_are(
    ask: Ask, key: str, accounts: Connection, name: str
) -> None:
    """403 that names the field and who may ask: as a column, a filter of calls, sums and syncs, and in a cursor."""
    value = VALUES[name][0]
    asked: list[dict[str, object]] = [
        {"fields": f"call_id,{name}"}, {"fields": name, "format": "csv"}, {name: value}, {name: VALUES[name][1]},
        {name: value, "updated_since": SYNCED}, {"fields": name, "updated_since": SYNCED},
        {name: value, "path": "/v1/stats"},
        *({"cursor": encode(cursor, keys.key_hash(key) or b"")} for cursor in own_cursors(read_epoch(accounts))),
    ]  # fmt: skip
    for parameters in asked:
        answer = ask(**parameters)
        refused = answer.get_json()
        assert (answer.status_code, refused["code"]) == (403, "operator_only"), parameters
        assert refused["message"].startswith((f"{name} says who the operator's carriers are", "gateway says"))
        assert "TOLLBOOK_TENANTS_SEE_CARRIERS=1" in refused["message"]


@pytest.mark.usefixtures("both_tiers")
@pytest.mark.parametrize("settings", [True], indirect=True)
def test_a_setting_opens_it_to_every_account(ask: Ask) -> None:
    """The gateway, the status, and a carrier's address and Call-ID; the paths of recordings stay below the root."""
    answer = ask(fields=",".join(("call_id", *DETAIL_COLUMNS)), sip_call_id=DETAILS.sip_call_id, gateway="carrier")
    assert ids(answer) == ALL_DETAILED
    for row in answer.get_json()["rows"]:
        assert (row["gateway"], row["sip_status"], row["source_ip"]) == ("carrier", 486, "2001:db8::7")
    assert ROOT not in answer.text


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"sip_status": "ok"}, "sip_status must be a SIP status from 100 to 699"),
        ({"sip_status": "99"}, "sip_status must be at least 100"),
        ({"voicemail": "1"}, "voicemail must be true or false"),
        ({"var": "campaign"}, "var must be NAME:VALUE"),
        ({"var": "a b:c"}, "var must be NAME:VALUE"),
        ({"var": "a:" + "b" * 257}, "var must be NAME:VALUE"),
        ({"hung_up_by": "nobody"}, "hung_up_by must be 'caller', 'callee' or 'switch'"),
        ({"codec": "c" * 257}, "codec must have at most 256 characters"),
        ({"gatway": "x"}, "did you mean gateway?"),
    ],
)
def test_a_wrong_filter_is_refused(client: FlaskClient, key: str, parameter: dict[str, str], message: str) -> None:
    answer = client.get(f"/v1/calls?{urlencode(parameter)}", headers={"x-api-key": key})
    assert answer.status_code == 400
    assert message in answer.get_json()["message"]


def test_other_accounts_settings_change_nothing(services: Services, settings: Settings) -> None:
    """Without a server for recordings there is no address, and the setting is off by default."""
    plain = Services.from_settings(settings.model_copy(update={"recordings_url": None}))
    assert plain.recordings.url is None
    assert services.recordings.url == URL
    assert not Settings().tenants_see_carriers
    assert create_app(plain)
