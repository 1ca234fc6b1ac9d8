"""`/v1/statements`: an account reads its own, issued or as a draft, in each form; an operator names whose."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from pypdf import PdfReader
from werkzeug.test import TestResponse

from maintenance.prune.run import prune_days
from tests.archiving import archive_now
from tests.databases import store
from tests.factories import call
from tollbook.config import Settings
from tollbook.statements.issue import Issuer, issuing
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.statements.billing import BillingChange, change
from tollbook.times import instant

AUGUST, SEPTEMBER, OCTOBER = "2026-08", "2026-09", "2026-10"
TODAY = 20_780  # 2026-11-23


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with an issuer."""
    return settings.model_copy(update={"issuer_name": "Tele GmbH"})


@pytest.fixture
def issuer(settings: Settings, accounts: Connection) -> Iterator[Issuer]:
    """What issues statements, over the calls of two accounts in August, already pruned, and in October."""
    for account in ("acme", "other"):
        for month in (8, 10):
            start = instant(f"2026-{month:02}-25T12:00")
            store(
                accounts,
                call(f"{account}-{month}", account, start, cost_micros=1_230_000, destination="Germany"),
                with_legs=True,
            )
    archive_now(settings)
    assert prune_days(settings, today=TODAY).days == 1
    change(accounts, "acme", BillingChange(taxes="VAT=19"))
    with issuing(settings) as issuer:
        yield issuer


def read(client: FlaskClient, key: str, path: str = "", accept: str | None = None, **query: str) -> TestResponse:
    headers = {"x-api-key": key} | ({"Accept": accept} if accept else {})
    return client.get(f"/v1/statements{path}", headers=headers, query_string=query)


def body(response: TestResponse) -> Any:
    assert response.status_code == 200, response.text
    return json.loads(response.data)


