"""The address a request comes from, and whether a key may be used from there."""

import ipaddress
from collections.abc import Collection, Iterable
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str, forwarded: str | None, proxies: Collection[Network]) -> Address | None:
    """Give the client's address; None when the peer has none that can be read.

    `peer`: who is connected to us. `forwarded`: the header X-Forwarded-For, to which each proxy adds who is connected
    to it. It is believed from its end on, as long as those who wrote it are among `proxies`: anybody can send one.
    """
    address = _address(peer)
    for told in reversed((forwarded or "").split(",")):
        if address is None or not is_among(address, proxies):
            break
        before = _address(told)
        if before is None:
            break
        address = before
    return address


def is_among(address: Address, networks: Iterable[Network]) -> bool:
    """Tell whether an address lies in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    # On a socket that serves both, IPv4 comes as ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
