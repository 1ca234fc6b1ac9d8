"""`GET /v1/stats` by gateway over a real PostgreSQL: figures of trunk legs, of waits and ringing, and for whom."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from export_app.stats import all_time
from export_app.stats.schema import Stats
from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.recorded_details import NAMES, legs_heard, recorded
from tollbook.config import Settings
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.model.record import Row
from tollbook.store import keys
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.days.window import read_window
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

Get = Callable[..., TestResponse]

# The day of these recordings.
SINCE = 1_795_824_000_000
DAY = {"since": SINCE, "until": SINCE + 86_400_000}


@pytest.fixture
def settings(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """With carriers that tenants may know, where a test asks for it."""
    return Settings(
        database_url=SecretStr(database_url),
        data_dir=tmp_path,
        tenants_see_carriers=getattr(request, "param", False),
    )


def _free(_: Row) -> Price:
    return Price(cost_micros=0, parts=())


@pytest.fixture
def get(client: FlaskClient, database: Connection) -> Get:
    """Ask with the operator's key or acct_alpha's, over a day with all recorded calls."""
    tariffs.add_account(database, tariffs.Account(account_id="acct_alpha", name="Alpha", plan_id=None))
    secrets = {
        "operator": keys.create(database, account_id=None, scopes=["operator"])[1],
        "alpha": keys.create(database, account_id="acct_alpha", scopes=["cdr"])[1],
    }
    database.commit()
    for name in NAMES:
        write_batch(database, legs_heard(name), FoldSettings(), _free, Partitions())
    database.commit()

    def ask(path: str = "/v1/stats", who: str = "operator", **parameters: object) -> TestResponse:
        query = {name: str(value) for name, value in parameters.items()}
        return client.get(path, query_string=query, headers={"x-api-key": secrets[who]})

    return ask


def sums(answer: TestResponse) -> dict[str, Any]:
    """The body of an answer that is as the document says."""
    assert answer.status_code == 200, answer.text
    body = json.loads(answer.data)
    Stats.model_validate(body)
    return body


def trunk_legs(get: Get) -> dict[str | None, list[dict[str, Any]]]:
    """The trunk legs of the recorded calls as their own pages show them, by gateway."""
    found: defaultdict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for name in NAMES:
        for row in recorded(name).rows:
            (call,) = get(f"/v1/calls/{quote(row['call_id'], safe='')}").get_json()["calls"]
            for leg in call["legs"]:
                if leg["of_carrier"] and leg["direction"] == "outbound":
                    found[leg["gateway"]].append(leg)
    return found


def test_a_gateway_has_the_figures_of_its_own_legs(get: Get) -> None:
    """Of every trunk leg, also of those that failed before another one answered; averages say over how many legs."""
    body = sums(get(group_by="gateway", **DAY))
    legs = trunk_legs(get)
    groups = {group["gateway"]: group for group in body["groups"]}
    assert set(groups) == set(legs) >= {"carrier", "carrier2"}
    assert [group["legs"] for group in body["groups"]] == sorted((len(found) for found in legs.values()), reverse=True)
    for gateway, found in legs.items():
        answered = [leg for leg in found if leg["answered_ts"]]
        delays = [leg["pdd_ms"] for leg in found if leg["pdd_ms"] is not None]
        scores = [leg["quality"]["rx_mos"] for leg in found if leg["quality"] and leg["quality"]["rx_mos"]]
        assert groups[gateway] == {
            "gateway": gateway, "legs": len(found), "answered": len(answered),
            "asr": pytest.approx(len(answered) / len(found), abs=1e-6),
            "pdd_ms": pytest.approx(fmean(delays), abs=1e-3), "pdd_legs": len(delays),
            "rx_mos": pytest.approx(fmean(scores), abs=1e-3), "mos_legs": len(scores),
        }  # fmt: skip
    # Not those of the call: its pdd_ms counts the carrier that failed, its rx_mos is what the caller sent.
    only = sums(get(group_by="gateway", gateway="carrier2", **DAY))
    assert {group["gateway"] for group in only["groups"]} == {"carrier", "carrier2"}
    assert body["total"] == sums(get(**DAY))["total"]
    assert body["more"] is False


def test_a_second_group_and_a_limit_go_with_it(get: Get) -> None:
    """By time first, then those of most legs; each leg is in one group."""
    by_hour = sums(get(group_by="hour,gateway", **DAY))
    alone = sums(get(group_by="gateway", **DAY))
    assert [group["hour_ts"] for group in by_hour["groups"]] == sorted(group["hour_ts"] for group in by_hour["groups"])
    for group in alone["groups"]:
        parts = [part for part in by_hour["groups"] if part["gateway"] == group["gateway"]]
        for name in ("legs", "answered", "pdd_legs", "mos_legs"):
            assert sum(part[name] for part in parts) == group[name]
    first = sums(get(group_by="gateway", limit=1, **DAY))
    assert (first["groups"], first["more"]) == (alone["groups"][:1], True)
    twice = sums(get(group_by="gateway,gateway", **DAY))
    assert twice["groups"] == alone["groups"]
    prefixes = sums(get(group_by="prefix,gateway", prefix_digits=2, **DAY))
    assert sum(group["legs"] for group in prefixes["groups"]) == sum(group["legs"] for group in alone["groups"])


def test_a_tenant_may_not_group_by_gateway(get: Get) -> None:
    """As it may not ask for a call's gateway; beside another group, too."""
    for group_by in ("gateway", "day,gateway"):
        answer = get(who="alpha", group_by=group_by, **DAY)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "operator_only")
        assert "TOLLBOOK_TENANTS_SEE_CARRIERS=1" in answer.get_json()["message"]


