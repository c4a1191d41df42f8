"""Drawing: a walk as a tree of text for people and models, and as a Mermaid diagram.

Here belongs how a step reads. Titles and quotes are the events' own words: they stand in quotes and cannot become part
of a diagram's code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from context_plane.instants import format_instant
from context_plane.memory.chains.graph import Thing
from context_plane.memory.chains.walk import Step, Walk

BAR: Final = "│  "
_PASSIVE: Final = {
    "refs": "referred to by", "closes": "closed by", "addresses": "addressed by", "supersedes": "superseded by",
    "reverts": "reverted by", "duplicate_of": "duplicated by", "instead_of": "replaced by", "refines": "refined by",
    "contradicts": "contradicted by", "led_to": "followed from", "caused_by": "cause of",
}  # fmt: skip


def text(found: Walk) -> str:
    """The walk as a tree, one line a step."""
    lines = [named(found.start)]
    bars: list[bool] = []
    above = {found.start.id}
    for step, last in _with_last(found.steps):
        del bars[step.depth - 1 :]
        lead = "".join("   " if ended else BAR for ended in bars)
        lines.append(f"{lead}{'└─ ' if last else '├─ '}{line(step, below=step.thing.id not in above)}")
        bars.append(last)
        above |= set() if step.again else {step.thing.id}
    if not found.steps:
        lines.append(f"nothing is linked to it that came {'before' if found.direction == 'back' else 'after'}")
    if found.left_out:
        lines.append(f"({found.left_out:,} more links are beyond the limits)")
    return "\n".join(lines)


def mermaid(found: Walk) -> str:
    """The walk as a Mermaid flow chart: what came first is on top, arrows say what acts on what."""
    things = {thing.id: thing for thing in (found.start, *(step.thing for step in found.steps))}
    number = {id_: f"n{at}" for at, id_ in enumerate(things)}
    lines = ["flowchart TB"]
    lines += [f'  {number[id_]}["{_escaped(_label(thing))}"]' for id_, thing in things.items()]
    drawn: set[tuple[str, str, str]] = set()
    for step in found.steps:
        edge = step.edge
        if (edge.actor, edge.kind, edge.target) not in drawn:
            drawn.add((edge.actor, edge.kind, edge.target))
            lines.append(f'  {number[edge.actor]} -->|"{_escaped(edge.kind)}"| {number[edge.target]}')
    return "\n".join(lines)


def to_dict(found: Walk) -> dict[str, Any]:
    """The walk as JSON."""
    return {
        "start": _thing(found.start),
        "direction": found.direction,
        "steps": [
            {
                "depth": step.depth, "kind": step.edge.kind, "actor": step.edge.actor, "target": step.edge.target,
                "thing": _thing(step.thing), "again": step.again, "quote": step.edge.quote,
                "time": format_instant(step.edge.time), "source": step.edge.link.source,
                "event_id": step.edge.link.id, "rule": step.edge.link.rule,
            }
            for step in found.steps
        ],
        "left_out": found.left_out,
    }  # fmt: skip


def _with_last(steps: tuple[Step, ...]) -> Iterator[tuple[Step, bool]]:
    """Each step, and whether it is the last of its thing's."""
    open_: dict[int, bool] = {}
    marked: list[tuple[Step, bool]] = []
    for step in reversed(steps):
        marked.append((step, not open_.get(step.depth, False)))
        open_ = {depth: True for depth in open_ if depth < step.depth} | {step.depth: True}
    yield from reversed(marked)


def verb(step: Step) -> str:
    """What the thing that a step comes from does to the one that it leads to, or has done to it."""
    edge = step.edge
    words = edge.kind.replace("_", " ")
    return words if edge.target == step.thing.id else _PASSIVE.get(edge.kind, f"{words}, said by")


def line(step: Step, *, below: bool = False) -> str:
    """A step without the bars before it; `below` says where one is gone on from that is not gone on from here."""
    edge, thing = step.edge, step.thing
    said = f"  {_quoted(edge.quote)}" if edge.quote else ""
    when = format_instant(edge.time)[:10]
    after = ("  (below)" if below else "  (above)") if step.again else "  …" if step.cut else ""
    return f"{verb(step)} {named(thing)}{said}  {when} {edge.link.source} {edge.link.id}{after}"


def named(thing: Thing) -> str:
    """What is known of a thing, in a line."""
    if thing.since is None:
        return f"{thing.id} (no event of it)"
    return f"{thing.id}  {format_instant(thing.since)[:10]}  {_quoted(thing.title)}" if thing.title else thing.id


def _label(thing: Thing) -> str:
    return f"{thing.id}: {thing.title}" if thing.title else thing.id


def _quoted(words: str) -> str:
    return f'"{words}"'


def _escaped(words: str) -> str:
    """Words within a Mermaid label: what has a meaning there is written as the entity that Mermaid has for it."""
    return "".join(sign if sign.isalnum() or sign in _PLAIN or ord(sign) > 127 else f"#{ord(sign)};" for sign in words)


_PLAIN: Final = " -_.,:/()'"


def _thing(thing: Thing) -> dict[str, Any]:
    since = None if thing.since is None else format_instant(thing.since)
    return {"id": thing.id, "since": since, "title": thing.title}
