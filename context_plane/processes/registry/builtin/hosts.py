"""Hosts: whom HTTP actions may ask, and at which address.

A host that is not on the plane's list is not asked. One that a pattern (``*.example.com``) let through must have a
public address: whoever can name hosts there could otherwise reach into the network that the plane stands in; an
address that is written into another one (NAT64, 6to4) is the one that counts. The address that was checked is the one
that is connected to, whatever the name means a moment later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from context_plane.processes.registry.handler import StepFailure
from context_plane.web import addresses as meaning

_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 8_000


@dataclass(frozen=True)
class Target:
    """Where a request goes."""

    secure: bool
    host: str
    port: int
    path: str
    """With the query, as the request's first line names it."""
    addresses: tuple[str, ...]
    """Of the host, all of them checked."""

    @property
    def here(self) -> bool:
        """Whether it is this machine: what is sent there goes over no wire."""
        return all(map(meaning.is_loopback, self.addresses))

    @property
    def shown(self) -> str:
        """For errors: without the query, which may hold what is secret."""
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}{self.path.partition('?')[0]}"


def target(url: str, allowed: Sequence[str], over: Callable[[], bool] = lambda: False) -> Target:
    """Where a URL leads. Raises `StepFailure` for one that does not read, whose host is not on the list, whose
    address may not be asked, or is not found before it is `over`."""
    parts = _parts(url)
    host, port = (parts.hostname or "").rstrip("."), parts.port or _PORTS[parts.scheme]
    entry = next((each for each in sorted(allowed, key=lambda e: "*" in e) if _fits(each, host, port)), None)
    if entry is None:
        remedy = f'add "{host}" to http_allow under [processes] in plane.toml'
        raise _refused(f"the plane does not let runs ask {host}:{port}", remedy)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme == "https", host, port, path, _addresses(host, port, "*" not in entry, over))


def _parts(url: str) -> SplitResult:
    remedy = "give an http or https URL without a name and password in it; percent-encode what is not ASCII"
    try:
        parts = urlsplit(url)
        known = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError as error:
        raise _refused(f"the URL does not read: {error}", remedy) from error
    # A zone (fe80::1%eth0.example.com) could be taken for the end of a name.
    if (
        not known
        or "%" in (parts.hostname or "")
        or len(url) > _LONGEST
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise _refused("the URL is none that can be asked", remedy)
    return parts


def _fits(entry: str, host: str, port: int) -> bool:
    """Whether an entry of the list means a host; one with a port means that port only."""
    name, colon, number = entry.lower().rpartition(":")
    if not colon or not number.isdecimal() or (":" in name and not name.startswith("[")):
        name, number = entry.lower(), ""
    name = name.strip("[]").rstrip(".")
    if number and int(number) != port:
        return False
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _addresses(host: str, port: int, literal: bool, over: Callable[[], bool]) -> tuple[str, ...]:
    try:
        addresses = meaning.look_up(host, port, over)
    except OSError as error:
        what = f"the host {host} is not found: {error.strerror or error}"
        raise StepFailure(what, where="url", remedy="check the name and the network") from error
    for address in addresses:
        if meaning.is_metadata(address):
            what = f"{host} has the address {address}, where clouds hand out credentials"
            raise _refused(what, "get them outside of processes: they are never asked for in a run")
        if not (literal and address == host) and not _may(address, literal):
            remedy = "list the host by its full name, or the address itself, in http_allow"
            raise _refused(f"{host} has the address {address}, which is not public", remedy)
    return addresses


def _may(address: str, literal: bool) -> bool:
    """Whether an address may be asked for a host that is listed by its name (`literal`) or let through by a pattern.
    Link-local ones, where clouds keep credentials, must be listed themselves."""
    return not meaning.is_special(address) and (literal or not meaning.is_private(address))


def _refused(what: str, remedy: str) -> StepFailure:
    return StepFailure(what, where="url", remedy=remedy, retryable=False)
