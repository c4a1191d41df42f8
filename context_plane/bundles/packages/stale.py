"""Staleness: what a package was made of, beside what there is of it now.

Here belongs telling the difference, in words that a person can check. A package without a difference is fresh: to
compile it again would give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from context_plane.bundles.packages.compile import Compiled
from context_plane.bundles.packages.declaration import Declaration
from context_plane.bundles.packages.sources import Source

_SHOWN: Final = 3


def changes(
    made: Compiled, declaration: Declaration, sources: Sequence[Source], depends: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """What has changed since a package was made; nothing where it is fresh. `depends` are the packages that it builds
    on, with their versions, as they are now."""
    if made.declaration.hash != declaration.hash:
        return ("its declaration changed",)
    found = [text for before, now in zip(made.sources, sources, strict=True) for text in _of_source(before, now)]
    was, now_ = dict(made.depends), dict(depends)
    names = sorted(was.keys() | now_.keys())
    return (*found, *(f"package {name} changed" for name in names if was.get(name) != now_.get(name)))


def _of_source(before: Mapping[str, Any], now: Source) -> Iterator[str]:
    if before["version"] == now.version:
        return
    after = now.to_json()
    told = False
    for words, one, other in (
        ("is superseded", after.get("superseded", ()), before.get("superseded", ())),
        ("is new", after["facts"], before["facts"]),
        ("is gone", before["facts"], [*after["facts"], *after.get("superseded", ())]),
    ):
        ids = [id_ for id_ in one if id_ not in set(other)]
        if ids and now.kind != "knowledge":
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            yield f"{now.ref}: {', '.join(ids[:_SHOWN])}{more} {words}"
            told = True
    if not told:
        yield f"{now.ref} changed"
