"""Each format, made from recorded calls whose rows are known: what becomes of them, column by column."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.commands import Done, Tollbook
from tests.imported import NAMES, copied, exported, folder_of, master_line, records, v_xml_cdr
from tests.paths import CALLS

Rows = dict[tuple[str, int], dict[str, Any]]

pytestmark = pytest.mark.usefixtures("young")

DETAILS = (
    "hung_up_by", "pdd_ms", "ring_ms", "wait_ms", "talk_ms", "hold_ms", "rx_mos", "codec", "sip_call_id", "source_ip",
    "gateway", "sip_status", "vars",
)  # fmt: skip


def rows(url: str, per: int = 1) -> Rows:
    """All rows, by id and start (epoch, in so many ms)."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        found = connection.execute("SELECT * FROM call_cdr").fetchall()
    return {(row["call_id"], row["start_ts"] // per): row for row in found}


def wanted(names: list[str], per: int = 1) -> Rows:
    every = [row for name in names for row in json.loads((CALLS / name / "rows.json").read_text())]
    return {(row["call_id"], row["start_ts"] // per): row for row in every}


def shown(row: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    parts = [[part["direction"], part["number"], part["seconds"]] for part in row["parts"] or []]
    return {name: parts if name == "parts" else row[name] for name in like}


def done_well(done: Done) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_xml_files_give_every_row_as_json_files_do(tollbook: Tollbook, tmp_path: Path, database_url: str) -> None:
    """mod_xml_cdr states what mod_json_cdr does: all columns and all charges, exactly."""
    files = folder_of(NAMES, tmp_path / "xml")
    said = done_well(tollbook("import", "xml_cdr", "xml"))
    assert f"{files} records read" in said
    found = rows(database_url)
    assert found.keys() == wanted(NAMES).keys()
    for key, want in wanted(NAMES).items():
        assert shown(found[key], want) == want
        assert found[key]["imported"].startswith("xml_cdr ")
        assert found[key]["cost_micros"] is None


def test_xml_files_give_every_detail_as_recover_does(
    tollbook: Tollbook, tmp_path: Path, database_url: str, new_database: Any
) -> None:
    """The same legs by `recover` and by `import`: all details are equal."""
    folder_of(NAMES, tmp_path / "xml")
    done_well(tollbook("import", "xml_cdr", "xml"))
    imported = rows(database_url)
    folder = tmp_path / "json"
    folder.mkdir()
    for name in NAMES:
        for file in (CALLS / name / "json_cdr").iterdir():
            (folder / f"{name}-{file.name}").write_bytes(file.read_bytes())
    with new_database() as other:
        assert tollbook("recover", "json", database_url=other).returncode == 0
        recovered = rows(other)
    assert {key: [row[name] for name in DETAILS] for key, row in imported.items()} == {
        key: [row[name] for name in DETAILS] for key, row in recovered.items()
    }


# What FusionPBX keeps in columns cannot give these calls whole; all others of the recordings it does.
DIGITS_ALONE = {  # FusionPBX keeps the digits of a caller's number, and of one that the dialplan changed that one
    "call_direction_variable", "cid_sip_percent_newline_injection", "cid_sip_unicode", "forward_inbound_to_mobile",
    "inbound_anonymous", "inbound_to_1001", "inbound_to_1002", "inbound_to_9200", "pickup_group",
    "queue_inbound_external", "transfer_inbound_out", *(f"cid_99{number:02}" for number in (0, 1, 3, 4, 5, 7)),
}  # fmt: skip
MADE_BY_THE_SWITCH = {  # nothing tells a leg that the switch made for nobody from one that came in
    "c2c_queue_ringall", "click_to_call_outbound", "conf_auto_outcall_no_account", "originate_to_carrier_ivr",
}  # fmt: skip
TWO_CALLS = {  # of a loopback, a fifo and a called party that was transferred nothing says whose leg is whose
    "attended_transfer", "bridge_loopback", "fifo_in_and_out", "transfer_b_leg", "transfer_outbound_to_third_party",
}  # fmt: skip
IN_COLUMNS = sorted({*NAMES} - DIGITS_ALONE - MADE_BY_THE_SWITCH - TWO_CALLS)
# Its own export has no column of a queue, and none that says whose a b-leg is that was never bridged.
IN_EXPORT = [name for name in IN_COLUMNS if not name.startswith("queue_") and name != "confirm_not_given"]
SECONDS = ("start_ts", "answer_ts", "end_ts")


def by_the_second(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value // 1000 * 1000 if name in SECONDS and value else value for name, value in row.items()}


@pytest.mark.parametrize(("written", "names"), [(copied, IN_COLUMNS), (exported, IN_EXPORT)])
def test_rows_of_v_xml_cdr_give_the_columns_in_whole_seconds(
    written: Callable[[Sequence[Mapping[str, str]]], str],
    names: list[str],
    tollbook: Tollbook,
    tmp_path: Path,
    database_url: str,
) -> None:
    """A row a leg, folded into calls: what the switch's own events gave, with times cut to the second."""
    (tmp_path / "cdr.csv").write_text(written(v_xml_cdr(names)))
    done_well(tollbook("import", "fusionpbx", "cdr.csv", "--switch", "fs-lab"))
    found, want = rows(database_url, 1000), wanted(names, 1000)
    assert found.keys() == want.keys()
    for key, row in want.items():
        assert by_the_second(shown(found[key], row)) == by_the_second(row), key
        assert found[key]["imported"] == "fusionpbx cdr.csv"


def test_the_whole_record_in_the_table_gives_every_row_exactly(
    tollbook: Tollbook, tmp_path: Path, database_url: str
) -> None:
    """Where FusionPBX keeps `json` in the row, it is as good as the file."""
    (tmp_path / "cdr.csv").write_text(copied(v_xml_cdr(NAMES, with_json=True)))
    done_well(tollbook("import", "fusionpbx", "cdr.csv", "--switch", "fs-lab"))
    found = rows(database_url)
    assert found.keys() == wanted(NAMES).keys()
    for key, want in wanted(NAMES).items():
        assert shown(found[key], want) == want


# A transfer's other legs, the first destination, what a queue did with a caller, and a number behind a speed dial.
A_LEGS_DO_NOT_SAY = (
    "att_xfer_trunk_cancelled", "blind_transfer_refer", "queue_abandoned", "speed_dial_to_carrier",
    "transfer_in_dialplan",
)  # fmt: skip


def test_master_csv_gives_the_columns_that_it_states(tollbook: Tollbook, tmp_path: Path, database_url: str) -> None:
    """A line an a-leg by the template `example`, in the zone of the machine."""
    names = [name for name in IN_COLUMNS if name not in A_LEGS_DO_NOT_SAY]
    a_legs = [record for name in names for file, record in records(name) if file.startswith("a_")]
    (tmp_path / "Master.csv").write_text("".join(master_line(record) for record in a_legs))
    done_well(tollbook("import", "cdr_csv", "Master.csv", "--switch", "fs-lab", "--timezone", "UTC"))
    found = rows(database_url, 1000)
    want = wanted(names, 1000)
    assert found.keys() == want.keys()
    columns = (
        "call_id", "account_id", "from_num", "to_num", *SECONDS, "duration_sec", "billsec", "answered", "disposition",
        "hangup_cause", "direction",
    )  # fmt: skip
    for key, row in want.items():
        like = {name: row[name] for name in columns if name in row}
        assert by_the_second(shown(found[key], like)) == by_the_second(like), key
