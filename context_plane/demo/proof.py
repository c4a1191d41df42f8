"""The proof: late corrections arrive, everything but the log is deleted and built again, and bundles are compared.

Compared are bytes. A bundle read at the log number of the first pass must be the one that was read then, although what
it is computed from was deleted in between; at the new head only customers with a late event may differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.demo.figures import Change, Proof
from context_plane.demo.home import SPEC, Removed

if TYPE_CHECKING:
    from context_plane.bundles.bundle import Bundle
    from context_plane.plane import ContextPlane

EXAMPLES: Final = 3


@dataclass(frozen=True)
class FirstPass:
    """What was read before anything was deleted."""

    number: int
    """Log number at which it was read."""
    bundles: Mapping[str, bytes]
    past: bytes
    """One bundle as of an earlier day."""


def overall(bundles: Mapping[str, bytes]) -> str:
    """One SHA-256 over all bundles, sorted by entity."""
    found = hashlib.sha256()
    for entity in sorted(bundles):
        found.update(bundles[entity])
    return found.hexdigest()


def by_entity(bundles: Iterable[Bundle]) -> dict[str, bytes]:
    """The bytes of bundles by entity."""
    return {bundle.entity: bundle.json for bundle in bundles}


def compare(
    plane: ContextPlane, tenant: str, first: FirstPass, late: Collection[str], past: tuple[str, int], removed: Removed
) -> Proof:
    """Reads everything again and says what is the same. `late` are the customers with a late event, `past` the entity
    and the instant of the bundle as of an earlier day."""
    again = by_entity(plane.bundles(tenant, SPEC, known_at=first.number))
    head = {bundle.entity: bundle for bundle in plane.bundles(tenant, SPEC)}
    changed = sorted(entity for entity, bundle in head.items() if bundle.json != first.bundles.get(entity))
    untouched = [entity for entity in first.bundles if entity not in late]
    entity, instant = past
    bundle = plane.bundle(tenant, entity, SPEC, as_of=instant, known_at=first.number)
    replayed = [found.equal for found in plane.replay_all(tenant)]
    return Proof(
        removed_files=removed.files,
        removed_bytes=removed.bytes,
        bundles=len(first.bundles),
        identical=sum(again.get(entity) == body for entity, body in first.bundles.items()),
        sha256_before=overall(first.bundles),
        sha256_after=overall(again),
        untouched=len(untouched),
        untouched_identical=sum(entity in head and head[entity].json == first.bundles[entity] for entity in untouched),
        late=len(late),
        changed=len(changed),
        explained=changed == sorted(late),
        as_of=bundle.as_of,
        as_of_identical=bundle.json == first.past,
        receipts=len(replayed),
        replayed=sum(replayed),
        examples=tuple(_change(plane, tenant, head[each], first) for each in changed[:EXAMPLES]),
    )


def _change(plane: ContextPlane, tenant: str, bundle: Bundle, first: FirstPass) -> Change:
    """What is different for one customer, and the events that the first pass did not know."""
    import json

    before: dict[str, Any] = json.loads(first.bundles[bundle.entity])["fields"]
    known = _ids(plane.timeline(tenant, bundle.entity, known_at=first.number))
    new = [event for event in _ids(plane.timeline(tenant, bundle.entity)) if event not in known]
    fields = {name: (before[name], value) for name, value in bundle.fields.items() if value != before[name]}
    return Change(bundle.entity, tuple(new), fields)


def _ids(timeline: Any) -> list[str]:
    columns = (timeline.column(name).to_pylist() for name in ("type", "source", "id"))
    return [f"{kind} {source}/{id_}" for kind, source, id_ in zip(*columns, strict=True)]
