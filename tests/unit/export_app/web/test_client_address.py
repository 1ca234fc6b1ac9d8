"""The client's address, as reported by trusted proxies and nobody else."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_app.web.client_address import client_address, is_among

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # anybody can send the header
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # what the client itself sent stands before
        ("10.0.0.1", "198.51.100.7, 10.9.9.9", "198.51.100.7"),  # two proxies
        ("10.0.0.1", "10.9.9.9", "10.9.9.9"),
        ("10.0.0.1", "198.51.100.7, rubbish", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", None),
    ],
)
def test_the_address_comes_from_trusted_proxies(peer: str, forwarded: str | None, client: str | None) -> None:
    """X-Forwarded-For is read from its end, as long as a trusted proxy wrote it."""
    assert client_address(peer, forwarded, PROXIES) == (client and ip_address(client))


@given(st.text(), st.none() | st.text() | st.lists(st.ip_addresses().map(str)).map(", ".join))
def test_nothing_is_raised(peer: str, forwarded: str | None) -> None:
    """No header raises an exception: the client chooses it."""
    client_address(peer, forwarded, PROXIES)


@given(st.ip_addresses(v=4), st.lists(st.ip_addresses().map(str)).map(", ".join))
def test_a_header_from_a_stranger_is_ignored(peer: object, forwarded: str) -> None:
    """Whatever header an untrusted peer sends, its address is its own."""
    if not is_among(peer, PROXIES):
        assert client_address(str(peer), forwarded, PROXIES) == peer


def test_an_address_is_among_networks_of_its_version() -> None:
    """A network contains only addresses of its version: 0.0.0.0/0 contains no IPv6 address."""
    assert is_among(ip_address("192.0.2.1"), [ip_network("0.0.0.0/0")])
    assert not is_among(ip_address("::1"), [ip_network("0.0.0.0/0")])
    assert not is_among(ip_address("192.0.2.1"), [])
