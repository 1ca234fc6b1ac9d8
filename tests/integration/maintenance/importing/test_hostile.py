"""Hostile files: each record that cannot be used is refused with its line and reason, and no other is lost."""

import csv
import fcntl
import json
from pathlib import Path

import psycopg
import pytest

from tests.commands import Tollbook
from tests.databases import NewDatabase
from tests.imported import records, xml_of
from tests.integration.maintenance.importing.past import NOON, archived, hot, line, stamp
from tollbook.config import Settings

HOW = ("--switch", "fs-old", "--timezone", "UTC")


def refused(tmp_path: Path) -> list[dict[str, str]]:
    with (tmp_path / "data" / "imports" / "refused.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_bad_line_is_refused_alone(tollbook: Tollbook, tmp_path: Path, database_url: str) -> None:
    """With its number, its reason and its text; the exit code says that there are some."""
    bad = {
        2: (line("b", uuid=""), "it has no uuid"),
        3: (line("c", start_stamp="yesterday"), "no time like"),
        4: (line("d", end_stamp=stamp(NOON - 99)), "ended before it began"),
        5: ('"too","short"\n', "it has 2 values"),
        6: (line("e", caller_id_name='","'), "it has 16 values"),
        7: (line("f", uuid="x" * 300), "longer than 256 bytes"),
        8: (line("h", -400), "begins more than a week from now"),
    }
    (tmp_path / "Master.csv").write_text(line("a") + "".join(text for text, _ in bad.values()) + line("z"))
    done = tollbook("import", "cdr_csv", "Master.csv", *HOW)
    assert done.returncode == 65
    assert "7 records were refused" in done.stderr
    assert [row["call_id"] for row in hot(database_url)] == ["a", "z"]
    found = {int(row["line"]): row for row in refused(tmp_path)}
    assert found.keys() == bad.keys()
    for number, (text, reason) in bad.items():
        assert reason in found[number]["reason"]
        assert number == 8 or found[number]["record"] == text.rstrip("\n")


def test_the_refused_records_outlive_their_own_import_and_one_beside_another(
    tollbook: Tollbook, tmp_path: Path
) -> None:
    """Who corrects them in place, or begins a second import while one runs, loses none."""
    (tmp_path / "Master.csv").write_text(line("b", uuid=""))
    assert tollbook("import", "cdr_csv", "Master.csv", *HOW).returncode == 65
    path = tmp_path / "data" / "imports" / "refused.csv"
    before = path.read_text()
    done = tollbook("import", "cdr_csv", str(path), *HOW)
    assert "copy it" in done.stderr
    with (path.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another `tollbook import`" in tollbook("import", "cdr_csv", "Master.csv", *HOW).stderr
    assert path.read_text() == before


def test_a_record_that_no_parser_expects_ends_no_run(tollbook: Tollbook, tmp_path: Path, database_url: str) -> None:
    """Half a character in `json`, elements in elements without end in `xml`, and the first day of all as "no time"."""
    with (tmp_path / "v_xml_cdr.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("xml_cdr_uuid", "start_stamp", "end_stamp", "json", "xml"))
        times = f"{stamp(NOON)}+00", f"{stamp(NOON + 5)}+00"
        record = json.dumps(records("answer_beta_account")[0][1] | {"@attributes": {"switchname": "\ud800"}})
        writer.writerow(("json", *times, record, ""))
        writer.writerow(("xml", *times, "", f"<cdr><callflow>{'<a>' * 3000}{'</a>' * 3000}</callflow></cdr>"))
        writer.writerow(("none", "0001-01-01 00:00:00", times[1], "", ""))
        writer.writerow(("last", *times, "", ""))
    done = tollbook("import", "fusionpbx", "v_xml_cdr.csv", "--switch", "fs-old", "--timezone", "Europe/Berlin")
    assert done.returncode == 65, done.stderr
    assert {"xml", "last"} <= {row["call_id"] for row in hot(database_url)}
    assert [row["reason"] for row in refused(tmp_path)] == ["'0001-01-01 00:00:00' is before 2000, or after 2100"]


def test_names_of_any_bytes_and_any_length_are_kept_within_bounds(
    tollbook: Tollbook, tmp_path: Path, database_url: str
) -> None:
    """Quotes, latin-1, a NUL, a spreadsheet's formula, a megabyte."""
    texts = [line("a", caller_id_name='"; DROP'), line("b", destination_number="9" * 1_000_000)]
    raw = "".join(texts).encode() + line("c", caller_id_number="M\0ü").encode("latin-1")
    (tmp_path / "Master.csv").write_bytes(raw)
    assert tollbook("import", "cdr_csv", "Master.csv", *HOW).returncode == 0
    rows = {row["call_id"]: row for row in hot(database_url)}
    assert len(rows["b"]["to_num"]) == 256
    assert rows["c"]["from_num"] == "M\ufffd\ufffd"


def test_b_legs_are_part_of_their_call_and_without_it_refused(
    tollbook: Tollbook, tmp_path: Path, database_url: str
) -> None:
    """A table of mod_cdr_pg_csv with `originator`: the b-leg's row may come first, or its a-leg be missing."""
    columns = (
        "uuid,originator,start_epoch,answer_epoch,end_epoch,caller_id_number,destination_number,context,accountcode"
    )
    times = f"{NOON},{NOON + 5},{NOON + 65}"
    (tmp_path / "cdr.csv").write_text(
        f"{columns}\nb,a,{times},1001,15551230001,default,\na,,{times},1001,915551230001,default,acme\n"
        f"orphan,nobody,{times},1001,1002,default,\n"
    )
    done = tollbook("import", "cdr_pg_csv", "cdr.csv", "--switch", "fs-old")
    assert done.returncode == 65
    (row,) = hot(database_url)
    assert (row["call_id"], row["direction"], row["to_num"]) == ("a", "outbound", "915551230001")
    assert [part["number"] for part in row["parts"]] == ["15551230001"]
    (only,) = refused(tmp_path)
    assert "not among the records" in only["reason"]
    assert "orphan" in only["record"]


@pytest.mark.usefixtures("young")
def test_xml_that_is_no_record_is_refused(tollbook: Tollbook, tmp_path: Path, database_url: str) -> None:
    """Entities, a file that was cut, names that no XML may have; and the bodies of failed requests are read."""
    import base64
    from urllib.parse import quote

    folder = tmp_path / "xml"
    folder.mkdir()
    (_, one), (_, two), (_, three) = (
        records(name)[0] for name in ("fail_busy", "fail_noanswer", "answer_beta_account")
    )
    (folder / "encoded.cdr.xml").write_text("cdr=" + quote(xml_of(one).decode(), safe=""))
    (folder / "base64.cdr.xml").write_bytes(base64.encodebytes(xml_of(two) + b"\0\0"))
    strange = b"<variables>\n<set x>1</set x>\n<9>1</9>\n<^^,a>%3C</^^,a>"
    (folder / "strange.cdr.xml").write_bytes(xml_of(three).replace(b"<variables>", strange))
    (folder / "bomb.cdr.xml").write_bytes(b'<!DOCTYPE a [<!ENTITY b "c">]>' + xml_of(three))
    (folder / "cut.cdr.xml").write_bytes(xml_of(three)[:-400])
    (folder / "empty.cdr.xml").write_bytes(b"")
    done = tollbook("import", "xml_cdr", "xml")
    assert done.returncode == 65
    assert len(hot(database_url)) == 3
    reasons = {row["source"]: row["reason"] for row in refused(tmp_path)}
    assert reasons.keys() == {"bomb.cdr.xml", "cut.cdr.xml", "empty.cdr.xml"}
    assert "declares" in reasons["bomb.cdr.xml"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cdr_csv", "Master.csv"), "--switch NAME"),
        (("cdr_csv", "Master.csv", "--switch", "a"), "--timezone Europe/Berlin"),
        (("cdr_csv", "Master.csv", "--switch", "a", "--timezone", "Mars"), "no time zone 'Mars'"),
        (("cdr_csv", "nowhere.csv", *HOW), "cannot be read"),
        (("cdr_csv", "Master.csv", *HOW, "--template", "none"), "no template 'none'"),
        (("xml_cdr", "Master.csv"), "is no folder"),
        (("fusionpbx", "empty.csv", *HOW), "names of its columns"),
        (("fusionpbx", "postgresql://nobody@127.0.0.1:1/x", *HOW), "v_xml_cdr cannot be read"),
    ],
)
def test_a_wrong_command_says_what_to_do(
    arguments: tuple[str, ...], said: str, tollbook: Tollbook, tmp_path: Path, database_url: str
) -> None:
    """And writes nothing."""
    (tmp_path / "Master.csv").write_text(line("a"))
    (tmp_path / "empty.csv").write_text("")
    done = tollbook("import", *arguments)
    assert done.returncode == 64
    assert said in done.stderr
    assert hot(database_url) == []


def test_a_dry_run_shows_the_calls_and_writes_nothing(
    tollbook: Tollbook, tmp_path: Path, settings: Settings, database_url: str
) -> None:
    """The first ten as they would become, and the counts by tier."""
    (tmp_path / "Master.csv").write_text("".join(line(f"c{days}", days) for days in range(0, 80, 4)))
    done = tollbook("import", "cdr_csv", "Master.csv", *HOW, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" acme outbound 1001 -> 442079460000 60 s answered NORMAL_CLEARING c") == 10
    assert "20 calls would be written (8 to PostgreSQL, 12 to the archive)" in done.stdout
    assert (hot(database_url), archived(settings)) == ([], [])


def test_a_table_is_read_from_its_database(tollbook: Tollbook, database_url: str, new_database: NewDatabase) -> None:
    """With the types of FreeSWITCH's own create.sql; times have their offset there."""
    with new_database() as other:
        with psycopg.connect(other) as connection:
            connection.execute(
                "CREATE TABLE cdr (local_ip_v4 inet NOT NULL, caller_id_name varchar, caller_id_number varchar,"
                " destination_number varchar NOT NULL, context varchar NOT NULL, start_stamp timestamptz NOT NULL,"
                " answer_stamp timestamptz, end_stamp timestamptz NOT NULL, duration int NOT NULL,"
                " billsec int NOT NULL, hangup_cause varchar NOT NULL, uuid uuid NOT NULL, bleg_uuid uuid,"
                " accountcode varchar, read_codec varchar, write_codec varchar, sip_hangup_disposition varchar,"
                " ani varchar)"
            )
            connection.execute(
                "INSERT INTO cdr SELECT '192.0.2.1', 'Joe', '1001', '442079460000', 'default', at, NULL,"
                " at + interval '9 seconds', 9, 0, 'NO_ANSWER', gen_random_uuid(), NULL, 'acme', 'PCMU', 'PCMU'"
                " FROM generate_series(1, 1200) AS n, LATERAL (SELECT now() - n * interval '1 minute' AS at) AS times"
            )
        done = tollbook("import", "cdr_pg_csv", other, "--switch", "fs-old")
    assert done.returncode == 0, done.stderr
    rows = hot(database_url)
    assert len(rows) == 1200
    assert {(row["direction"], row["disposition"], row["imported"]) for row in rows} == {
        ("outbound", "no_answer", "cdr_pg_csv cdr")
    }
