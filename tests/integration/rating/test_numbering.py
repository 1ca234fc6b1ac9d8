"""The built-in numbering plans: what people dial in ten countries, and what is no number there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.loader import load_tariffs
from tollbook.errors import DataError, UsageError
from tollbook.model.numbering import NumberingPlan, NumberingRow, spellings_of
from tollbook.model.numbers import without_separators
from tollbook.store.database import Connection, store_errors
from tollbook.store.tariffs import accounts, tariffs
from tollbook.store.tariffs.tariffs import Account

# Plan, dialled, E.164; a short code stays as it is and is marked so.
DIALLED = [
    ("US", "2125550100", "12125550100"),
    ("US", "12125550100", "12125550100"),
    ("US", "+1 (212) 555-0100", "12125550100"),
    ("US", "011442079460000", "442079460000"),
    ("US", "10102881 212 555 0100", "12125550100"),
    ("US", "1010288011442079460000", "442079460000"),
    ("US", "1 868 555 0100", "18685550100"),
    ("US", "911", "short 911"),
    ("US", "933", "short 933"),
    ("US", "1170", "short 1170"),
    ("US", "*67 (212) 555-0100", "12125550100"),
    ("US", "*82 1 212 555 0100", "12125550100"),
    ("US", "1167 011 44 20 7946 0000", "442079460000"),
    ("US", "*67911", "short 911"),
    ("US", " (*67) 212 555 0100", "12125550100"),
    ("GB", "1-470 (020) 7946 0000", "442079460000"),
    ("CA", "310 1234", "13101234"),
    ("GB", "141 020 7946 0000", "442079460000"),
    ("GB", "1470 00 1 212 555 0100", "12125550100"),
    ("GB", "1471", "short 1471"),
    ("DE", "*31#030 123456", "4930123456"),
    ("DE", "#31#+49 30 123456", "4930123456"),
    ("FR", "3651 01 42 68 53 00", "33142685300"),
    ("ES", "067 912 345 678", "34912345678"),
    ("IT", "*67#06 698 1234", "39066981234"),
    ("IT", "1522", "short 1522"),
    ("BR", "4004 1234", "5540041234"),
    ("BR", "3003 1234", "5530031234"),
    ("BR", "0300 123 4567", "553001234567"),
    ("RU", "122", "short 122"),
    ("AU", "180 2123", "611802123"),
    ("AU", "1831 02 9876 5432", "61298765432"),
    ("AU", "1900 123 456", "611900123456"),
    ("US", "411", "short 411"),
    ("CA", "416 555 0100", "14165550100"),
    ("CA", "1-416-555-0100", "14165550100"),
    ("CA", "+14165550100", "14165550100"),
    ("CA", "011 33 1 42 68 53 00", "33142685300"),
    ("CA", "211", "short 211"),
    ("GB", "020 7946 0000", "442079460000"),
    ("GB", "07700 900123", "447700900123"),
    ("GB", "00 1 212 555 0100", "12125550100"),
    ("GB", "+442079460000", "442079460000"),
    ("GB", "00442079460000", "442079460000"),
    ("GB", "0800 1111", "448001111"),
    ("GB", "999", "short 999"),
    ("GB", "118500", "short 118500"),
    ("DE", "030 123456", "4930123456"),
    ("DE", "0151/23456789", "4915123456789"),
    ("DE", "0033142685300", "33142685300"),
    ("DE", "+49 30 123456", "4930123456"),
    ("DE", "01013 030 123456", "4930123456"),
    ("DE", "01013 0033142685300", "33142685300"),
    ("DE", "110", "short 110"),
    ("DE", "11833", "short 11833"),
    ("FR", "01 42 68 53 00", "33142685300"),
    ("FR", "06.12.34.56.78", "33612345678"),
    ("FR", "0049 30 123456", "4930123456"),
    ("FR", "+33 1 42 68 53 00", "33142685300"),
    ("FR", "0033 6 12 34 56 78", "33612345678"),
    ("FR", "15", "short 15"),
    ("FR", "3008", "short 3008"),
    ("IT", "06 698 1234", "39066981234"),
    ("IT", "+39 06 698 1234", "39066981234"),
    ("IT", "0039 06 698 1234", "39066981234"),
    ("IT", "347 123 4567", "393471234567"),
    ("IT", "800 123 456", "39800123456"),
    ("IT", "0044 20 7946 0000", "442079460000"),
    ("IT", "113", "short 113"),
    ("ES", "912 345 678", "34912345678"),
    ("ES", "612345678", "34612345678"),
    ("ES", "+34 912 345 678", "34912345678"),
    ("ES", "0034912345678", "34912345678"),
    ("ES", "00 44 20 7946 0000", "442079460000"),
    ("ES", "112", "short 112"),
    ("ES", "016", "short 016"),
    ("BR", "0 15 11 91234-5678", "5511912345678"),
    ("BR", "0 21 11 3123-4567", "551131234567"),
    ("BR", "0 11 91234-5678", "5511912345678"),
    ("BR", "11 3123 4567", "551131234567"),
    ("BR", "00 21 1 212 555 0100", "12125550100"),
    ("BR", "+55 11 91234 5678", "5511912345678"),
    ("BR", "0800 123 4567", "558001234567"),
    ("BR", "190", "short 190"),
    ("RU", "8 495 123-45-67", "74951234567"),
    ("RU", "8 916 123 45 67", "79161234567"),
    ("RU", "+7 495 123 45 67", "74951234567"),
    ("RU", "7 495 123 45 67", "74951234567"),
    ("RU", "8 10 44 20 7946 0000", "442079460000"),
    ("RU", "8 701 123 45 67", "77011234567"),
    ("RU", "112", "short 112"),
    ("RU", "02", "short 02"),
    ("IN", "011 2345 6789", "911123456789"),
    ("IN", "98765 43210", "919876543210"),
    ("IN", "098765 43210", "919876543210"),
    ("IN", "+91 98765 43210", "919876543210"),
    ("IN", "00 44 20 7946 0000", "442079460000"),
    ("IN", "1800 123 4567", "9118001234567"),
    ("IN", "100", "short 100"),
    ("AU", "02 9876 5432", "61298765432"),
    ("AU", "0412 345 678", "61412345678"),
    ("AU", "0011 44 20 7946 0000", "442079460000"),
    ("AU", "+61 2 9876 5432", "61298765432"),
    ("AU", "1800 123 456", "611800123456"),
    ("AU", "13 12 13", "61131213"),
    ("AU", "000", "short 000"),
    ("E164", "442079460000", "442079460000"),
    ("E164", "+442079460000", "442079460000"),
]  # fmt: skip
UNKNOWN = [
    ("US", "5550100"),  # seven digits are in whose area?
    ("US", "442079460000"),
    ("US", "1 112 555 0100"),  # no area begins with 1
    ("US", "011 123"),
    ("GB", "7946 0000"),
    ("GB", "442079460000"),  # no 00 and no +: could be a number of Hull without its 0
    ("GB", "+44 (0)20 7946 0000"),  # people write that, and it is another number
    ("GB", "00 0 20 7946 0000"),
    ("DE", "123456"),
    ("FR", "142685300"),
    ("FR", "+33 0142685300"),
    ("IT", "66981234"),  # Rome without its 0
    ("IT", "+39 6 698 1234"),
    ("ES", "12345678"),
    ("BR", "31234567"),
    ("BR", "00 1 212 555 0100"),  # without a carrier: 12 is taken for one, and what remains is no number in +1
    ("RU", "495 123 45 67"),
    ("RU", "123-45-67"),
    ("IN", "23456789"),
    ("AU", "9876 5432"),
    ("AU", "00 44 20 7946 0000"),
    ("E164", "0442079460000"),
    ("E164", "112"),
    ("US", ""),
    ("US", "+"),
    ("US", "*9712125550100"),
    ("US", "anonymous"),
    ("US", "1" * 5000),
    ("US", "٢١٢٥٥٥٠١٠٠"),
]


@pytest.fixture
def plans(database: Connection) -> dict[str, NumberingPlan]:
    """The plans that a new database has."""
    return {row.numbering_id: NumberingPlan(row) for row in tariffs.numberings(database)}


def test_what_is_dialled_becomes_e164(plans: dict[str, NumberingPlan]) -> None:
    """At least five forms of each country; a short code stays as it is."""
    for plan, dialled, expected in DIALLED:
        parsed = plans[plan].parse(dialled)
        assert (plan, dialled, f"{'short ' * parsed.short}{parsed.digits}") == (plan, dialled, expected)
    covered = [plan for plan, _, _ in DIALLED]
    assert {plan for plan in plans if covered.count(plan) < 5} <= {"E164"}


def test_a_number_has_each_spelling_of_its_plan(plans: dict[str, NumberingPlan]) -> None:
    """What is dialled for it is among them, and each of them is read as this number; a short code has none.

    Left out is what is dialled before a number (*67), and the code of a carrier with four digits.
    """
    for name, dialled, expected in DIALLED:
        plan, spellings = plans[name], spellings_of(dialled, plans[name])
        if expected.startswith("short "):
            assert not spellings
            continue
        assert {expected, f"+{expected}"} <= spellings
        assert {plan.parse(spelling).digits for spelling in spellings - {expected, f"+{expected}"}} <= {expected}
        bare = without_separators(dialled)
        if bare[0] not in "*#" and not bare.startswith(("101", "1167", "1470", "141", "3651", "067", "1831")):
            assert bare in spellings, (name, dialled)
        assert len(spellings) < 500
    # Beginnings, and numbers that only their digits say are international ones.
    assert spellings_of("+4930", plans["DE"]) == spellings_of("030123456", None) == frozenset()
    assert spellings_of("4930123456", None) == {"4930123456", "+4930123456"}
    assert "021 11 91234-5678".translate({32: None, 45: None}) in spellings_of("+5511912345678", plans["BR"])


def test_what_is_no_form_of_a_plan_is_not_guessed(plans: dict[str, NumberingPlan]) -> None:
    for plan, dialled in UNKNOWN:
        assert (plan, dialled, plans[plan].parse(dialled).digits) == (plan, dialled, None)
        assert plans[plan].parse(dialled).reason


def test_italy_keeps_its_zero_and_nobody_else(plans: dict[str, NumberingPlan]) -> None:
    kept = {
        plan for plan, numbering in plans.items() if (numbering.parse("0669812345").digits or "").endswith("0669812345")
    }
    assert kept == {"IT"}


@pytest.mark.hypothesis
def test_no_text_is_an_error(plans: dict[str, NumberingPlan]) -> None:
    """Numbers come from the wire: any text is read or refused, and E.164 comes out."""

    @given(st.sampled_from(sorted(plans)), st.text("0123456789+ -()*#a٣", max_size=24))
    def check(plan: str, dialled: str) -> None:
        parsed = plans[plan].parse(dialled)
        assert (parsed.digits is None) == (parsed.reason is not None)
        if parsed.digits is not None and not parsed.short:
            assert parsed.digits.isascii()
            assert parsed.digits.isdigit()
            assert 7 <= len(parsed.digits) <= 15 or plan in ("AU", "DE", "IT", "GB")
            if parsed.digits[:4] != "1310" or len(parsed.digits) == 11:  # 310 xxxx is dialled in Canada alone
                assert plans[plan].parse(f"+{parsed.digits}").digits == parsed.digits

    check()


def test_two_readings_that_differ_are_none() -> None:
    row = NumberingRow(
        numbering_id="XX", name="", country_code="99", international_prefixes=["0"], national_prefixes=["0"],
        national_number=r"\d{8}", bare_number="", short_code="",
    )  # fmt: skip
    parsed = NumberingPlan(row).parse("023456789")
    assert (parsed.digits, parsed.reason) == (None, "more than one number of numbering plan XX")


def test_a_plan_of_one_s_own_is_a_row_and_raises_the_version(database: Connection) -> None:
    before = tariffs.tariff_version(database)
    database.execute(
        "INSERT INTO numbering (numbering_id, name, country_code, international_prefixes, national_prefixes,"
        " national_number) VALUES ('PBX-9', 'GB behind a 9', '44', '{900}', '{90}', '[1-9][0-9]{9}')"
    )
    assert tariffs.tariff_version(database) > before
    tariffs.add_account(database, Account(account_id="acme", name="Acme", plan_id=None, numbering_id="PBX-9"))
    numbering = load_tariffs(database).accounts["acme"].numbering
    assert numbering
    assert numbering.parse("9 020 7946 0000").digits == "442079460000"
    with store_errors(), pytest.raises(DataError, match="regular expression"), store_errors():
        database.execute("UPDATE numbering SET short_code = '(' WHERE numbering_id = 'PBX-9'")


def test_an_account_gets_a_numbering_plan_that_exists(database: Connection) -> None:
    tariffs.add_account(database, Account(account_id="acme", name="Acme", plan_id=None))
    accounts.set_numbering(database, "acme", "DE")
    assert [account.numbering_id for account in tariffs.accounts(database)] == ["DE"]
    accounts.set_numbering(database, "acme", None)
    assert [account.numbering_id for account in tariffs.accounts(database)] == [None]
    with pytest.raises(UsageError, match="there is no numbering plan 'XX': known are AU, BR, CA, DE"):
        accounts.set_numbering(database, "acme", "XX")
