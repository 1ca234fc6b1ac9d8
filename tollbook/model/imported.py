"""Calls that `tollbook import` read from another system's records: the formats, and what each does not state."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

ImportFormat: TypeAlias = Literal["fusionpbx", "cdr_csv", "cdr_pg_csv", "xml_cdr"]
IMPORT_FORMATS: Final[tuple[ImportFormat, ...]] = get_args(ImportFormat)

_NO_TRUNK: Final = "it does not state trunks, gateways, ringing and holds; its times are whole seconds"
_VARIABLES: Final = f"of its legs it states the variables in its columns alone; as a rule {_NO_TRUNK}"
_NOT_STATED: Final[Mapping[str, str]] = {
    "fusionpbx": f"a row of v_xml_cdr is a leg; without its columns `json` and `xml` {_NO_TRUNK}",
    "cdr_csv": _VARIABLES,
    "cdr_pg_csv": _VARIABLES,
    "xml_cdr": "it states of a leg what mod_json_cdr does: no voicemail message, and no recording",
}


def mark_of(kind: ImportFormat, name: str) -> str:
    """Return what an imported call's `imported` says: its format, and the name of the file or table."""
    return f"{kind} {name}"


def what_is_not_stated(imported: str) -> str:
    """Return a sentence for an imported call: where it comes from, and what its format does not state."""
    kind, _, name = imported.partition(" ")
    return f"imported from {name} ({kind}): {_NOT_STATED.get(kind, 'what it states is recorded')}"
