"""Recorded calls in the forms in which other systems keep them: written from the definitions of these forms.

mod_xml_cdr: `switch_ivr_generate_xml_cdr` of FreeSWITCH. FusionPBX: `xml_cdr.php`, which makes a row of v_xml_cdr from
such a file; its export: `xml_cdr_inc.php` and `xml_cdr_export.php`.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape, quoteattr

from tests.paths import CALLS

Record = dict[str, Any]

NAMES = sorted(folder.name for folder in CALLS.iterdir() if (folder / "json_cdr").is_dir())

#: The columns of v_xml_cdr that FusionPBX fills, in the order of its definition.
V_XML_CDR = (
    "xml_cdr_uuid", "domain_uuid", "extension_uuid", "sip_call_id", "domain_name", "accountcode", "direction",
    "context", "caller_id_name", "caller_id_number", "caller_destination", "source_number", "destination_number",
    "start_epoch", "start_stamp", "answer_stamp", "answer_epoch", "end_epoch", "end_stamp", "duration", "mduration",
    "billsec", "billmsec", "bridge_uuid", "read_codec", "write_codec", "network_addr", "record_path", "record_name",
    "leg", "originating_leg_uuid", "pdd_ms", "rtp_audio_in_mos", "last_app", "last_arg", "missed_call", "cc_side",
    "cc_queue", "cc_member_session_uuid", "cc_agent", "cc_agent_type", "cc_agent_bridged", "cc_queue_joined_epoch",
    "cc_queue_answered_epoch", "cc_queue_canceled_epoch", "cc_cause", "hangup_cause", "sip_hangup_disposition", "json",
)  # fmt: skip


def records(name: str) -> list[tuple[str, Record]]:
    """What mod_json_cdr wrote for the legs of a recorded call, by file."""
    files = sorted((CALLS / name / "json_cdr").iterdir())
    return [(file.name.removesuffix(".json"), json.loads(file.read_bytes(), strict=False)) for file in files]


def variables(record: Record) -> dict[str, str]:
    """The variables of a leg, decoded."""
    return {name: unquote(value) for name, value in record["variables"].items() if isinstance(value, str)}


def xml_of(record: Record) -> bytes:
    """The same as mod_xml_cdr writes it."""
    lines = ['<?xml version="1.0"?>']
    lines.append(f"<cdr core-uuid={quoteattr(record['core-uuid'])} switchname={quoteattr(record['switchname'])}>")
    lines.append("  <channel_data>\n    <state>CS_REPORTING</state>\n  </channel_data>\n  <variables>")
    lines += [
        f"    <{name}>{escape(quote(value, safe='-_.!~*()/'))}</{name}>" for name, value in variables(record).items()
    ]
    lines.append("  </variables>\n  <app_log>")
    lines.append('    <application app_name="set" app_data="a=&lt;b&gt;" app_stamp="1"></application>\n  </app_log>')
    for flow in record["callflow"]:
        lines.append(f"  <callflow dialplan={quoteattr(flow.get('dialplan', ''))}>\n    <caller_profile>")
        profile = flow["caller_profile"]
        lines += [f"      <{name}>{escape(text)}</{name}>" for name, text in profile.items() if isinstance(text, str)]
        above = profile.get("originator", {}).get("originator_caller_profiles", [])
        if above:
            lines.append("      <originator>")
            for each in above:
                inner = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in each.items() if isinstance(v, str))
                lines.append(f"        <originator_caller_profile>{inner}</originator_caller_profile>")
            lines.append("      </originator>")
        lines.append("    </caller_profile>\n    <times>")
        lines += [f"      <{name}>{value}</{name}>" for name, value in flow["times"].items()]
        lines.append("    </times>\n  </callflow>")
    return "\n".join([*lines, "</cdr>", ""]).encode()


def v_xml_cdr_row(name: str, record: Record, *, direction: str = "local", with_json: bool = False) -> dict[str, str]:
    """The row that FusionPBX makes of a leg's file; with the whole record in `json`, as it keeps it if told to.

    `direction`: what its dialplan sets as call_direction, where the recording's own did not.
    """
    stated, newest = variables(record), record["callflow"][0]["caller_profile"]
    row = {column: stated.get(column, "") for column in V_XML_CDR}
    oldest = record["callflow"][-1]["caller_profile"]
    row |= {
        "xml_cdr_uuid": stated["uuid"],
        "direction": stated.get("call_direction", "") or direction,
        "caller_id_number": "".join(c for c in newest["caller_id_number"] if c in "0123456789-#*"),
        "destination_number": newest["destination_number"],
        "caller_destination": oldest["destination_number"],
        "context": newest["context"],
        "network_addr": stated.get("sip_network_ip", ""),
        "leg": "a" if name.startswith("a_") else "b",
        "duration": stated["billsec"],
        "mduration": stated["billmsec"],
        "json": "",
    }
    for moment in ("start", "answer", "end"):
        row[f"{moment}_stamp"] = f"{stated[f'{moment}_stamp']}+00" if stated.get(f"{moment}_stamp") else ""
    if with_json:
        flows = record["callflow"]
        tree = {
            "@attributes": {"core-uuid": record["core-uuid"], "switchname": record["switchname"]},
            "variables": {key: quote(value) for key, value in stated.items()},
            "callflow": [_as_simple_xml(flow) for flow in flows] if len(flows) > 1 else _as_simple_xml(flows[0]),
        }
        row["json"] = json.dumps(tree)
    return row


def _as_simple_xml(flow: Record) -> Record:
    """What PHP's json_encode makes of a <callflow>: an empty element is an empty object."""
    profile = {key: value or {} for key, value in flow["caller_profile"].items() if isinstance(value, str)}
    above = flow["caller_profile"].get("originator", {}).get("originator_caller_profiles", [])
    if above:
        profile["originator"] = {"originator_caller_profile": above if len(above) > 1 else above[0]}
    return {"caller_profile": profile, "times": flow["times"]}


