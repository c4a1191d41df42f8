"""Gathering: the candidates for a context window, section by section, each with what it refers to.

Here belongs what is looked for and what each section may take. What is taken decides the viewport.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from context_plane.bundles.answers import lines
from context_plane.bundles.viewport.sections import Item, Section
from context_plane.memory.chains.walk import Walk

if TYPE_CHECKING:
    from context_plane.bundles.answers.request import Request
    from context_plane.bundles.bundle import Bundle
    from context_plane.memory.nodes.recalling import Recalled
    from context_plane.retrieval.hit import Hit

INSTRUCTIONS: Final = "instructions"
STATE: Final = "state"
ENTITY: Final = "entity"
MEMORY: Final = "memory"
PACKAGE: Final = "package"
KNOWLEDGE: Final = "knowledge"
CHAIN: Final = "chain"
EVENTS: Final = "events"
PRIORITY: Final = {
    INSTRUCTIONS: 100, STATE: 90, ENTITY: 80, MEMORY: 70, PACKAGE: 65, KNOWLEDGE: 60, EVENTS: 50, CHAIN: 40,
}  # fmt: skip
CANDIDATES: Final = 100
"""Nodes, events and chunks that are looked at."""
_LINKS: Final = 50
Ref = dict[str, Any]
"""What an item refers to: `kind`, and what of that kind it is."""


@dataclass
class Gathered:
    """Sections for the viewport, and what their items refer to."""

    sections: list[Section] = field(default_factory=list)
    refs: dict[tuple[str, str], Ref] = field(default_factory=dict)
    """By section and item."""
    found: dict[str, int] = field(default_factory=dict)
    """How many candidates each section had."""

    def add(self, name: str, items: Sequence[tuple[Item, Ref]], **how: Any) -> None:
        """A section of candidates; without any it is not there."""
        if items:
            self.sections.append(Section(name, tuple(item for item, _ in items), PRIORITY[name], **how))
            self.refs.update({(name, item.id): ref for item, ref in items})
            self.found[name] = len(items)


@dataclass(frozen=True)
class Sources:
    """Where candidates come from, all of one view."""

    bundle: Callable[[], Bundle | None]
    recall: Callable[[int], Sequence[Recalled]]
    """The best nodes for the goal, or the newest where there is none."""
    search: Callable[[int], Sequence[Hit]]
    """The same of the entity's events."""
    chunks: Callable[[int], Sequence[tuple[Item, Ref]]]
    """Parts of topics: of those that were asked for all, else the best for the goal."""
    packages: Callable[[], Sequence[tuple[Item, Ref]]]
    walks: Callable[[], Sequence[Walk]]
    """What came before the entity, and what came of it."""


def gather(request: Request, sources: Sources, only: Collection[str] | None = None) -> Gathered:
    """All candidates, of all sections or of some. The entity's fields come before memory, memory before what search
    finds; where there is a goal, parts of the budget are kept for these."""
    found, kept = Gathered(), request.max_tokens // 8 if request.goal else 0
    wanted = PRIORITY.keys() if only is None else {INSTRUCTIONS, STATE, *only}
    for name, text, trusted in ((INSTRUCTIONS, request.instructions, True), (STATE, request.state, False)):
        if text.strip():
            found.add(name, [(Item("0", text.strip(), mandatory=True), {"kind": name})], trusted=trusted)
    bundle = sources.bundle() if ENTITY in wanted else None
    if bundle is not None:
        found.add(ENTITY, _fields(bundle), ranked=True)
    if MEMORY in wanted:
        found.add(MEMORY, _nodes(sources.recall(CANDIDATES)), least=kept, ranked=True)
    if PACKAGE in wanted:
        found.add(PACKAGE, sources.packages())
    if KNOWLEDGE in wanted:
        found.add(KNOWLEDGE, sources.chunks(CANDIDATES), least=kept, ranked=True)
    if EVENTS in wanted:
        found.add(EVENTS, _events(sources.search(CANDIDATES)), least=2 * kept, ranked=True)
    if CHAIN in wanted:
        found.add(CHAIN, _links(sources.walks()), most=max(1, request.max_tokens // 4), ranked=True)
    return found


def _fields(bundle: Bundle) -> list[tuple[Item, Ref]]:
    """The fields, the first the most worth: that is the order in which whoever wrote the spec named them."""
    items: list[tuple[Item, Ref]] = [(Item("entity", lines.of_head(bundle), value=2e6), {"kind": "head"})]
    for number, name in enumerate(lines.fields_of(bundle)):
        item = Item(f"field {name}", lines.of_field(bundle, name), value=1e6 / (1 + number))
        items.append((item, {"kind": "field", "name": name}))
    return items


def _nodes(recalled: Sequence[Recalled]) -> list[tuple[Item, Ref]]:
    """Nodes in order of time, so that what came later is read later."""
    found = sorted(recalled, key=lambda each: (each.node.at, each.id))
    return [
        (
            Item(
                each.id, lines.of_node(each.node), value=each.score, same_as=f"says {each.text}",
                says=(f"cortex/memory {each.id}",),
            ),
            {
                "kind": "memory", "id": each.id, "entity": each.node.entity, "time": each.node.at,
                "source": "cortex/memory", "chain": each.node.chain, "score": each.score,
            },
        )
        for each in found
    ]  # fmt: skip


def _events(hits: Sequence[Hit]) -> list[tuple[Item, Ref]]:
    """Events in order of time."""
    found = sorted(hits, key=lambda hit: (hit.at, hit.source, hit.event_id))
    return [
        (
            Item(
                f"{hit.source}/{hit.event_id}", lines.of_event(hit.at, hit.type, hit.text), value=hit.score,
                says=(f"{hit.source} {hit.event_id}",),
            ),
            {
                "kind": "event", "id": hit.event_id, "entity": hit.entity, "time": hit.at, "source": hit.source,
                "score": hit.score,
            },
        )
        for hit in found
        if hit.text
    ]  # fmt: skip


def _links(walks: Sequence[Walk]) -> list[tuple[Item, Ref]]:
    """Links near the entity before those far from it, each once."""
    found: dict[str, tuple[Item, Ref]] = {}
    for walk in walks:
        for step in sorted(walk.steps, key=lambda step: step.depth)[:_LINKS]:
            edge, thing, link = step.edge, step.thing, step.edge.link
            id_ = f"{edge.actor} {edge.kind} {edge.target}"
            ref = {
                "kind": "link", "id": link.id, "entity": link.entity, "time": edge.time, "source": link.source,
                "actor": edge.actor, "link": edge.kind, "target": edge.target, "field": link.evidence.field,
                "span": list(link.evidence.span or ()), "title": thing.id, "since": thing.since,
            }  # fmt: skip
            text = lines.of_link(edge.time, edge.kind, edge.actor, edge.target, edge.quote, thing.title)
            found.setdefault(id_, (Item(id_, text, value=1 / step.depth), ref))
    return list(found.values())
