"""Addresses: what an IP address leads to, also where another one is written into it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_POLL: Final = 0.05
Address = IPv4Address | IPv6Address
_LAST_BITS: Final = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))
"""NAT64 (RFC 6052, RFC 8215) and what is compatible with IPv4: the last 32 bits are the address that is reached."""
_METADATA: Final = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200")))
"""Where clouds keep credentials, beside the link-local addresses."""


def look_up(host: str, port: int, over: Callable[[], bool] = lambda: False) -> tuple[str, ...]:
    """The addresses of a host, at least one. Raises `OSError` where there is none, or `over` says that it is too late:
    the system's look-up cannot be stopped, so it is left alone in a thread."""
    found: list[tuple[str, ...] | OSError] = []  # stays empty where something else is raised
    thread = threading.Thread(target=lambda: found.append(_found(host, port)), name="look-up", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_POLL)
        if thread.is_alive() and over():
            raise TimeoutError("timed out")
    result = found[0] if found else OSError("the look-up failed")
    if isinstance(result, OSError):
        raise result
    return result


def _found(host: str, port: int) -> tuple[str, ...] | OSError:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    except UnicodeError as error:
        return OSError(str(error))
    return tuple(dict.fromkeys(str(each[4][0]) for each in found)) or OSError("the host has no address")


def is_public(address: str) -> bool:
    """Whether any address that it leads to is one of the internet."""
    return any(each.is_global for each in _meant(address))


def is_private(address: str) -> bool:
    """Whether any address that it leads to is none of the internet."""
    return not all(each.is_global for each in _meant(address))


def is_metadata(address: str) -> bool:
    """Whether it is one of those, outside of the link-local ones, at which clouds hand out credentials."""
    return any(each in _METADATA for each in _meant(address))


def is_special(address: str) -> bool:
    """Whether it leads to the link, to many, or to none."""
    return any(each.is_link_local or each.is_multicast or each.is_unspecified for each in _meant(address))


def is_loopback(address: str) -> bool:
    """Whether it is this machine."""
    return all(each.is_loopback for each in _meant(address))


def _meant(address: str) -> list[Address]:
    """The address and those that are written into it; only these where it stands for nothing else."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv4Address) or int(found) in (0, 1):
        return [found]
    return list(_embedded(found)) or [found]


def _embedded(found: IPv6Address) -> Iterator[Address]:
    """The IPv4 addresses that an IPv6 address is a form of."""
    if found.ipv4_mapped is not None:
        yield found.ipv4_mapped
    if found.sixtofour is not None:
        yield found.sixtofour
    if found.teredo is not None:
        yield from found.teredo
    if any(found in network for network in _LAST_BITS):
        yield IPv4Address(int(found) & 0xFFFF_FFFF)
