"""Mutants of the API's cursors, and of its defence against clients."""

from tests.mutants.mutant import Mutant

CURSOR = "tests/unit/export_app/calls/test_cursor.py"
BOUNDS = "tests/unit/export_app/server/test_bounds.py"
PARSER = "tests/unit/export_app/server/test_request_parser.py"

MUTANTS = (
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
        text="return cursor if encode(cursor, key_hash) == text else None",
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
)
