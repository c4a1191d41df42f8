"""The `Store` protocol: what the plane asks of the place where its objects lie.

Here belong the operations, their guarantees and the rule for keys that all stores share. How a kind of store keeps the
guarantees is in its own module (`local`, `objects`); what is stored where is in `keys`.

Two ways of writing, because two things are written. *Numbered* objects (commit records, snapshots) are created only if
absent and are durable when `create` returns True: they are the points at which something begins to exist. *Content*
(segments, parts) is named by its hash, so that writing it twice is harmless; it is durable only after `sync`, and
nothing may name it before. Nothing is ever overwritten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

from context_plane.errors import InputError

_KEY: Final = re.compile(r"[A-Za-z0-9_%~-][A-Za-z0-9_.%~-]*(?:/[A-Za-z0-9_%~-][A-Za-z0-9_.%~-]*)*")
Names = list[str]  # the protocol has a method named `list`
_REMEDY: Final = "use the functions of context_plane.store.keys"


class Store(Protocol):
    """Bytes under keys. All methods may be called from several threads.

    Every method raises `Unavailable` where the store cannot be reached, `Denied` where it refuses, `InputError` for a
    malformed key. The URL never contains credentials.
    """

    @property
    def url(self) -> str:
        """Where the store is, for messages."""

    @property
    def local(self) -> bool:
        """Whether objects are local files: parts may be memory-mapped and probing costs a stat."""

    def get(self, key: str) -> bytes:
        """The whole object; `NotFound` where it is absent. A write that returned is seen by every later read."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Exactly the bytes ``[start, start + length)``; `NotFound`, or `Corrupt` where the object ends before."""

    def head(self, key: str) -> int | None:
        """Size in bytes; None where there is no such object."""

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Full keys under a prefix, recursively, in byte order, lazily; only keys greater than `after`.

        `prefix` is empty or ends with a slash. A finished write is listed; one that happens meanwhile may be.
        """

    def children(self, prefix: str) -> Names:
        """Sorted names (without slashes) of what lies directly under a prefix, folders and objects alike.

        A local disk may also name a folder that a killed writer left empty.
        """

    def create(self, key: str, body: bytes) -> bool:
        """Creates a numbered object if it is absent: True created, False something is there.

        Durable when it returns True. Of any number of racing callers at most one gets True. False may also be the
        caller's own earlier write whose answer was lost, and `Unavailable` means that nobody knows whether it landed:
        commits go through `create_settled`, which settles both.
        """

    def put_content(self, items: Iterable[tuple[str, bytes]]) -> None:
        """Writes content-addressed objects; idempotent, in any order, in constant memory where `items` is a generator.

        Durable only after `sync`. Where it raises, any of the items may have been written.
        """

    def sync(self) -> None:
        """Makes everything durable that this process put before.

        Call it in the thread that put the content. Where it raises, put the content again: a later sync that succeeds
        says nothing about what was written before one that failed.
        """

    def delete(self, key: str) -> None:
        """Removes an object that nothing can reach any more (the sweep's business). Absent is fine."""

    def path(self, key: str) -> Path | None:
        """The local file of an object, to be memory-mapped; None where it is absent or the store is remote."""


def check_key(key: str) -> str:
    """The key, or `InputError` where it has empty, hidden, `..` or unencoded parts."""
    if not _KEY.fullmatch(key):
        raise InputError(f"{key[:200]!r} is not a store key", remedy=_REMEDY)
    return key


def check_prefix(prefix: str) -> str:
    """The prefix, or `InputError` where it is neither empty nor a key with a slash at its end."""
    if prefix and not (prefix.endswith("/") and _KEY.fullmatch(prefix[:-1])):
        raise InputError(f"{prefix[:200]!r} is not a store prefix", remedy=_REMEDY)
    return prefix


def check_range(start: int, length: int) -> None:
    """Raises `InputError` for a range that begins before the object or holds less than nothing."""
    if start < 0 or length < 0:
        raise InputError(f"range {start}+{length} is not a byte range", remedy="use a start and length of 0 or more")
