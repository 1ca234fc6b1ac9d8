"""What all query strings have in common: no parameter that is unknown, given twice, or an API key."""

import pytest
from pydantic import ValidationError

from export_app.web.errors import ApiError
from export_app.web.parameters import NoQuery, check_names, parameter_error


@pytest.mark.parametrize(
    ("pairs", "code", "message"),
    [
        ([("limit", "1"), ("limit", "1")], "repeated_parameter", "'limit' is given more than once: give it once"),
        ([("api_key", "x")], "key_in_query", "send the key in the header x-api-key, never in the URL"),
        ([("X-API-Key", "x")], "key_in_query", "send the key in the header x-api-key, never in the URL"),
        ([("cursor", " sk_" + "a" * 43)], "key_in_query", "send the key in the header x-api-key, never in the URL"),
    ],
)
def test_names_are_checked(pairs: list[tuple[str, str]], code: str, message: str) -> None:
    """A parameter given twice and an API key under any name are errors, whose message never repeats the key."""
    with pytest.raises(ApiError) as caught:
        check_names(pairs)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert caught.value.message.startswith(message)
    assert "sk_a" not in caught.value.message


def test_what_only_begins_like_a_key_is_none() -> None:
    """A queue may be named sk_support."""
    check_names([("queue_id", "sk_support"), ("agent_id", "sk_" + "a" * 42), ("number", "sk_" + "a" * 44)])


def test_a_resource_without_parameters_takes_none() -> None:
    """A resource without parameters rejects every parameter, so that a misspelled address is noticed."""
    with pytest.raises(ValidationError) as caught:
        NoQuery.model_validate({"zzz": "1"})
    assert parameter_error(caught.value).message == "'zzz' is not a parameter here: there are: none"
