"""Array literals for `unnest`, built at C speed: psycopg's own adapter makes a Python call for every element."""

from collections.abc import Collection, Sequence

import msgspec

from tollbook.model.call_key import CallKey

_encode = msgspec.json.Encoder().encode


def array_literal(values: Sequence[str | float | bool | None]) -> str:
    """Write values as a PostgreSQL array: `{"a",null,1}`.

    A JSON array differs only in its brackets, as long as no string contains a character that JSON escapes.
    """
    text = _encode(values).decode()
    if "\\" in text:
        return "{" + ",".join(map(_element, values)) + "}"
    return "{" + text[1:-1] + "}"


def key_arrays(keys: Collection[CallKey]) -> tuple[str, str, str]:
    """Write keys as three arrays: start_ts (bigint), call_id and switch (text)."""
    return (
        array_literal([key.start_ts for key in keys]),
        array_literal([key.call_id for key in keys]),
        array_literal([key.switch for key in keys]),
    )


def _element(value: str | float | bool | None) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "null" if value is None else str(value).lower()