def v_xml_cdr(names: Iterable[str], *, with_json: bool = False) -> list[dict[str, str]]:
    """The rows of recorded calls, whose direction FusionPBX's dialplans set."""
    rows: list[dict[str, str]] = []
    for name in names:
        (call, *_) = json.loads((CALLS / name / "rows.json").read_text())
        direction = "local" if call["direction"] == "internal" else call["direction"]
        rows += [
            v_xml_cdr_row(file, record, direction=direction, with_json=with_json) for file, record in records(name)
        ]
    return rows


def copied(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as `COPY … TO … CSV HEADER` writes them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def exported(rows: Iterable[Mapping[str, str]]) -> str:
    """Rows of v_xml_cdr as FusionPBX's own export writes them: each value in quotes, and nothing escaped."""
    lines: list[str] = []
    for row in rows:
        shown = {
            "domain_uuid": "", "sip_call_id": row["sip_call_id"], "extension": "", "extension_name": "",
            "start_stamp": row["start_stamp"], "end_stamp": row["end_stamp"], "start_date_formatted": "23 Nov 2026",
            "start_time_formatted": "11:32 am",
        }  # fmt: skip
        shown |= {
            name: row[name]
            for name in (
                "start_epoch", "hangup_cause", "duration", "billmsec", "missed_call", "record_path", "record_name",
                "xml_cdr_uuid", "bridge_uuid", "direction", "billsec", "caller_id_name", "caller_id_number",
                "caller_destination", "source_number", "destination_number", "leg", "read_codec", "write_codec",
                "cc_side", "accountcode", "answer_stamp", "sip_hangup_disposition", "pdd_ms", "rtp_audio_in_mos",
            )
        }  # fmt: skip
        if not lines:
            lines.append(",".join(f'"{name}"' for name in shown))
        lines.append(",".join(f'"{value}"' for value in shown.values()))
    return "\n".join(lines) + "\n"


def master_line(record: Record, *columns: str) -> str:
    """A line of Master.csv by the template `example`, or by one of these columns."""
    stated = variables(record) | {
        key: value for key, value in record["callflow"][0]["caller_profile"].items() if isinstance(value, str)
    }
    shown = columns or (
        "caller_id_name", "caller_id_number", "destination_number", "context", "start_stamp", "answer_stamp",
        "end_stamp", "duration", "billsec", "hangup_cause", "uuid", "bleg_uuid", "accountcode", "read_codec",
        "write_codec",
    )  # fmt: skip
    return ",".join(f'"{stated.get(column, "")}"' for column in shown) + "\n"


def folder_of(names: Iterable[str], path: Path) -> int:
    """Write the XML of these recorded calls into a folder; return how many files."""
    path.mkdir(parents=True, exist_ok=True)
    count = 0
    for name in names:
        for file, record in records(name):
            (path / f"{name}-{file}.xml").write_bytes(xml_of(record))
            count += 1
    return count
