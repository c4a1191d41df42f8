"""Telling: what a caller wants remembered, as nodes with their ids.

Here belongs the reading of arguments; what a node must be is checked in `node`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from context_plane.errors import InputError
from context_plane.instants import now, parse_cut
from context_plane.memory.nodes.node import KINDS, Kept, checked, node_id

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
    valid = parse_cut(at, begins=True, where="at")
    pairs = tuple((kind, target) for kind, given in links.items() for target in _several(given))
    kept = Kept(
        id or "", entity, type, content, recorded if valid is None else valid, recorded, confidence, session, origin,
        tuple(dict.fromkeys(each for each in _several(about) if each != entity)), tuple(dict.fromkeys(pairs)),
    )  # fmt: skip
    if not isinstance(entity, str):
        raise InputError(f"{entity!r:.60} is not an entity", where="entity", remedy="write it as type/id")
    if id is not None and not id:
        raise InputError("the id is empty", where="id", remedy="give one, or none at all")
    kept = checked(kept)
    return kept if id else replace(kept, id=node_id(kept))


def told_many(nodes: Iterable[Mapping[str, Any]]) -> list[Kept]:
    """The nodes of mappings with the arguments of `told`. Raises `InputError` naming the number of the node."""
    found = []
    for number, each in enumerate(nodes, 1):
        try:
            unknown = sorted(set(each) - _FIELDS)
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


def _several(given: Targets | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)
