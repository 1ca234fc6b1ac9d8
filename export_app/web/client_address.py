"""The address of the client behind trusted proxies, and what counts as one client."""

import ipaddress
from collections.abc import Collection, Iterable
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str, forwarded: str | None, proxies: Collection[Network]) -> Address | None:
    """Return the client's address; None when the peer has no address that can be parsed.

    `peer` is who is connected to us. `forwarded` is the header X-Forwarded-For, to which each proxy appends the
    address that is connected to it. Anybody can send one, so it is read from its end, and only as far as its entries
    were written by one of `proxies`.
    """
    address = parse_address(peer)
    for entry in reversed((forwarded or "").split(",")):
        if address is None or not is_among(address, proxies):
            break
        before = parse_address(entry)
        if before is None:
            break
        address = before
    return address


def is_among(address: Address, networks: Iterable[Network]) -> bool:
    """Return whether an address lies in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def parse_address(text: str) -> Address | None:
    """Return the address that a text is; None for any other text. IPv4 inside IPv6 becomes IPv4."""
    try:
        address = ipaddress.ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    # A socket that serves both versions shows IPv4 as ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address


def client_group(address: Address | None) -> str:
    """Return the name of what is bounded as one client: an IPv4 address, or the 64 bits that an IPv6 subscriber has."""
    return str(ipaddress.ip_network((address, 64), strict=False) if address and address.version == 6 else address)
