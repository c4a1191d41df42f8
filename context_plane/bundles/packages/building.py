"""Building, listing and verifying: what callers are given of a shelf.

Here belongs how a package stands. What it is, the shelf says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from context_plane.bundles.packages.folder import Packages
from context_plane.bundles.packages.package import Built, Freshness, Package, Row, Verified, freshness_of
from context_plane.errors import ContextPlaneError, NotFound
from context_plane.instants import format_instant

if TYPE_CHECKING:
    from context_plane.bundles.packages.compile import Compiled
    from context_plane.bundles.packages.declaration import Declaration
    from context_plane.bundles.packages.shelf import Origin, Shelf
    from context_plane.bundles.packages.stored import Head, Stored

Counts = Callable[[], Mapping[str, int]]
"""In how many answers each package was."""


def packed(shelf: Shelf, name: str, counts: Counts, *, latest: bool = False) -> Package:
    """A package; with `latest` as it was built last. Raises what `Shelf.compiled` raises."""
    origin = shelf.origin(name)
    if origin == "imported":
        found = shelf.imported[name]
        about = Freshness("imported", format_instant(found.at), found.number)
        made = shelf.compiled(name)
    else:
        state = shelf.state(name)
        about = freshness_of(state.head, state.changes)
        made = _compiled(shelf, name, state.built) if latest else shelf.compiled(name)
    return Package(shelf.view.tenant, name, made, origin, about, lambda: counts().get(name, 0))


def _compiled(shelf: Shelf, name: str, built: Compiled | None) -> Compiled:
    if built is None:
        remedy = f"build it: cortex package build {shelf.view.tenant} {name}"
        raise NotFound(f"package {name} is not built", where=f"tenant {shelf.view.tenant}", remedy=remedy)
    return built


def build(shelf: Shelf, stored: Stored, name: str, counts: Counts) -> Built:
    """Compiles a declared package that is stale or not built, and keeps it. What fails is told, not raised."""
    try:
        if shelf.origin(name) == "imported":
            return Built(name, packed(shelf, name, counts))
        state = shelf.state(name)
        made = shelf.compiled(name)
        new = state.built is None or state.built.version != made.version
        if new:
            view = shelf.view
            stored.write(made, view.number, view.as_of, view.end)
        return Built(name, packed(shelf, name, counts), new, state.changes)
    except ContextPlaneError as error:
        return Built(name, None, error=error)


def rows(shelf: Shelf, counts: Counts) -> Iterator[Row]:
    """All packages by name. Nothing is compiled, but for those that others build on."""
    accesses = counts()
    for name in shelf.names():
        row = _row(shelf, name, accesses.get(name, 0))
        if row is not None:
            yield row


def _row(shelf: Shelf, name: str, accesses: int) -> Row | None:
    error: ContextPlaneError | None = None
    made: Compiled | None = None
    declared = shelf.declarations.get(name)
    try:
        if shelf.origin(name) == "imported":
            found = shelf.imported[name]
            made, about = shelf.compiled(name), Freshness("imported", format_instant(found.at), found.number)
            declared = made.declaration
        else:
            state = shelf.state(name)
            made, about = state.built, freshness_of(state.head, state.changes)
            if made is None:
                shelf.sources(name)  # what cannot be compiled is said before somebody waits for it
    except ContextPlaneError as caught:
        error, about = caught, Freshness("broken")
    origin: Origin = "imported" if about.state == "imported" else "declared"
    if declared is None:
        return Row(name, "declared", about, error=error)
    depends = declared.packages if origin == "declared" else tuple(each for each, _ in made.depends) if made else ()
    return Row(
        name, origin, about, declared.scope, declared.description, made.version if made else None,
        made.tokens if made else None, made.raw_tokens if made else None, made.ratio if made else None, depends,
        accesses, error,
    )  # fmt: skip


def verify(shelf: Shelf, stored: Stored, name: str, past: Callable[[Head, Packages], Shelf]) -> Verified:
    """Compares what was built last with what the log makes at the view that it was built at, which `past` opens.

    Raises `NotFound` where nothing was built, `Corrupt` where what was built is damaged."""
    if shelf.origin(name) == "imported":
        made = shelf.compiled(name)
        return Verified(name, True, made.version, made.version, "")
    head = stored.latest(name)
    if head is None:
        _compiled(shelf, name, None)
        raise AssertionError("unreachable")
    built = stored.read(name, head.version)
    declared: dict[str, Declaration] = {name: built.declaration}
    for each, version in built.depends:
        if each not in shelf.imported:
            declared[each] = stored.read(each, version).declaration
    again = past(head, Packages(declared)).again(name)
    return Verified(name, again.body == built.body, built.version, again.version, _difference(built, again))


def _difference(built: Compiled, again: Compiled) -> str:
    if built.body == again.body:
        return ""
    if built.text != again.text:
        lines = zip(built.text.split("\n"), again.text.split("\n"), strict=False)
        at = next((at for at, (one, other) in enumerate(lines, 1) if one != other), 0)
        place = f"in line {at}" if at else "in its length"
        return f"the text differs first {place}"
    names = ("depends", "sources", "parts", "left_out", "own_raw_tokens", "raw_tokens")
    odd = next((each for each in names if getattr(built, each) != getattr(again, each)), "declaration")
    return f"the text is the same, {odd} is not"