@pytest.mark.parametrize("settings", [True], indirect=True)
def test_the_setting_opens_it_for_a_tenant_s_own_calls(get: Get) -> None:
    mine = sums(get(who="alpha", group_by="gateway", **DAY))
    every = sums(get(group_by="account,gateway", **DAY))
    assert mine["groups"]
    assert mine["groups"] == [
        {name: value for name, value in group.items() if name != "account_id"}
        for group in every["groups"]
        if group["account_id"] == "acct_alpha"
    ]


def test_waits_and_ringing_are_sums_over_the_calls_that_have_them(get: Get) -> None:
    """A call without a queue waits in none, so it is in no count: an average would otherwise be too small."""
    body = sums(get(group_by="direction", **DAY))
    details = [detail for name in NAMES for detail in recorded(name).details.values()]
    for group in ("wait", "ring"):
        known = [detail[f"{group}_ms"] for detail in details if detail[f"{group}_ms"] is not None]
        assert body["total"][f"{group}_calls"] == len(known) > 0
        assert body["total"][f"{group}_ms"] == pytest.approx(sum(known), abs=60 * len(known))
        for name in (f"{group}_ms", f"{group}_calls"):
            assert sum(part[name] for part in body["groups"]) == body["total"][name]
    total = body["total"]
    assert total["billsec"] / total["answered"] == pytest.approx(total["acd_sec"], abs=1e-3)


def test_legs_of_a_call_that_is_up_are_not_counted(get: Get, database: Connection) -> None:
    """It is complete only when all have ended: until then nobody knows what became of it."""
    before = sums(get(group_by="gateway", **DAY))
    up = [leg for leg in legs_heard("out_callee_hangs_up") if leg.end is None]
    database.execute("DELETE FROM call_leg")
    database.execute("DELETE FROM call_cdr WHERE start_ts >= %s", (SINCE,))
    database.commit()
    write_batch(database, up, FoldSettings(), _free, Partitions())
    database.commit()
    body = sums(get(group_by="gateway", **DAY))
    assert before["groups"]
    assert body["groups"] == []
    assert body["total"]["open"] == body["total"]["calls"] == 1


