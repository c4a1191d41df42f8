"""`cortex memory`: what agents were told to remember, and what came of what."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from context_plane.cli.options import cut_options, json_option, open_existing, open_plane, tenant_argument
from context_plane.cli.output import echo_json, note, say
from context_plane.cli.texts import STDIN, read
from context_plane.errors import InputError
from context_plane.memory.nodes.node import KINDS, TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from context_plane.memory.chains.walk import Direction
    from context_plane.memory.nodes.seen import Node
    from context_plane.retrieval.searcher import Asked

_type_option = click.option("--type", "types", multiple=True, type=click.Choice(TYPES), help="Only nodes of this type.")
_superseded_option = click.option("--superseded", is_flag=True, help="Also what something else has taken the place of.")
_session_option = click.option("--session", metavar="S", help="Only what was told in this session.")


@click.group("memory")
def command() -> None:
    """What agents were told to remember, and what came of what."""


def _edge_options(function: Callable[..., None]) -> Callable[..., None]:
    for kind in reversed(KINDS):
        name = f"--{kind.replace('_', '-')}"
        text = f"The new node {kind.replace('_', ' ')} this one; may be given several times."
        function = click.option(name, kind, multiple=True, metavar="ID", help=text)(function)
    return function


@command.command("add")
@tenant_argument
@click.argument("entity", metavar="ENTITY")
@click.argument("content", metavar="TEXT")
@click.option("--type", "type_", type=click.Choice(TYPES), default="observation", show_default=True, help="What it is.")
@_edge_options
@click.option("--about", multiple=True, metavar="E", help="A further entity that it is about.")
@click.option("--confidence", type=float, default=1.0, show_default=True, metavar="C", help="How sure it is, 0 to 1.")
@click.option("--session", default="", metavar="S", help="In which session it was told.")
@click.option("--origin", default="", metavar="WHO", help="Who or what told it.")
@click.option("--at", metavar="TIME", help="From when on it holds [default: now].")
@click.option("--id", "id_", metavar="ID", help="An id of your own: a repeated call is then the same node.")
@json_option
def add(
    tenant: str,
    entity: str,
    content: str,
    type_: str,
    about: tuple[str, ...],
    confidence: float,
    session: str,
    origin: str,
    at: str | None,
    id_: str | None,
    as_json: bool,
    **edges: tuple[str, ...],
) -> None:
    """Remember TEXT about ENTITY (type/id). TEXT may be - for stdin."""
    text = read(content).removesuffix("\n") if content == STDIN else content
    with open_plane() as plane:
        node = plane.remember(
            tenant, entity, text, type=type_, about=about, confidence=confidence, session=session, origin=origin,
            at=at, id=id_, **edges,
        )  # fmt: skip
    _tell([node], as_json, one=True)


@command.command("link")
@tenant_argument
@click.argument("actor", metavar="ID")
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@click.argument("target", metavar="ID")
@click.option("--at", metavar="TIME", help="From when on it holds [default: now].")
@json_option
def link(tenant: str, actor: str, kind: str, target: str, at: str | None, as_json: bool) -> None:
    """State an edge between two nodes: the first ID supersedes, refines, … the second."""
    with open_existing() as plane:
        node = plane.link(tenant, actor, kind, target, at=at)
    _tell([node], as_json, one=True)


@command.command("show")
@tenant_argument
@click.argument("id_", metavar="ID")
@cut_options
@json_option
def show(tenant: str, id_: str, as_of: datetime | int | None, known_at: int | None, as_json: bool) -> None:
    """Print one node: what it says, whether it is current, what takes its place or does not agree with it."""
    with open_existing() as plane:
        node = plane.node(tenant, id_, as_of=as_of, known_at=known_at)
    _tell([node], as_json, one=True)


@command.command("list")
@tenant_argument
@click.option("--entity", "entities", multiple=True, metavar="E", help="Only nodes about this entity; any of several.")
@click.option("--chain", metavar="ID", help="Only the chain that this node is in.")
@_type_option
@_session_option
@_superseded_option
@cut_options
@json_option
def list_(
    tenant: str,
    entities: tuple[str, ...],
    chain: str | None,
    types: tuple[str, ...],
    session: str | None,
    superseded: bool,
    as_of: datetime | int | None,
    known_at: int | None,
    as_json: bool,
) -> None:
    """Print what is remembered, in order of time."""
    with open_existing() as plane:
        nodes = plane.nodes(
            tenant, entity=entities or None, chain=chain, type=types or None, session=session, superseded=superseded,
            as_of=as_of, known_at=known_at,
        )  # fmt: skip
    _tell(nodes, as_json)


@command.command("recall")
@tenant_argument
@click.argument("query", metavar="QUERY")
@click.option("--entity", "entities", multiple=True, metavar="E", help="Only nodes about this entity; any of several.")
@_type_option
@_session_option
@click.option("--min-confidence", type=float, default=0.0, metavar="C", help="Only what is at least so sure.")
@_superseded_option
@click.option(
    "--mode", type=click.Choice(["auto", "bm25", "vector", "hybrid"]), default="auto", show_default=True,
    help="bm25: by words. vector: by meaning. hybrid: both.",
)  # fmt: skip
@click.option("-k", "k", type=int, default=10, show_default=True, metavar="N", help="How many nodes.")
@cut_options
@json_option
def recall(
    tenant: str,
    query: str,
    entities: tuple[str, ...],
    types: tuple[str, ...],
    session: str | None,
    min_confidence: float,
    superseded: bool,
    mode: Asked,
    k: int,
    as_of: datetime | int | None,
    known_at: int | None,
    as_json: bool,
) -> None:
    """Print the nodes that answer QUERY best; only what is current unless asked for more."""
    with open_existing() as plane:
        found = plane.recall(
            tenant, query, entity=entities or None, type=types or None, session=session,
            min_confidence=min_confidence, superseded=superseded, mode=mode, k=k, as_of=as_of, known_at=known_at,
        )  # fmt: skip
        if as_json:
            echo_json([each.to_json() for each in found])
            return
        _tell([each.node for each in found], as_json=False)


@command.command("constraints")
@tenant_argument
@click.argument("entity", metavar="ENTITY")
@click.option("--depth", type=int, default=3, show_default=True, metavar="N", help="How many links to go back.")
@cut_options
@json_option
def constraints(
    tenant: str, entity: str, depth: int, as_of: datetime | int | None, known_at: int | None, as_json: bool
) -> None:
    """Print the decisions, preferences and corrections that apply to ENTITY or to what it follows from."""
    with open_existing() as plane:
        _tell(plane.constraints(tenant, entity, depth=depth, as_of=as_of, known_at=known_at), as_json)


def _walk_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--max-tokens", type=int, metavar="N", help="At most so many tokens of text."),
        click.option("--kind", "kinds", multiple=True, metavar="K", help="Only links of this kind; any of several."),
        click.option("--depth", type=int, default=10, show_default=True, metavar="N", help="How many links to go on."),
        click.option(
            "--direction", type=click.Choice(["back", "forward"]), default="back", show_default=True,
            help="back: what came before it. forward: what came of it.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


@command.command("walk")
@tenant_argument
@click.argument("start", metavar="START")
@_walk_options
@cut_options
@json_option
def walk(
    tenant: str,
    start: str,
    direction: Direction,
    depth: int,
    kinds: tuple[str, ...],
    max_tokens: int | None,
    as_of: datetime | int | None,
    known_at: int | None,
    as_json: bool,
) -> None:
    """Print what is linked with START, an entity (type/id) or a node's id: a line a step, indented by how far it is."""
    with open_existing() as plane:
        found = plane.chain(
            tenant, start, direction=direction, depth=depth, kinds=kinds or None, max_tokens=max_tokens, as_of=as_of,
            known_at=known_at,
        )  # fmt: skip
    if as_json:
        echo_json(found.to_dict())
        return
    from context_plane.memory.chains.drawing import verb

    for step in found.steps:
        title = f": {step.thing.title}" if step.thing.title else ""
        say(f"{'  ' * (step.depth - 1)}{verb(step)} {step.thing.id}{title}")
    if not found.steps:
        say("nothing is linked to it in that direction")
    if found.left_out:
        note(f"{found.left_out:,} more links are beyond the limits")


