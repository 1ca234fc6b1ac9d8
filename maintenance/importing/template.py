"""The templates of mod_cdr_csv: which variable stands in which place of a line. It escapes nothing that it writes."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from tollbook.errors import DataError, UsageError

_PROFILE: Final = '"${caller_id_name}","${caller_id_number}","${destination_number}","${context}"'
_TIMES: Final = '"${start_stamp}","${answer_stamp}","${end_stamp}","${duration}","${billsec}","${hangup_cause}"'
_IDS: Final = '"${uuid}","${bleg_uuid}"'
_CODECS: Final = '"${accountcode}","${read_codec}","${write_codec}"'
#: Those of FreeSWITCH's own configuration, by name; `default` is the one that it has without any.
SHIPPED: Final = {
    "example": f"{_PROFILE},{_TIMES},{_IDS},{_CODECS}",
    "sql": f'INSERT INTO cdr VALUES ({_PROFILE},{_TIMES},{_IDS}, "${{accountcode}}");',  # noqa: S608 - a line of a log
    "default": f'{_PROFILE},{_TIMES},{_IDS}, "${{accountcode}}"',
    "snom": f'{_PROFILE},{_TIMES},{_IDS}, {_CODECS},"${{sip_user_agent}}","${{call_clientcode}}","${{sip_rtp_rxstat}}",'
    '"${sip_rtp_txstat}","${sofia_record_file}"',
    "linksys": f'{_PROFILE},{_TIMES},{_IDS},{_CODECS},"${{sip_user_agent}}","${{sip_p_rtp_stat}}"',
    "asterisk": '"${accountcode}","${caller_id_number}","${destination_number}","${context}","${caller_id}",'
    f'"${{channel_name}}","${{bridge_channel}}","${{last_app}}","${{last_arg}}",{_TIMES},"${{amaflags}}","${{uuid}}",'
    '"${userfield}"',
    "opencdrrate": '"${uuid}","${signal_bond}","${direction}","${ani}","${destination_number}","${answer_stamp}",'
    '"${end_stamp}","${billsec}","${accountcode}","${userfield}","${network_addr}","${original_caller_id_name}",'
    '"${sip_gateway_name}"',
}
_NAME: Final = re.compile(r"\$\{([^{}]+)\}")
_BETWEEN_QUOTED: Final = re.compile(r'"\s*,\s*"')
_BETWEEN: Final = re.compile(r"\s*,\s*")


@dataclass(frozen=True, kw_only=True)
class Template:
    """The variables of a line in their order, what stands before and after them, and whether each is in quotes."""

    columns: Sequence[str]
    before: str
    after: str
    quoted: bool

    def values(self, line: str) -> dict[str, str]:
        """Return the values of a line, which ends without a newline; raise DataError for one of another layout.

        A caller's name may hold quotes. What looks like the end of one value and the beginning of the next cannot be
        told from it, and makes the line one of another layout.
        """
        if not line.startswith(self.before) or not line.rstrip().endswith(self.after):
            raise DataError(
                f"it does not begin with {self.before!r} and end with {self.after!r}, as the template has it"
            )
        inner = line[len(self.before) : len(line.rstrip()) - len(self.after)]
        values = (_BETWEEN_QUOTED if self.quoted else _BETWEEN).split(inner)
        if len(values) != len(self.columns):
            raise DataError(f"it has {len(values)} values, and the template {len(self.columns)}")
        return dict(zip(self.columns, values, strict=True))


def parse_template(text: str) -> Template:
    """Parse a template as cdr_csv.conf.xml has it; raise UsageError."""
    text = text.strip()
    found = list(_NAME.finditer(text))
    if not found:
        raise UsageError(f"the template {text[:80]!r} names no variable, as ${{uuid}} would")
    first, last = found[0].start(), found[-1].end()
    between = [text[left.end() : right.start()] for left, right in itertools.pairwise(found)]
    quoted = all(_BETWEEN_QUOTED.fullmatch(each) for each in between)
    if not quoted and not all(_BETWEEN.fullmatch(each) for each in between):
        raise UsageError(
            f"of the template {text[:80]!r} either every variable or none must stand in quotes, with commas between"
        )
    columns = [match[1] for match in found]
    if "uuid" not in columns:
        raise UsageError("the template has no ${uuid}: nothing says which call a line is of")
    return Template(columns=columns, before=text[:first], after=text[last:], quoted=quoted)


def template_of(name: str | None, conf: Path | None) -> Template:
    """Return the template of a name, of the shipped ones or of a cdr_csv.conf.xml; without a name its default one.

    Raises UsageError.
    """
    templates = dict(SHIPPED)
    if conf is not None:
        try:
            root = ElementTree.parse(conf).getroot()  # noqa: S314 - the operator's own configuration
        except (OSError, ElementTree.ParseError) as error:
            raise UsageError(f"{conf} cannot be read as cdr_csv.conf.xml: {error}") from None
        templates |= {each.get("name", ""): each.text or "" for each in root.iter("template")}
        if name is None:
            params = {each.get("name"): each.get("value") for each in root.iter("param")}
            name = params.get("default-template")
    name = name or "example"
    if name not in templates:
        raise UsageError(f"there is no template {name!r}: {', '.join(sorted(templates))}")
    return parse_template(templates[name])
