"""Mutants of the API's cursors."""

from tests.mutants.mutant import Mutant

CURSOR = "tests/unit/export_app/calls/test_cursor.py"

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
)