@command.command("inspect")
@tenant_argument
@click.argument("start", metavar="START")
@_walk_options
@click.option("--mermaid", "diagram", metavar="FILE", help="Also write the chain as a Mermaid flow chart.")
@cut_options
@json_option
def inspect(
    tenant: str,
    start: str,
    direction: Direction,
    depth: int,
    kinds: tuple[str, ...],
    max_tokens: int | None,
    diagram: str | None,
    as_of: datetime | int | None,
    known_at: int | None,
    as_json: bool,
) -> None:
    """Draw how START, an entity (type/id) or a node's id, came about, or what came of it: each link with the words that
    state it and where."""
    with open_existing() as plane:
        found = plane.chain(
            tenant, start, direction=direction, depth=depth, kinds=kinds or None, max_tokens=max_tokens, as_of=as_of,
            known_at=known_at,
        )  # fmt: skip
    if diagram is not None:
        _write(Path(diagram), found.mermaid)
    if as_json:
        echo_json(found.to_dict())
        return
    for line in found.text.split("\n"):
        say(line)


def _tell(nodes: list[Node], as_json: bool, *, one: bool = False) -> None:
    if as_json:
        shapes: list[Any] = [node.to_json() for node in nodes]
        echo_json(shapes[0] if one else shapes)
        return
    for node in nodes:
        sure = "" if node.confidence == 1 else f"  confidence {node.confidence:g}"
        say(f"{node.id}  {node.type}  {node.entity}  {node.time[:16].replace('T', ' ')}{sure}")
        first, *more = node.text.strip().splitlines()
        say(f"   {first}")
        for line in more:
            say(f"     {line}")  # further in, so that none can pass for one of those below
        for edge in node.edges:
            say(f"   {edge.kind.replace('_', ' ')} {edge.target}")
        if node.superseded_by:
            say(f"   superseded by {', '.join(node.superseded_by)}")
        if node.conflicts:
            say(f"   in conflict with {', '.join(node.conflicts)}: both are kept until one supersedes the other")
    if not nodes:
        say("nothing is remembered that fits")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(f"{text}\n", "utf-8")
    except OSError as error:
        what = f"it cannot be written: {error.strerror or error}"
        raise InputError(what, where=str(path), remedy="choose another file") from error
    note(f"wrote {path}")
