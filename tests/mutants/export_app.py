"""Mutants of the API's cursors, and of its defence against clients."""

from tests.mutants.mutant import Mutant

CURSOR = "tests/unit/export_app/calls/test_cursor.py"
BOUNDS = "tests/unit/export_app/server/test_bounds.py"
PARSER = "tests/unit/export_app/server/test_request_parser.py"
FILTERS = "tests/integration/export_app/test_filters.py"
KEYS = "tests/integration/export_app/test_authentication.py"
SEEN = "tests/integration/export_app/test_details.py"
QUEUES = "tests/integration/export_app/test_queue_stats.py"
ALL_TIME = "tests/integration/export_app/test_stats_all_time.py"

SESSIONS = "tests/integration/export_app/test_sessions.py"
ORIGIN = "tests/unit/export_app/auth/test_same_origin.py"

MUTANTS = (
    Mutant(
        path="tollbook/store/keys.py",
        claim="a session ends with its key",
        text="AND expires_at > now()) AND revoked_at IS NULL",
        replacement="AND expires_at > now())",
        tests=(f"{SESSIONS}::test_a_session_ends_with_its_key_and_its_time",),
    ),
    Mutant(
        path="export_app/auth/same_origin.py",
        claim="what changes something by cookie says that it is our own page's",
        text="    return origin is not None and _place(origin) in ours",
        replacement="    return origin is None or _place(origin) in ours",
        tests=(f"{ORIGIN}::test_only_our_own_pages_use_the_cookie",),
    ),
    Mutant(
        path="export_app/auth/session_views.py",
        claim="a session counts with its key",
        text="here.known_sessions.add(hashed, identity.key_hash)",
        replacement="here.known_sessions.add(hashed, hashed)",
        tests=(f"{SESSIONS}::test_a_session_has_the_limits_of_its_key",),
    ),
    Mutant(
        path="tollbook/store/sessions.py",
        claim="a key has so many sessions",
        text="ORDER BY created_at DESC, expires_at DESC OFFSET %s",
        replacement="ORDER BY created_at DESC, expires_at DESC OFFSET 9 + %s",
        tests=(f"{SESSIONS}::test_a_key_has_so_many_sessions",),
    ),
    Mutant(
        path="tollbook/store/keys.py",
        claim="a rotation never puts off the end of a key",
        text="SET expires_at = least(expires_at, now() +",
        replacement="SET expires_at = (now() +",
        tests=(f"{KEYS}::test_a_rotated_key_is_valid_beside_the_new_one",),
    ),
    Mutant(
        path="export_app/auth/identity.py",
        claim="the key of an account reads no other, whatever is named",
        text='        if not self.is_operator:\n            raise ApiError(403, "operator_only", "account is',
        replacement='        if False:\n            raise ApiError(403, "operator_only", "account is',
        tests=(f"{FILTERS}::test_an_operator_reads_one_account",),
    ),
    Mutant(
        path="export_app/calls/query.py",
        claim="no cursor that a tenant signed names another account",
        text="    accounts = identity.accounts_of(cursor.filters.account)",
        replacement="    accounts = identity.accounts",
        tests=(f"{FILTERS}::test_a_cursor_keeps_its_filters",),
    ),
    Mutant(
        path="export_app/web/moment.py",
        claim="seconds are not taken for milliseconds",
        text="        if number in _SECONDS:",
        replacement="        if False:",
        tests=("tests/unit/export_app/web/test_moment.py::test_anything_else_is_refused",),
    ),
    Mutant(
        path="tollbook/model/scopes.py",
        claim="all of an account is nothing of another",
        text="EVERYTHING in scopes and wanted != OPERATOR",
        replacement="EVERYTHING in scopes",
        tests=(f"{KEYS}::test_a_key_of_every_scope_is_no_operators",),
    ),
    Mutant(
        path="export_app/calls/page.py",
        claim="no cursor that a tenant signed filters by a carrier",
        text="identity.require_visible((*query.columns, *resolved.filters.names()))",
        replacement="identity.require_visible((*query.columns, *query.filters.names()))",
        tests=(f"{SEEN}::test_a_tenant_is_refused_what_says_who_the_carriers_are",),
    ),
    Mutant(
        path="export_app/calls/cursor.py",
        claim="a cursor serves the key that it was made for",
        text="return Signer(key_hash, salt",
        replacement='return Signer(b"", salt',
        tests=(f"{CURSOR}::test_a_cursor_serves_one_key",),
    ),
    Mutant(
        path="export_app/calls/cursor.py",
        claim="a signature is accepted in one spelling",
        text="return cursor if text in (encode(cursor, key_hash), *as_before) else None",
        replacement="return cursor",
        tests=(f"{CURSOR}::test_a_cursor_that_is_spelled_otherwise_is_refused",),
    ),
    Mutant(
        path="export_app/calls/cursor.py",
        claim="a cursor holds no time that PostgreSQL does not know",
        text="_Ms: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LAST_MS)]",
        replacement="_Ms: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]",
        tests=(f"{CURSOR}::test_a_cursor_with_values_that_none_of_ours_holds_is_refused",),
    ),
    Mutant(
        path="export_app/server/bounds.py",
        claim="whoever has waited longest goes, not the newcomer",
        text="return connection.is_busy, -connection.since_s if connection.is_busy else connection.since_s",
        replacement="return connection.is_busy, -connection.since_s",
        tests=(f"{BOUNDS}::test_a_client_with_too_many_loses_those_that_wait_longest",),
    ),
    Mutant(
        path="export_app/server/bounds.py",
        claim="a trusted proxy's connections are many clients'",
        text="for connection in connections if not connection.is_proxy)",
        replacement="for connection in connections)",
        tests=(f"{BOUNDS}::test_a_trusted_proxy_counts_only_in_the_total",),
    ),
    Mutant(
        path="export_app/server/request_parser.py",
        claim="blank lines do not begin a request anew",
        text="rest = data.lstrip()",
        replacement="rest = data",
        tests=(f"{PARSER}::test_blank_lines_are_no_request",),
    ),
    Mutant(
        path="export_app/server/request_parser.py",
        claim="a body has one length",
        text='if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):',
        replacement="if False:",
        tests=(f"{PARSER}::test_what_is_refused",),
    ),
    Mutant(
        path="export_app/web/parameters.py",
        claim="a value that merely begins like a key is none",
        text="key_hash(value.strip()) is not None",
        replacement='value.startswith("sk_")',
        tests=("tests/unit/export_app/web/test_parameters.py",),
    ),
    Mutant(
        path="tollbook/model/queue_sums.py",
        claim="a call that nobody took is not answered, although the switch answered it",
        text="""AND ({_AGENT} OR (disposition = 'answered' AND wait_ms IS NULL))\"""",
        replacement="""AND ({_AGENT} OR answered = 1)\"""",
        tests=(f"{QUEUES}::test_a_queue_that_loses_every_caller_has_answered_nobody",),
    ),
    Mutant(
        path="tollbook/model/rules/details/talking.py",
        claim="talk begins when the agent answered, not when the switch did",
        text="_span(leg.answered_us, leg.outcome.hangup_us, ",
        replacement="_span(root.answered_us, leg.outcome.hangup_us, ",
        tests=("tests/unit/tollbook/model/test_queue_rules.py",),
    ),
    Mutant(
        path="tollbook/model/rules/details/talking.py",
        claim="what comes after a standby agent's transfer is not that agent's talk",
        text="min([*left, *again, root.outcome.hangup_us])",
        replacement="root.outcome.hangup_us",
        tests=("tests/unit/tollbook/model/test_queue_rules.py",),
    ),
    Mutant(
        path="export_app/stats/all_time.py",
        claim="what a time begins within, and its cubes do not know whole, is added",
        text="_of_time(question, selection.since, first), _of_time(question, end, selection.until)",
        replacement="_of_time(question, end, selection.until)",
        tests=(f"{ALL_TIME}::test_rows_cubes_and_the_archive_say_the_same",),
    ),
    Mutant(
        path="export_app/stats/all_time.py",
        claim="a call that PostgreSQL has late is not counted in the archive as well",
        text="_Archived(question=older, excluded=seam.excluded)",
        replacement="_Archived(question=older, excluded=frozenset())",
        tests=(f"{ALL_TIME}::test_a_call_of_both_tiers_counts_once",),
    ),
)
