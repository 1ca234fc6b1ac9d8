"""Mutants of statements: what is counted, rounded, frozen, corrected."""

from tests.mutants.mutant import Mutant

ISSUE = "tests/integration/maintenance/statement/test_issue.py"
CORRECTIONS = "tests/integration/maintenance/statement/test_corrections.py"
CONCURRENCY = "tests/integration/maintenance/statement/test_concurrency.py"
ONE_BOOK = "tests/integration/maintenance/statement/test_one_book.py"
API = "tests/integration/export_app/test_statements.py"
AMOUNTS = "tests/unit/tollbook/statements/test_amounts.py"
COMPUTE = "tests/unit/tollbook/statements/test_compute.py"

MUTANTS = (
    Mutant(
        path="tollbook/statements/amounts.py",
        claim="half a unit goes away from zero",
        text="return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) + 0",
        replacement="return amount.quantize(Decimal(1).scaleb(-digits)) + 0",
        tests=(f"{AMOUNTS}::test_the_net_is_rounded_to_the_digits_of_its_currency",),
    ),
    Mutant(
        path="tollbook/statements/amounts.py",
        claim="a tax is due on the rounded net",
        text="due = rounded(part_net * tax.factor, digits)",
        replacement="due = rounded(Decimal(part.cost_micros).scaleb(-6) * tax.factor, digits)",
        tests=(f"{AMOUNTS}::test_a_tax_is_due_on_the_rounded_net",),
    ),
    Mutant(
        path="tollbook/statements/amounts.py",
        claim="what was erased is in no total",
        text="""        if line.kind == "erased":\n            continue\n""",
        replacement="",
        tests=(f"{AMOUNTS}::test_what_was_erased_is_in_no_total",),
    ),
    Mutant(
        path="tollbook/statements/compute.py",
        claim="what was corrected once is among what was charged",
        text="            month[line.key] = month.get(line.key, LineSums()) + line.sums",
        replacement="            month[line.key] = line.sums",
        tests=(f"{COMPUTE}::test_all_statements_together_have_charged_what_each_month_is_worth_at_the_last_one",),
    ),
    Mutant(
        path="tollbook/statements/compute.py",
        claim="a dropped month is no credit",
        text="            not_compared.append(earlier.month)\n            continue\n",
        replacement="            not_compared.append(earlier.month)\n",
        tests=(f"{CORRECTIONS}::test_a_month_that_the_archive_dropped_is_not_credited",),
    ),
    Mutant(
        path="tollbook/statements/compute.py",
        claim="erased calls are no credit",
        text="""return "erased" if erased and""",
        replacement="""return "erased" if False and""",
        tests=(f"{CORRECTIONS}::test_erased_calls_are_neither_credited_nor_charged_again",),
    ),
    Mutant(
        path="tollbook/statements/period.py",
        claim="after a change of zone a month begins where the last one ended",
        text="begin = begin_of(month, zone) if after is None else after.until_ts",
        replacement="begin = begin_of(month, zone)",
        tests=(f"{ISSUE}::test_a_change_of_zone_leaves_no_call_out_and_counts_none_twice",),
    ),
    Mutant(
        path="tollbook/statements/issue.py",
        claim="a month is issued a day after its end",
        text="due_ms = draft.until_ts + GRACE_MS",
        replacement="due_ms = draft.until_ts",
        tests=(f"{ISSUE}::test_a_month_is_issued_a_day_after_its_end",),
    ),
    Mutant(
        path="tollbook/statements/issue.py",
        claim="a restored database issues nothing",
        text="        history.refuse_restored(self._connection, self._settings.data_dir)\n",
        replacement="",
        tests=(f"{ISSUE}::test_a_restored_database_issues_nothing_until_it_is_attached",),
    ),
    Mutant(
        path="tollbook/store/statements/issued.py",
        claim="a number is taken under a lock",
        text="""        connection.execute("SELECT pg_advisory_xact_lock(%s)", (STATEMENT_LOCK,))\n""",
        replacement="",
        tests=(CONCURRENCY,),
    ),
    Mutant(
        path="tollbook/store/calls/seam.py",
        claim="what waits for the archive is not read from it",
        text="FROM archive_outbox WHERE start_ts >= %s",
        replacement="FROM archive_outbox WHERE false AND start_ts >= %s",
        tests=(f"{CORRECTIONS}::test_a_row_that_is_deleted_is_a_credit", ONE_BOOK),
    ),
    Mutant(
        path="tollbook/archive/period_sums.py",
        claim="a call that PostgreSQL has is not counted again in the archive",
        text="yield dropped.dropped_from(rows)",
        replacement="yield rows",
        tests=(f"{ISSUE}::test_a_statement_is_the_sum_over_both_tiers_before_and_after_every_prune", ONE_BOOK),
    ),
    Mutant(
        path="export_app/auth/identity.py",
        claim="an account names no other account",
        text="        if not self.is_operator:\n",
        replacement="        if False:\n",
        tests=(f"{API}::test_nobody_reads_another_accounts_statement",),
    ),
)
