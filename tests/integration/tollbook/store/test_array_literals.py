"""Lists arrive in PostgreSQL as they left, whatever letters are in them."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
odd = st.text(st.sampled_from('"\\{},\n\r\t NULnul\x01\x7f\u2028é🙂'))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.none() | text | odd, max_size=12),
    numbers=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=6),
    truths=st.lists(st.none() | st.booleans(), max_size=6),
)
def test_array_literals_arrive_as_they_left(
    database: Connection, texts: list[str | None], numbers: list[int | None], truths: list[bool | None]
) -> None:
    row = database.execute(
        "SELECT %s::text[], %s::bigint[], %s::boolean[]",
        (array_literal(texts), array_literal(numbers), array_literal(truths)),
    ).fetchone()
    assert row == (texts, numbers, truths)
