"""Where events may be sent, and what an endpoint may be."""

from ipaddress import ip_network

import pytest

from tollbook.model.endpoints import (
    CALL_EVENTS,
    check_secret,
    check_url,
    is_listed,
    may_connect,
    new_secret,
    parse_events,
    standard_key,
    standard_secret,
    webhook_name,
    webhook_number,
)

HOSTILE = (
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.127.255.255", "192.0.0.8", "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "2001:db8::1", "fc00::1",
    "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "5f00::1", "3fff::1",
    "", "example.com", "1", "0x7f.1",
)  # fmt: skip
PUBLIC = ("8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "::ffff:8.8.8.8", "2606:4700::1111")


@pytest.mark.parametrize("address", HOSTILE)
def test_no_private_reserved_or_embedded_address_is_connected_to(address: str) -> None:
    assert not may_connect(address, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are(address: str) -> None:
    assert may_connect(address, ())


def test_the_operator_lists_what_is_allowed_beside() -> None:
    """Those networks and no others; an IPv4 address in IPv6's form counts as itself."""
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert [may_connect(one, allowed) for one in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "10.2.0.1", "::1")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert (is_listed("10.1.2.3", allowed), is_listed("8.8.8.8", allowed), is_listed("x", allowed)) == (
        True, False, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "https://example.com:8443/a?b=c",
        "https://8.8.8.8/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_a_url_that_may_be_an_endpoint(url: str) -> None:
    check_url(url, private_allowed=False)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.com/", "https"), ("ftp://example.com/", "https"), ("example.com", "https"), ("", "https"),
        ("https://", "https"), ("https:///path", "https"), ("https://[::1", "https"), ("https://a:b:c/", "https"),
        ("https://user@example.com/", "password"), ("https://user:pw@example.com/", "password"),
        ("https://example.com/#part", "fragment"), ("https://example.com/ a", "printable"),
        ("https://exämple.com/", "ASCII"), ("https://example.com/\n", "printable"),
        ("https://example.com/" + "a" * 2000, "2000"),
        ("https://127.0.0.1/", "public"), ("https://[::1]/", "public"), ("https://[::ffff:10.0.0.1]/", "public"),
        ("https://169.254.169.254/latest/meta-data", "public"), ("https://localhost/", "public"),
        ("https://db.internal/", "public"), ("https://printer.local/", "public"), ("https://a.localhost/", "public"),
    ],
)  # fmt: skip
def test_a_url_that_may_not(url: str, says: str) -> None:
    """The message says which rule it breaks."""
    with pytest.raises(ValueError, match=says):
        check_url(url, private_allowed=False)


def test_where_private_addresses_are_allowed_so_is_http() -> None:
    for url in ("http://127.0.0.1:8000/", "https://localhost/", "http://10.0.0.1/"):
        check_url(url, private_allowed=True)
    with pytest.raises(ValueError, match="https"):
        check_url("gopher://127.0.0.1/", private_allowed=True)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (None, None), ("", None), ("*", None), ([], None), (["*"], None), ("call.ended,*", None),
        ("call.ended,call.started", ("call.started", "call.ended")), ([" call.ended "], ("call.ended",)),
        ("call.ended,call.ended", ("call.ended",)), (",".join(CALL_EVENTS), CALL_EVENTS),
    ],
)  # fmt: skip
def test_events_are_asked_for_as_text_or_as_a_list(asked: str | list[str] | None, wanted: tuple[str, ...]) -> None:
    assert parse_events(asked) == wanted


def test_an_unknown_event_is_named() -> None:
    with pytest.raises(ValueError, match=r"'call.begun': there are call.started"):
        parse_events("call.begun")


def test_a_secret_is_made_or_given() -> None:
    """Ours is in the form of Standard Webhooks; of another one its characters are the key."""
    made = new_secret()
    check_secret(made)
    assert made.startswith("whsec_")
    assert len(standard_key(made)) == 24
    assert standard_secret(made) == made
    assert standard_key("optional") == b"optional"
    assert standard_key("whsec_no base64") == b"whsec_no base64"
    assert standard_secret("optional") == "whsec_b3B0aW9uYWw="
    for wrong in ("short", "a" * 201, "with\nline", "ünicode-secret"):
        with pytest.raises(ValueError, match="8 to 200 printable"):
            check_secret(wrong)


@pytest.mark.parametrize(
    ("name", "number"), [("wh_17", 17), ("17", 17), ("wh_0", None), ("wh_", None), ("x", None), ("1" * 19, None)]
)
def test_an_endpoint_has_a_name(name: str, number: int | None) -> None:
    assert webhook_number(name) == number
    if number:
        assert webhook_number(webhook_name(number)) == number
