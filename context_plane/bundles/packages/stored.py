"""What the store holds of packages: bodies by their hash, and numbered heads that say which was built when.

Here belongs writing a version so that it exists whole or not at all, and finding the newest. A head is created only if
absent, after its body is durable; nothing is overwritten. All of it can be built again from the log and the home.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from context_plane.bundles.packages.compile import Compiled, compiled_of, version_of
from context_plane.bundles.packages.declaration import is_name
from context_plane.canonical import canonical
from context_plane.errors import Corrupt, NotFound
from context_plane.instants import format_instant, now, parse_instant
from context_plane.store import keys
from context_plane.store.faults import reach
from context_plane.store.settled import create_settled

if TYPE_CHECKING:
    from context_plane.store.base import Store

FORMAT: Final = 1
_HASH: Final = "sha256:"
_REMEDY: Final = "delete the object and build the package again: it is derived from the log"


@dataclass(frozen=True)
class Head:
    """That a version of a package was built."""

    number: int
    version: str
    log: int
    """The log number of the view that it was built at."""
    as_of: int
    """Where that cut event time, microseconds since 1970."""
    end: int
    """Where it cut the plane's own events."""
    time: str
    """Wall clock, RFC 3339."""

    def encode(self) -> bytes:
        """As the store holds it."""
        return canonical(
            {
                "format": FORMAT, "number": self.number, "version": self.version, "log": self.log,
                "as_of": format_instant(self.as_of), "end": format_instant(self.end), "time": self.time,
            }
        )  # fmt: skip


class Stored:
    """The packages of one tenant in the store."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    def names(self) -> list[str]:
        """Names of the packages of which a version was built, sorted."""
        names = (unquote(each) for each in self._store.children(keys.packages(self._tenant)))
        return sorted(name for name in names if is_name(name) and self.latest(name) is not None)

    def latest(self, name: str) -> Head | None:
        """The newest head of a package. Raises `Corrupt`."""
        found = [
            each for each in self._store.children(keys.package_heads(self._tenant, name)) if each.endswith(".json")
        ]
        if not found:
            return None
        key = keys.package_head(self._tenant, name, int(found[-1].removesuffix(".json")))
        return _head(key, self._store.get(key))

    def read(self, name: str, version: str) -> Compiled:
        """A version of a package. Raises `NotFound`, and `Corrupt` for what is not the bytes that were written."""
        key = keys.package(self._tenant, name, version.removeprefix(_HASH))
        body = self._store.get(key)
        if version_of(body) != version:
            raise Corrupt("package is damaged: its SHA-256 is not the recorded one", where=key, remedy=_REMEDY)
        return compiled_of(body, key)

    def current(self, name: str) -> tuple[Head, Compiled] | None:
        """The newest version and its head; `None` where there is none that reads, which is then built anew."""
        head = self.latest(name)
        if head is None:
            return None
        try:
            return head, self.read(name, head.version)
        except (NotFound, Corrupt):
            return None

    def write(self, made: Compiled, log: int, as_of: int, end: int) -> Head:
        """Makes a version the newest of its package, and returns its head. Raises `Unavailable`."""
        key = keys.package(self._tenant, made.name, made.version.removeprefix(_HASH))
        self._store.put_content([(key, made.body)])
        reach("package.body-written")
        self._store.sync()
        while True:
            newest = self.latest(made.name)
            if newest is not None and (newest.version, newest.log, newest.end) == (made.version, log, end):
                return newest  # another process has built the same
            number = newest.number + 1 if newest else 1
            head = Head(number, made.version, log, as_of, end, format_instant(now()))
            body = head.encode()
            if create_settled(self._store, keys.package_head(self._tenant, made.name, number), body, body.__eq__):
                reach("package.head-created")
                return head


def _head(key: str, body: bytes) -> Head:
    try:
        raw: dict[str, Any] = json.loads(body)
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']}")
        return Head(
            int(raw["number"]), str(raw["version"]), int(raw["log"]), parse_instant(raw["as_of"]),
            parse_instant(raw["end"]), str(raw["time"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"head of a package does not read: {error}", where=key, remedy=_REMEDY) from error
