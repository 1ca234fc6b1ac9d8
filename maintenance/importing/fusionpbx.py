"""A leg from a row of FusionPBX's `v_xml_cdr`, which FusionPBX makes from a file of mod_xml_cdr."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from maintenance.importing.variables import LeftOut, Reading, ReadLeg, leg_of_variables
from maintenance.importing.xml_cdr import leg_of_tree, leg_of_xml
from maintenance.recover.json_cdr import parsed
from tollbook.errors import DataError
from tollbook.model.leg import Leg

# Its names, where FreeSWITCH has others. `direction` is the dialplan's call_direction, and no channel's.
_NAMES: Final = {"xml_cdr_uuid": "uuid", "direction": "call_direction"}
# What FusionPBX computes in its own way: `duration` is the billsec in newer versions.
_ITS_OWN: Final = frozenset(("duration", "mduration", "pdd_ms", "json", "xml", "call_flow", "status"))


def leg_of_row(row: Mapping[str, str], reading: Reading) -> ReadLeg:
    """Return the leg of a row; raise DataError if it states none, LeftOut, and NoZone.

    The whole record is in `json` or `xml` where FusionPBX keeps it in the table; otherwise the columns say what they
    can: whole seconds, and nothing of trunks.
    """
    for column, parse in (("json", _leg_of_json), ("xml", leg_of_xml)):
        if row.get(column):
            with suppress(DataError):  # cut, or of another layout: the columns say it, too
                return ReadLeg(leg=parse(row[column].encode(), reading))
    values = {_NAMES.get(name, name): value for name, value in row.items() if name not in _ITS_OWN}
    values["uuid"] = values.get("uuid") or row.get("uuid", "")
    b_leg = row.get("leg", "").strip() == "b"
    if b_leg:
        # FusionPBX writes `b` for a leg that was made for another one.
        values["direction"] = "outbound"
        values["originating_leg_uuid"] = values.get("originating_leg_uuid") or values.get("bridge_uuid", "")
        if not values["originating_leg_uuid"]:
            if values.get("billsec", "").strip("0."):
                raise DataError("a b-leg that does not say whose: neither originating_leg_uuid nor bridge_uuid")
            raise LeftOut
    else:
        values.pop("originating_leg_uuid", None)
    if row.get("extension") and not b_leg:
        values["user_name"] = row["extension"] if values.get("call_direction") in ("local", "outbound") else ""
    path, name = row.get("record_path", ""), row.get("record_name", "")
    return leg_of_variables(
        values,
        reading,
        first_dialed="" if b_leg else row.get("caller_destination", ""),
        recording=f"{path}/{name}" if path and name else "",
    )


def _leg_of_json(content: bytes, reading: Reading) -> Leg:
    return leg_of_tree(parsed(content), reading)
