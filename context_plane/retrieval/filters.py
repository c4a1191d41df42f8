"""Filters: which documents a search may return, checked once as they come in.

Here belong their meaning and their translation into what an index knows: alternatives within one filter, all filters
together. Types whose name begins with ``cortex.`` are the plane's own and are left out unless a glob names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from context_plane.errors import InputError
from context_plane.log.events import RESERVED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from context_plane.retrieval.shards.fulltext import FullText

    Array = NDArray[Any]


@dataclass(frozen=True)
class Filters:
    """What a hit must be. Times are microseconds; `None` means no bound."""

    entities: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    """Globs, of which ``*`` is the only wildcard."""
    labels: tuple[str, ...] | None = None
    since: int | None = None
    """The first instant that counts."""
    until: int | None = None
    """The first instant that no longer does."""


def make(
    entity: str | Sequence[str] | None,
    types: str | Sequence[str] | None,
    labels: str | Sequence[str] | None,
    since: int | None,
    until: int | None,
) -> Filters:
    """Filters from what callers pass: one text or several. Raises `InputError` for anything else."""
    return Filters(_texts(entity, "entity"), _texts(types, "type"), _texts(labels, "labels"), since, until)


def _texts(value: str | Sequence[str] | None, name: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    if set(map(type, found)) <= {str}:  # the usual case, for filters of thousands of names
        return tuple(dict.fromkeys(found))
    if not all(isinstance(each, str) for each in found):
        raise InputError(
            f"{name} holds something that is not text", where=name, remedy="give a text or a list of texts"
        )
    return tuple(dict.fromkeys(map(str, found)))


def allowed_types(shard: FullText, globs: tuple[str, ...] | None) -> Array | None:
    """Which of the shard's types match, u8; `None` where all do."""
    return _flags([_matches(name, globs) for name in shard.types])


def matching(names: Sequence[str], globs: tuple[str, ...] | None) -> list[str] | None:
    """Those types that match; `None` where all do."""
    found = [name for name in names if _matches(name, globs)]
    return None if len(found) == len(names) else found


def allowed_labels(shard: FullText, wanted: tuple[str, ...] | None) -> Array | None:
    """Which of the shard's sets of labels hold one of those wanted, u8; `None` where all do."""
    if wanted is None:
        return None
    return _flags([not set(wanted).isdisjoint(each) for each in shard.labels])


def _flags(found: list[bool]) -> Array | None:
    import numpy as np

    return None if all(found) else np.array(found, np.uint8)


def _matches(name: str, globs: tuple[str, ...] | None) -> bool:
    if globs is None:
        return not name.startswith(RESERVED)
    return any(
        (not name.startswith(RESERVED) or glob.startswith(RESERVED)) and _matches_glob(name, glob) for glob in globs
    )


def _matches_glob(name: str, glob: str) -> bool:
    """Each piece between stars at the first place where it fits: taking a later one never helps, so none is tried and
    the time is that of reading both once."""
    if "*" not in glob:
        return name == glob
    first, *middle, last = glob.split("*")
    at, end = len(first), len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for piece in middle:
        at = name.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True
