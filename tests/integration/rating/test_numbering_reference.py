"""The shipped numbering plans against libphonenumber, the reference for how numbers are dialled and written."""

import re
from collections.abc import Iterator
from typing import Final

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from tollbook.model.numbering import NumberingPlan
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs

PLANS = ["US", "CA", "GB", "DE", "FR", "IT", "ES", "BR", "RU", "IN", "AU"]

# Where ours differs, with the reason; each of these numbers is unrated, never priced as another. By plan, type of
# number, and form: as it is dialled in its country, or with + and the country code.
DIFFERENT: Final = {
    ("CA", "UAN", "international"): "310-xxxx is dialled all over Canada, and from nowhere else",
    (
        "DE",
        "PAGER",
        "national",
    ): "16412345 is written without the 0 that is dialled. The pagers of 0164 are switched off",
    ("IT", "VOICEMAIL", "national"): "a mobile number and two digits more, which only its own carrier knows",
    ("IT", "VOICEMAIL", "international"): "a mobile number and two digits more, which only its own carrier knows",
    ("IN", "UAN", "national"): "140 marks calls that telemarketers make. Nobody dials it",
    ("AU", "PAGER", "national"): "the pagers of 016 are switched off",
    ("AU", "PAGER", "international"): "the pagers of 016 are switched off",
}

# The same for numbers of other countries, by country and type.
DIFFERENT_ABROAD: Final = {
    ("CA", "UAN"): "not reached from abroad",
    ("IR", "UAN"): "+98 9601 has 6 digits in all; the shortest that is taken for a number has 7",
}

INTERNATIONAL_PREFIX: Final = {"US": "011", "CA": "011", "BR": "0015", "RU": "810", "AU": "0011"}  # all others: 00


@pytest.fixture
def plans(database: Connection) -> dict[str, NumberingPlan]:
    return {row.numbering_id: NumberingPlan(row) for row in tariffs.numberings(database)}


def examples(region: str) -> Iterator[tuple[str, phonenumbers.PhoneNumber]]:
    """The reference's example of each type of number that a country has."""
    for kind in PhoneNumberType.values():
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None:
            yield PhoneNumberType.to_string(kind), number


def e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")


def test_every_shipped_plan_is_compared(plans: dict[str, NumberingPlan]) -> None:
    """All but E164, which is no country."""
    assert set(plans) == {*PLANS, "E164"}


def test_numbers_of_the_own_country(plans: dict[str, NumberingPlan]) -> None:
    """Dialled as at home, and with + and the country code: the reference's E.164 digits, or none where listed."""
    forms = {"national": PhoneNumberFormat.NATIONAL, "international": PhoneNumberFormat.INTERNATIONAL}
    different: dict[tuple[str, str, str], str | None] = {}
    for plan in PLANS:
        for kind, number in examples(plan):
            for form, code in forms.items():
                digits = plans[plan].parse(phonenumbers.format_number(number, code)).digits
                if digits != e164(number):
                    different[plan, kind, form] = digits
    assert different == dict.fromkeys(DIFFERENT)


def shorter_than(digits: int) -> Iterator[str]:
    return (f"{number:0{length}}" for length in range(2, digits) for number in range(10**length))


@pytest.mark.parametrize("plan", PLANS)
def test_short_codes(plans: dict[str, NumberingPlan], plan: str) -> None:
    """All of the reference but what only messages are sent to or only one carrier knows; none as another number."""
    metadata = PhoneMetadata.short_metadata_for_region(plan)
    known, messages, carriers, emergency = (
        re.compile(kind.national_number_pattern if kind and kind.national_number_pattern else "(?!)")
        for kind in (metadata.short_code, metadata.sms_services, metadata.carrier_specific, metadata.emergency)
    )
    wanted = [
        number
        for number in shorter_than(7)
        if emergency.fullmatch(number)
        or (known.fullmatch(number) and not messages.fullmatch(number) and not carriers.fullmatch(number))
    ]
    # 13xxxx of Australia is a number in +61, in the reference as well.
    country = str(phonenumbers.country_code_for_region(plan))
    differing = [number for number in wanted if plans[plan].parse(number).digits not in (number, country + number)]
    assert (len(wanted) > 2, differing) == (True, [])


@pytest.mark.parametrize("plan", [*PLANS, "E164"])
def test_numbers_abroad(plans: dict[str, NumberingPlan], plan: str) -> None:
    """Of every country in the world: with +, and after the plan's international prefix."""
    own_code = phonenumbers.country_code_for_region(plan) if plan != "E164" else None
    prefix = "" if plan == "E164" else INTERNATIONAL_PREFIX.get(plan, "00")
    different: dict[tuple[str, str], str | None] = {}
    compared = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind, number in examples(region):
            if number.country_code == own_code:
                continue
            written = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
            for dialled in (written, f"{prefix} {e164(number)}"):
                compared += 1
                digits = plans[plan].parse(dialled).digits
                if digits != e164(number):
                    different[region, kind] = digits
    assert compared > 2000
    assert different == {where: None for where in DIFFERENT_ABROAD if plan == "E164" or where[0] not in _home(plan)}


def _home(plan: str) -> tuple[str, ...]:
    """The countries that share the plan's country code."""
    return phonenumbers.COUNTRY_CODE_TO_REGION_CODE[phonenumbers.country_code_for_region(plan)]