def test_an_account_reads_what_was_issued(client: FlaskClient, key: str, issuer: Issuer) -> None:
    """The frozen content with its hash, whatever has changed since; and the list of what is issued."""
    issued = issuer.issue("acme", AUGUST)
    issuer.issue("other", AUGUST)
    answer = body(read(client, key, f"/{AUGUST}"))
    assert answer["sha256"] == issued.sha256
    canonical = json.dumps(answer["statement"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == issued.sha256
    (total,) = answer["statement"]["totals"]
    listed = body(read(client, key))
    assert (listed["count"], listed["more"]) == (1, False)
    assert listed["statements"] == [
        {
            "account_id": "acme", "month": AUGUST, "number": "T-000001", "issued_ts": issued.statement.issued_ts,
            "sha256": issued.sha256, "totals": [total],
        }
    ]  # fmt: skip
    assert (total["net"], total["total"]) == ("1.23", "1.46")


def test_a_draft_is_the_sum_over_both_tiers_and_has_the_corrections(
    client: FlaskClient, key: str, issuer: Issuer, accounts: Connection
) -> None:
    """Of a pruned month, of one that PostgreSQL has, and what an issued one has become since."""
    draft = body(read(client, key, f"/{AUGUST}"))
    assert (draft["sha256"], draft["statement"]["number"], draft["statement"]["issued_ts"]) == (None, None, None)
    assert [line["amount_micros"] for line in draft["statement"]["lines"]] == [1_230_000]
    assert [line["amount_micros"] for line in body(read(client, key, f"/{OCTOBER}"))["statement"]["lines"]] == [
        1_230_000
    ]
    issuer.issue("acme", AUGUST)
    late = call("late", "acme", instant("2026-08-26"), cost_micros=7, destination="Germany")
    store(accounts, late)
    (line,) = body(read(client, key, f"/{SEPTEMBER}"))["statement"]["lines"]
    assert (line["kind"], line["month"], line["calls"], line["amount_micros"]) == ("correction", AUGUST, 1, 7)


@pytest.mark.parametrize(
    "asked", [{"format": "csv"}, {"accept": "text/csv"}, {"accept": "text/csv;q=0.9, text/html;q=0.1"}]
)
def test_csv(client: FlaskClient, key: str, issuer: Issuer, asked: dict[str, str]) -> None:
    """By parameter or by Accept; an attachment with a name."""
    issuer.issue("acme", AUGUST)
    response = read(client, key, f"/{AUGUST}", **asked)
    assert response.content_type == "text/csv; charset=utf-8; header=present"
    assert response.headers["Content-Disposition"] == 'attachment; filename="statement-T-000001.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert [(row["kind"], row["amount"]) for row in rows] == [
        ("calls", "1.230000"), ("net", "1.23"), ("tax", "0.23"), ("total", "1.46")
    ]  # fmt: skip


@pytest.mark.parametrize("asked", [{"format": "pdf"}, {"accept": "application/pdf"}])
def test_pdf(client: FlaskClient, key: str, issuer: Issuer, asked: dict[str, str]) -> None:
    """The same bytes each time, with the hash of the content on it; of a draft it says that it is one."""
    issued = issuer.issue("acme", AUGUST)
    response = read(client, key, f"/{AUGUST}", **asked)
    assert response.content_type == "application/pdf"
    assert response.data == read(client, key, f"/{AUGUST}", **asked).data
    text = PdfReader(io.BytesIO(response.data)).pages[0].extract_text()
    assert issued.sha256 in text
    draft = read(client, key, f"/{OCTOBER}", **asked)
    assert draft.headers["Content-Disposition"] == 'attachment; filename="statement-2026-10-draft.pdf"'
    assert "Draft statement" in PdfReader(io.BytesIO(draft.data)).pages[0].extract_text()


def test_a_pdf_has_a_bound(client: FlaskClient, key: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it the answer says where there is none; CSV has every line."""
    del issuer
    monkeypatch.setattr("export_app.statements.views.MAX_PDF_LINES", 0)
    refused = read(client, key, f"/{AUGUST}", format="pdf")
    assert (refused.status_code, json.loads(refused.data)["code"]) == (422, "too_many_lines")
    assert read(client, key, f"/{AUGUST}", format="csv").status_code == 200


def test_a_draft_has_a_limit_of_time_and_takes_no_readers_place(
    client: FlaskClient, key: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it the answer says who makes it without one; while all readers of pages are busy it is made anyway."""
    del issuer
    monkeypatch.setattr("tollbook.archive.reader.Archive._reader", None)
    assert read(client, key, f"/{AUGUST}").status_code == 200
    monkeypatch.setattr("export_app.archive.STATEMENT_S", -1.0)
    refused = read(client, key, f"/{AUGUST}")
    assert (refused.status_code, json.loads(refused.data)["code"]) == (422, "question_too_large")
    assert "tollbook statement" in refused.text


def test_any_other_accept_is_json(client: FlaskClient, key: str, issuer: Issuer) -> None:
    """As a browser and curl send it."""
    del issuer
    for accept in ("*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "image/png"):
        assert read(client, key, f"/{AUGUST}", accept).content_type == "application/json"


def test_nobody_reads_another_accounts_statement(
    client: FlaskClient, other_key: str, issuer: Issuer, accounts: Connection
) -> None:
    """Neither in a list nor by month, nor by naming the account; PostgreSQL does not show the row either."""
    issuer.issue("acme", AUGUST)
    assert body(read(client, other_key))["statements"] == []
    mine = body(read(client, other_key, f"/{AUGUST}"))["statement"]
    assert (mine["account_id"], mine["number"]) == ("other", None)
    for path in ("", f"/{AUGUST}"):
        refused = read(client, other_key, path, account="acme")
        assert (refused.status_code, json.loads(refused.data)["code"]) == (403, "operator_only")
    accounts.execute("BEGIN")
    accounts.execute(
        "SELECT set_config('role', 'tollbook_api', true), set_config('tollbook.account', 'other', true),"
        " set_config('tollbook.every_account', 'off', true)"
    )
    for table in ("statement", "account_billing"):
        assert accounts.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    accounts.execute("ROLLBACK")


def test_an_operator_names_the_account(client: FlaskClient, operator_key: str, issuer: Issuer) -> None:
    """The list is of every account, or of one; a statement is of one."""
    issuer.issue("acme", AUGUST)
    issuer.issue("other", AUGUST)
    issuer.issue("other", SEPTEMBER)
    listed = [(row["account_id"], row["month"]) for row in body(read(client, operator_key))["statements"]]
    assert listed == [("other", SEPTEMBER), ("acme", AUGUST), ("other", AUGUST)]
    assert [row["number"] for row in body(read(client, operator_key, account="acme"))["statements"]] == ["T-000001"]
    some = body(read(client, operator_key, month=AUGUST, limit="1"))
    assert ([row["account_id"] for row in some["statements"]], some["more"]) == (["acme"], True)
    assert body(read(client, operator_key, f"/{AUGUST}", account="other"))["statement"]["number"] == "T-000002"
    refused = read(client, operator_key, f"/{AUGUST}")
    assert (refused.status_code, "account must name" in refused.text) == (400, True)
    unknown = read(client, operator_key, f"/{AUGUST}", account="nobody")
    assert (unknown.status_code, json.loads(unknown.data)["code"]) == (404, "no_statement")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/2099-01", 404, "no_statement"), ("/2026-13", 400, "bad_parameter"), ("/1969-12", 400, "bad_parameter"),
        ("/2999-01", 404, "no_statement"), ("/latest", 400, "bad_parameter"),
        (f"/{AUGUST}?format=xls", 400, "bad_parameter"), (f"/{AUGUST}?mouth=1", 400, "unknown_parameter"),
        ("?month=2026", 400, "bad_parameter"), ("?limit=0", 400, "bad_parameter"),
    ],
)  # fmt: skip
def test_what_is_refused(client: FlaskClient, key: str, path: str, status: int, code: str) -> None:
    """Each with a code and what to do."""
    response = client.get(f"/v1/statements{path}", headers={"x-api-key": key})
    assert (response.status_code, json.loads(response.data)["code"]) == (status, code), response.text


def test_a_key_needs_the_scope_of_calls(client: FlaskClient, accounts: Connection) -> None:
    """A statement says what the calls cost."""
    accounts.execute("UPDATE api_key SET scopes = '{}'")
    bare = keys.create(accounts, account_id="acme", scopes=[])[1]
    assert read(client, bare, f"/{AUGUST}").status_code == 403
    assert read(client, bare).status_code == 403


def test_an_amount_without_a_currency_is_named(client: FlaskClient, key: str, accounts: Connection) -> None:
    """No total can be rounded then: the operator prices these calls again."""
    store(accounts, call("a", "acme", instant("2026-10-25")))
    accounts.execute("UPDATE call_cdr SET currency = NULL")
    response = read(client, key, f"/{OCTOBER}")
    assert (response.status_code, json.loads(response.data)["code"]) == (422, "no_currency")