#: Questions that the cube of gateways answers, over whole quarter-hours and others.
KEPT: tuple[dict[str, object], ...] = (
    {"group_by": "gateway"}, {"group_by": "hour,gateway"}, {"group_by": "gateway,direction"},
    {"group_by": "disposition,gateway"}, {"group_by": "gateway", "direction": "outbound", "disposition": "answered"},
    {"group_by": "day,gateway", "tz": "Asia/Kathmandu"}, {"group_by": "gateway", "limit": 1},
)  # fmt: skip
ODD = {"since": SINCE + 66_000_007, "until": SINCE + 71_000_003}


def test_gateways_outlive_their_calls(get: Get, database: Connection, settings: Settings) -> None:
    """The cube says what the rows say, also of a time that ends anywhere, and so it does after a prune."""
    database.commit()
    database.execute("UPDATE sum_state SET unbuilt_before = %s", (DAY["until"],))
    database.commit()
    by_rows = [groups(get, asked | when) for asked in KEPT for when in (DAY, ODD)]
    assert any(by_rows[1])
    database.execute("UPDATE sum_state SET unbuilt_before = 0")
    database.commit()
    assert [groups(get, asked | when) for asked in KEPT for when in (DAY, ODD)] == by_rows
    archive_calls(settings, now=True)
    assert prune_days(settings, today=SINCE // MS_PER_DAY + 40).calls > 70
    assert [groups(get, asked | DAY) for asked in KEPT] == by_rows[::2]
    for asked, said in (
        ({"group_by": "prefix,gateway"}, "kept for operators alone, by gateway, time, direction and disposition"),
        ({"group_by": "gateway", "gateway": "carrier2"}, "leave other groups and filters out"),
        ({"group_by": "gateway"} | ODD, "let since and until be whole ones"),
    ):
        answer = get(**DAY | asked)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "not_kept")
        assert said in answer.get_json()["message"]
        assert f"since={read_window(database).start_ts}," in answer.get_json()["message"]


def test_what_was_never_counted_is_no_sum(get: Get, database: Connection, settings: Settings) -> None:
    archive_calls(settings, now=True)
    prune_days(settings, today=SINCE // MS_PER_DAY + 40)
    database.execute("UPDATE sum_state SET gateways_since = %s", (DAY["until"],))
    database.commit()
    answer = get(group_by="gateway", **DAY)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not_kept")
    assert "were never counted" in answer.get_json()["message"]


def test_the_total_and_the_groups_are_of_one_snapshot(
    get: Get, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All calls are deleted after whichever is read first, and both still have them."""
    before = sums(get(group_by="gateway", **DAY))
    assert before["groups"]
    assert before["total"]["calls"]

    def then_delete(read: Callable[..., object]) -> Callable[..., object]:
        def reading(*args: object, **named: object) -> object:
            found = read(*args, **named)
            database.execute("DELETE FROM call_cdr")
            database.commit()
            return found

        return reading

    for name in ("sum_gateways", "sum_cubes"):
        monkeypatch.setattr(all_time, name, then_delete(getattr(all_time, name)))
    after = sums(get(group_by="gateway", **DAY))
    assert (after["total"], after["groups"]) == (before["total"], before["groups"])
    assert sums(get(group_by="gateway", **DAY))["groups"] == []


def test_gateways_that_are_not_kept_are_refused_before_the_archive_is_read(
    get: Get, database: Connection, settings: Settings
) -> None:
    """Their total would be read there, which can take long: here it fails."""
    archive_calls(settings, now=True)
    prune_days(settings, today=SINCE // MS_PER_DAY + 40)
    for file in (settings.data_dir / "archive").rglob("*.parquet"):
        file.unlink()
    asked: dict[str, object] = {"min_billsec": 1, **DAY}
    assert get(**asked).status_code >= 500
    answer = get(group_by="gateway", **asked)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not_kept")


def groups(get: Get, asked: dict[str, object]) -> list[dict[str, Any]]:
    return sums(get(**asked))["groups"]
