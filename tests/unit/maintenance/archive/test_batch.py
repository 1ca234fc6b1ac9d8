"""A batch as PostgreSQL's COPY writes it becomes the archive's rows and corrections."""

from typing import Any

import pytest

from maintenance.archive.batch import Correction, parse
from tollbook.archive.schema import ARCHIVE_COLUMNS, account_of, archived_account, arrow_schema
from tollbook.model.call_key import CallKey
from tollbook.model.details import DETAIL_COLUMNS
from tollbook.store.outbox_rows import OUTBOX_COLUMNS

START_MS = 1_790_000_000_123

LINE: dict[str, str] = {
    "call_id": "c1", "account_id": "acme", "direction": "inbound", "from_num": "100", "to_num": "200",
    "start_ts": str(START_MS), "answer_ts": "", "end_ts": str(START_MS + 1000), "duration_sec": "1", "billsec": "0",
    "answered": "0", "disposition": "no_answer", "hangup_cause": "NO_ANSWER", "queue_id": "", "agent_id": "",
    "cost_micros": "", "parts": "[]", "revision": "1", "switch": "sw", "estimated": "f",
    "currency": "EUR", **dict.fromkeys(DETAIL_COLUMNS, ""), "trunk_root": "t",
    "gone": "f", "deleted": "f", "prior_accounts": "[]", "since_ms": "7",
}  # fmt: skip
DELETED = {
    **dict.fromkeys(LINE, ""),
    "call_id": "c9",
    "start_ts": str(START_MS),
    "switch": "sw",
    "gone": "t",
    "deleted": "t",
    "since_ms": "7",
}


def csv(*lines: dict[str, str]) -> bytes:
    return "".join(",".join(line[name] for name in OUTBOX_COLUMNS) + "\n" for line in lines).encode()


def only_row(**changed: str) -> dict[str, Any]:
    return parse(csv({**LINE, **changed})).rows.to_pylist()[0]


def test_a_first_revision_is_a_row_and_no_correction() -> None:
    content = parse(csv(LINE))
    assert content.corrections == ()
    assert content.rows.schema == arrow_schema()
    assert content.rows.column_names == list(ARCHIVE_COLUMNS)
    assert content.rows["start_ts"].to_pylist()[0].timestamp() == START_MS / 1000
    assert content.rows["answer_ts"].to_pylist() == [None]


def test_no_rows_give_an_empty_table() -> None:
    content = parse(b"")
    assert (content.rows.num_rows, content.corrections) == (0, ())
    assert content.rows.schema == arrow_schema()


@pytest.mark.parametrize(
    ("written", "read"),
    [("", None), ('""', ""), ('"a,b"', "a,b"), ('"say ""hi"""', 'say "hi"'), ('"two\nlines"', "two\nlines"),
     ('"cr\rlf\r\n"', "cr\rlf\r\n"), ("NULL", "NULL"), ("nan", "nan"), ('"\\."', "\\."), (" x ", " x "),
     ("Müller 🙂", "Müller 🙂"), ("0042", "0042"), ("x" * 3_000_000, "x" * 3_000_000)],
    ids=["null", "empty", "comma", "quotes", "newline", "carriage return", "the word NULL", "nan", "end of copy",
         "spaces", "unicode", "leading zeros", "three million characters"],
)  # fmt: skip
def test_a_text_is_read_back_as_it_was(written: str, read: str | None) -> None:
    assert only_row(agent_id=written)["agent_id"] == read


def test_a_batch_of_rows_that_all_lack_a_value_keeps_the_columns_type() -> None:
    assert parse(csv(LINE, LINE)).rows["cost_micros"].to_pylist() == [None, None]


@pytest.mark.parametrize("revision", ["2", "3"])
def test_a_later_revision_is_looked_for_under_every_account_that_it_had(revision: str) -> None:
    content = parse(csv({**LINE, "revision": revision, "prior_accounts": '"[""old"", null]"'}))
    expected = frozenset({"acme", "old", archived_account(None)})
    assert content.corrections == (
        Correction(key=CallKey(START_MS, "c1", "sw"), accounts=expected, gone=False, since_ms=7),
    )
    assert content.rows.num_rows == 1


def test_a_deleted_call_is_a_correction_anywhere_and_no_row() -> None:
    content = parse(csv(LINE, DELETED))
    assert content.corrections == (Correction(key=CallKey(START_MS, "c9", "sw"), accounts=None, gone=True, since_ms=7),)
    assert content.rows["call_id"].to_pylist() == ["c1"]


def test_a_call_that_was_deleted_and_written_anew_is_a_correction_anywhere_and_a_row() -> None:
    """Its history of accounts went with the row that was deleted: any of them may be what the archive has it under."""
    content = parse(csv({**LINE, "deleted": "t"}))
    assert content.corrections == (
        Correction(key=CallKey(START_MS, "c1", "sw"), accounts=None, gone=False, since_ms=7),
    )
    assert content.rows["call_id"].to_pylist() == ["c1"]


@pytest.mark.parametrize("account", [None, "acme", "_none", "_", "__none", "none", "ü_/ %", "x" * 400])
def test_every_account_and_none_has_an_archived_name_of_its_own(account: str | None) -> None:
    assert account_of(archived_account(account)) == account
    assert (archived_account(account) == "_none") == (account is None)


def test_accounts_get_their_archived_names() -> None:
    lines = [{**LINE, "account_id": name} for name in ("acme", "", "_none", "acme")]
    assert parse(csv(*lines)).rows["account_id"].to_pylist() == ["acme", "_none", "__none", "acme"]
