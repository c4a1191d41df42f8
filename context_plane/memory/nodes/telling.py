"""Telling: what a caller wants remembered, as nodes with their ids.

Here belongs the reading of arguments; what a node must be is checked in `node`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from context_plane.errors import InputError
from context_plane.instants import now, parse_cut, start_of
from context_plane.memory.nodes.node import KINDS, Kept, checked, node_id

_FIRST: Final = start_of(date.min)
_END: Final = start_of(date.max)
_FIELDS: Final = frozenset(
    {"entity", "content", "type", "confidence", "session", "origin", "about", "at", "id", *KINDS}
)
Targets = str | Sequence[str]


def told(
    entity: str,
    content: str,
    *,
    type: str = "observation",
    confidence: float = 1.0,
    session: str = "",
    origin: str = "",
    about: str | Sequence[str] = (),
    at: Any = None,
    id: str | None = None,
    **links: Targets | None,
) -> Kept:
    """The node that a call states; `links` are the nodes that it `supersedes`, `refines` and so on.

    Raises `InputError` naming the argument.
    """
    recorded = now()
    pairs = tuple((kind, target) for kind, given in links.items() for target in _several(given, kind))
    kept = Kept(
        id or "", entity, type, content, instant(at, recorded), recorded, confidence, session, origin,
        tuple(each for each in _several(about, "about") if each != entity), pairs,
    )  # fmt: skip
    if id is not None and not id:
        raise InputError("the id is empty", where="id", remedy="give one, or none at all")
    kept = checked(kept)
    return kept if id else replace(kept, id=node_id(kept))


def instant(at: Any, recorded: int) -> int:
    """From when on something holds: `at` as callers give it, else when it was told. Raises `InputError`."""
    given = parse_cut(at, begins=True, where="at")
    if given is not None and not _FIRST <= given < _END:
        raise InputError(f"time {at!r:.40} is in no year from 1 to 9999", where="at", remedy="correct it")
    return recorded if given is None else given


def told_many(nodes: Iterable[Mapping[str, Any]]) -> list[Kept]:
    """The nodes of mappings with the arguments of `told`. Raises `InputError` naming the number of the node."""
    found = []
    for number, each in enumerate(nodes, 1):
        try:
            if not isinstance(each, Mapping):
                raise InputError(f"{each!r:.60} is not a mapping", remedy="give entity, content and what else there is")
            unknown = sorted(set(each) - _FIELDS, key=str)
            if unknown:
                remedy = f"known are {', '.join(sorted(_FIELDS))}"
                raise InputError(f"there is no field {unknown[0]!r:.60}", remedy=remedy)
            if "entity" not in each or "content" not in each:
                raise InputError("entity or content is missing", remedy="give both")
            found.append(told(**each))
        except InputError as error:
            where = f"node {number}" + (f", {error.where}" if error.where else "")
            raise InputError(error.what, where=where, remedy=error.remedy) from error
    return found


def _several(given: Targets | None, where: str) -> tuple[str, ...]:
    """One text or several, each once. Raises `InputError` for anything else."""
    if given is None:
        return ()
    found = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    for each in found:
        if not isinstance(each, str):
            raise InputError(f"{each!r:.60} is not text", where=where, remedy="give a text or a list of texts")
    return tuple(dict.fromkeys(found))
