"""Mutants of rating: increments, prices, which rate is in force."""

from tests.mutants.mutant import Mutant

ENGINE = "tests/unit/rating/test_engine.py"
IMPORT = "tests/integration/rating/test_deck_import.py"
PLANS = "tests/unit/rating/test_plans.py"

MUTANTS = (
    Mutant(
        path="rating/engine.py",
        claim="a begun increment is billed whole",
        text="-(-beyond // terms.increment_sec)",
        replacement="(beyond // terms.increment_sec)",
        tests=(f"{ENGINE}::test_increments",),
    ),
    Mutant(
        path="rating/engine.py",
        claim="prices are rounded up",
        text="-(-billed_sec * terms.per_min_micros // 60)",
        replacement="billed_sec * terms.per_min_micros // 60",
        tests=(f"{ENGINE}::test_prices_are_rounded_up_to_a_micro",),
    ),
    Mutant(
        path="rating/engine.py",
        claim="a charge without a rate leaves the call unrated",
        text="cost_micros=None if reasons else cost_micros,",
        replacement="cost_micros=cost_micros,",
        tests=(f"{ENGINE}::test_one_unrated_part_makes_the_call_unrated",),
    ),
    Mutant(
        path="rating/engine.py",
        claim="a plan prices from its first instant",
        text="if assignment.from_ts <= at_ts:",
        replacement="if assignment.from_ts < at_ts:",
        tests=(f"{PLANS}::test_a_call_is_priced_by_the_plan_of_its_start",),
    ),
    Mutant(
        path="rating/deck.py",
        claim="a rate is in force from its first instant",
        text="if rate.valid_from_ts > at_ts:",
        replacement="if rate.valid_from_ts >= at_ts:",
        tests=(f"{ENGINE}::test_a_rate_is_in_force_from_its_first_instant_until_before_its_last",),
    ),
    Mutant(
        path="rating/deck.py",
        claim="a rate is not in force at its end",
        text="at_ts < rate.valid_to_ts)",
        replacement="at_ts <= rate.valid_to_ts)",
        tests=(f"{ENGINE}::test_a_rate_is_in_force_from_its_first_instant_until_before_its_last",),
    ),
    Mutant(
        path="rating/deck.py",
        claim="a call without a rate is told when the first one begins, and no longer when the last one has begun",
        text="if at_ts >= self._last_begins_ts:",
        replacement="if at_ts < self._last_begins_ts:",
        tests=(f"{PLANS}::test_a_rate_that_begins_after_the_call_is_named",),
    ),
    Mutant(
        path="rating/deck.py",
        claim="until the latest rate of a prefix begins, those before it are in force, whatever their order",
        text="earlier, prefixes[rate.prefix] = sorted((latest, rate), key=_begins_ts)",
        replacement="earlier, prefixes[rate.prefix] = latest, rate",
        tests=(f"{ENGINE}::test_rates_of_a_prefix_follow_each_other_whatever_their_order",),
    ),
    Mutant(
        path="tollbook/store/tariffs/deck_staging.py",
        claim="prefixes that repeat are followed by their next price",
        text="HAVING count(*) > 1)",
        replacement="HAVING count(*) > 2)",
        tests=("tests/integration/rating/test_deck_dates.py",),
    ),
    Mutant(
        path="tollbook/store/tariffs/deck_staging.py",
        claim="a name may hold what ends a field of COPY",
        text="return text.translate(_ESCAPES)",
        replacement="return text",
        tests=(f"{IMPORT}::test_names_are_stored_as_they_are_written",),
    ),
    Mutant(
        path="tollbook/model/numbering.py",
        claim="a number with a country code has as many digits as E.164 allows",
        text="_LONGEST_E164: Final = 15",
        replacement="_LONGEST_E164: Final = 14",
        tests=("tests/unit/tollbook/model/test_numbering.py::test_what_is_e164_is_what_the_plans_patterns_take",),
    ),
    Mutant(
        path="rating/deck.py",
        claim="the longest prefix wins",
        text="for prefix in prefixes}, reverse=True)",
        replacement="for prefix in prefixes})",
        tests=(f"{ENGINE}::test_a_longer_prefix_that_is_not_in_force_leaves_the_shorter_one",),
    ),
)
