"""Array literals, where no server is needed; the integration test of the batch sends them through PostgreSQL."""

import pytest

from tollbook.store.arrays import array_literal


@pytest.mark.parametrize(
    ("values", "literal"),
    [
        ([], "{}"),
        ([None], "{null}"),
        ([True, False, None], "{true,false,null}"),
        ([1, -2, 2**62], "{1,-2,4611686018427387904}"),
        (["a", "null", "NULL", ""], '{"a","null","NULL",""}'),
        (["{}", "a,b", " "], '{"{}","a,b"," "}'),
        (['say "hi"', "back\\slash", None, "new\nline"], '{"say \\"hi\\"","back\\\\slash",null,"new\nline"}'),
    ],
)
def test_values_become_a_literal(values: list[str | int | bool | None], literal: str) -> None:
    assert array_literal(values) == literal
