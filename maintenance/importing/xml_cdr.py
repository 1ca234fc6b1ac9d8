"""A leg from a file of mod_xml_cdr: what mod_json_cdr writes, in XML, plain or as it was sent to a web server.

A file that is left in `err-log-dir` has the body of the request that failed: URL-encoded, or in base64.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

from maintenance.importing.variables import Reading
from maintenance.recover.json_cdr import MAX_CONTAINERS, leg_of_record
from tollbook.errors import DataError
from tollbook.model.leg import IMPORTED, Leg

# Names of variables are names of elements, and a dialplan makes some that no XML may have (`<set x>`, `<1>`), so they
# are read without a parser: their values are URL-encoded, and hold no `<`.
_VARIABLES: Final = re.compile(rb"<variables>(.*?)</variables>", re.DOTALL)
_VARIABLE: Final = re.compile(rb"<([^<>/][^<>]*)>([^<]*)</\1>")
# What no rule reads, and is large.
_UNREAD: Final = re.compile(rb"<(app_log|call-stats|channel_data)>.*?</\1>", re.DOTALL)
_DECLARED: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ROOT: Final = re.compile(rb"<cdr\b")


def leg_of_xml(content: bytes, reading: Reading) -> Leg:
    """Return the leg of a file; raise DataError if it has none."""
    xml = _plain(content)
    if _DECLARED.search(xml):  # an entity can stand for gigabytes, or for a file
        raise DataError("it declares a document type or entities, which mod_xml_cdr never writes")
    if xml.count(b"<") > MAX_CONTAINERS:
        raise DataError(f"more than {MAX_CONTAINERS} elements in it")
    if not _ROOT.search(xml):
        raise DataError("no <cdr> in it")
    found = _VARIABLES.search(xml)
    variables: dict[str, list[str]] = {}
    for name, value in _VARIABLE.findall(found[1] if found else b""):
        variables.setdefault(_text(name.strip()), []).append(_text(value.strip()))
    rest = _UNREAD.sub(b"", _VARIABLES.sub(b"", xml))
    try:
        root = ElementTree.fromstring(rest.decode("utf-8", "replace"))  # noqa: S314 - no declarations are in it
        tree = _tree(root)
    except RecursionError as error:
        raise DataError("its elements are nested too deeply") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"not XML, perhaps cut off: {error}") from error
    tree["variables"] = {name: _array(values) for name, values in variables.items()}
    return leg_of_tree(tree, reading)


def leg_of_tree(tree: Any, reading: Reading) -> Leg:
    """Return the leg of the record as nested objects, as PHP's SimpleXML makes JSON of it; raise DataError."""
    if not isinstance(tree, dict):
        raise DataError("no record in it")
    record = cast("dict[str, Any]", tree)
    attributes: Any = record.get("@attributes")
    named = cast("dict[str, Any]", attributes) if isinstance(attributes, dict) else {}
    flows = [_flow(flow) for flow in _listed(record.get("callflow"))]
    record = {
        "core-uuid": _string(named.get("core-uuid")),
        "switchname": _string(named.get("switchname")) or reading.switch,
        "variables": record.get("variables"),
        "callflow": flows,
    }
    return leg_of_record(record, reading.headers, IMPORTED)


def _flow(flow: Any) -> dict[str, Any]:
    """Return a callflow as mod_json_cdr writes it, whose lists have other names and whose texts are never lists."""
    if not isinstance(flow, dict):
        return {}
    found = cast("dict[str, Any]", flow)
    profile = dict(_mapping(found.get("caller_profile")))
    above = _mapping(profile.pop("originator", None)).get("originator_caller_profile")
    kept = {name: value for name, value in profile.items() if isinstance(value, str)}
    originator = {"originator_caller_profiles": [_mapping(each) for each in _listed(above)]}
    return {
        "caller_profile": kept | ({"originator": originator} if above else {}),
        "times": {name: _string(value) for name, value in _mapping(found.get("times")).items()},
    }


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _array(values: Iterable[str]) -> str:
    """Return the values of a variable as FreeSWITCH writes an array in plain text."""
    several = tuple(values)
    return several[0] if len(several) == 1 else f"ARRAY::{'|:'.join(several)}"


def _tree(element: ElementTree.Element) -> dict[str, Any]:
    """Return an element as nested objects: a text, or an object of its children; several of a name are a list."""
    tree: dict[str, Any] = {"@attributes": dict(element.attrib)} if element.attrib else {}
    for child in element:
        value: Any = _tree(child) if len(child) else (child.text or "").strip()
        if child.tag in tree:
            before = tree[child.tag]
            tree[child.tag] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            tree[child.tag] = value
    return tree


def _plain(content: bytes) -> bytes:
    text = content.strip().removeprefix(b"\xef\xbb\xbf").removeprefix(b"cdr=")
    if text[:1] == b"<":
        return text
    if text[:3].lower() == b"%3c":
        return unquote_to_bytes(text.replace(b"+", b"%20"))
    try:
        return base64.b64decode(b"".join(text.split()), validate=True).rstrip(b"\0")
    except (binascii.Error, ValueError):
        raise DataError("it is neither XML, nor URL-encoded, nor base64") from None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
