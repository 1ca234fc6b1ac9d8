"""Whether a text names a number, however it is written or was dialled. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from tollbook.errors import UsageError
from tollbook.model.leg import Facts, Leg
from tollbook.model.numbering import NumberingPlan
from tollbook.model.numbers import digits_of, number_of, without_separators
from tollbook.store.erasure.naming import RowTexts

# A shorter number, such as an extension, is another one's in every account.
SHORTEST_ANYWHERE: Final = 7

# The last digits are the same however country and area were dialled.
_COMMON_DIGITS: Final = 4

# The facts of a leg that are, or hold, numbers: the last three are a channel's name and a dial string.
_NUMBERS: Final = (
    "caller", "ani", "dialed", "original_dialed", "req_user", "call_number", "user", "dialed_user", "cc_agent",
    "channel", "last_arg",
)  # fmt: skip
_WITHIN: Final = re.compile(r"\+?[0-9]{4,}")
# A number by itself in a longer text: no part of a word or of a longer number, as half of a UUID is.
_LONG_WITHIN: Final = re.compile(rf"(?<![0-9A-Za-z])\+?[0-9]{{{SHORTEST_ANYWHERE},32}}(?![0-9A-Za-z])")
# One that is written with separators, in a text that holds more. Half an id, such as a UUID, is none.
_SEPARATED_WITHIN: Final = re.compile(r"(?<![\w.-])\+?[0-9](?:[ .()-]{0,2}[0-9]){6,31}(?![\w.-])")
_ADDRESS: Final = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")


class ErasedNumber:
    """A number, and how the accounts dial.

    `text` is E.164 with its +, or as the account dials it; without a numbering plan, its digits.
    """

    def __init__(self, text: str, account_id: str | None, numberings: Mapping[str, NumberingPlan]) -> None:
        """Raise UsageError for a text that is no number, or a short one without an account."""
        self.text = text.strip()
        self._numberings = numberings
        digits = digits_of(self.text)
        if digits is None or not digits:
            raise UsageError(f"{text!r} is no number: write it as +4930123456, or as the account dials it")
        if len(digits) < SHORTEST_ANYWHERE and account_id is None:
            raise UsageError(f"{text} is short, and another one's in every account: name the account, too")
        self._digits = (None if self.text.startswith("+") else self._read(self.text, account_id)) or digits

    @property
    def sought(self) -> str:
        """Return digits that stand in every text that names the number, once its separators are taken out."""
        return self._digits[-_COMMON_DIGITS:]

    @property
    def canonical(self) -> str:
        """Return the number in one form, however it was written: the same number again, of the same account."""
        return self._digits if len(self._digits) < SHORTEST_ANYWHERE else f"+{self._digits}"

    def owned(self, owners: Mapping[str, str], account_id: str | None) -> dict[str, str]:
        """Return the numbers of an account (None: of any) that are this one, as their owner dials, and their owners.

        `owners`: the account that owns each number, by `owner_key`.
        """
        return {key: owner for key, owner in owners.items() if account_id in (None, owner) and self._is(key, owner)}

    def named_in(self, texts: Iterable[str], account_id: str | None) -> bool:
        """Return whether one of the texts is the number, as the account dials it, or holds it."""
        return any(self._is(number, account_id) for text in texts for number in _numbers_in(text))

    def named_in_row(self, row: RowTexts, account_id: str | None) -> bool:
        """Return whether the number is one of a row's: of the parties, the agent, a charge, or in its details."""
        charged: list[dict[str, object]] = msgspec.json.decode(row.parts) if row.parts else []
        texts = [row.from_num, row.to_num, row.agent_id or "", *(str(part.get("number", "")) for part in charged)]
        recordings: list[str] = msgspec.json.decode(row.recordings) if row.recordings else []
        variables: dict[str, str] = msgspec.json.decode(row.vars) if row.vars else {}
        details = [row.sip_call_id or "", *recordings, *variables.values()]
        return self.named_in(texts, account_id) or self.held_by(details, account_id)

    def named_by(self, leg: Leg, account_id: str | None) -> bool:
        """Return whether one of a leg's facts names the number, or what is kept of it for the call's details."""
        facts = [facts for facts in (leg.create, leg.look, leg.end) if facts is not None]
        details = [text for stated in facts for text in (stated.sip_call_id, *(value for _, value in stated.vars))]
        details += leg.noted.recordings if leg.noted is not None else ()
        texts = [text for stated in facts for text in _texts_of(stated)]
        return self.named_in(texts, account_id) or self.held_by(details, account_id)

    def held_by(self, texts: Iterable[str], account_id: str | None) -> bool:
        """Return whether one of the texts holds the number, where numbers are an exception: ids, paths, variables.

        A short one is never found there: 1001 may as well be a campaign, a date or a part of an id.
        """
        if len(self._digits) < SHORTEST_ANYWHERE:
            return False
        return any(self._is(number, account_id) for text in texts for number in _long_numbers_in(text))

    def _is(self, number: str, account_id: str | None) -> bool:
        if self.sought not in without_separators(number):
            return False
        return digits_of(number) == self._digits or self._read(number, account_id) == self._digits

    def _read(self, number: str, account_id: str | None) -> str | None:
        plan = self._numberings.get(account_id) if account_id is not None else None
        return plan.parse(number).digits if plan is not None else None


def _texts_of(facts: Facts) -> Iterator[str]:
    return (text for name in _NUMBERS if (text := getattr(facts, name)))


def _long_numbers_in(text: str) -> Iterator[str]:
    yield from _LONG_WITHIN.findall(text)
    yield from (found for found in _SEPARATED_WITHIN.findall(text) if not _ADDRESS.fullmatch(found))


def _numbers_in(text: str) -> Iterator[str]:
    yield text
    number = number_of(text)
    if number == text or "@" in text or not _ADDRESS.fullmatch(number):  # `sofia/external/10.1.2.3` is a host's
        yield number
    yield from _WITHIN.findall(text)
    yield from (found for found in _SEPARATED_WITHIN.findall(text) if not _ADDRESS.fullmatch(found))
