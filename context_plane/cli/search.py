"""`cortex search`: the events that answer a query."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from context_plane.cli.options import cut_options, json_option, open_existing, tenant_argument
from context_plane.cli.output import echo_json, note, say
from context_plane.errors import ContextPlaneError

if TYPE_CHECKING:
    from context_plane.plane import ContextPlane
    from context_plane.retrieval.hit import Hit
    from context_plane.retrieval.searcher import Asked

_WIDTH: Final = 400
"""Characters of a text that people are shown."""


@click.command("search")
@tenant_argument
@click.argument("query", metavar="QUERY")
@click.option("--entity", "entities", multiple=True, metavar="E", help="Only events of this entity; any of several.")
@click.option("--type", "types", multiple=True, metavar="GLOB", help="Only events of these types, such as crm.*.")
@click.option(
    "--label", "labels", multiple=True, metavar="L", help="Only events that carry this label; any of several."
)
@click.option("--since", metavar="TIME", help="Only events from this time, or from the beginning of this day.")
@click.option("--until", metavar="TIME", help="Only events before this time, or to the end of this day.")
@click.option(
    "--mode",
    type=click.Choice(["auto", "bm25", "vector", "hybrid"]),
    default="auto",
    show_default=True,
    help="bm25: by words. vector: by meaning. hybrid: both. auto: hybrid where there are vectors.",
)
@click.option("-k", "k", type=int, default=10, show_default=True, metavar="N", help="How many hits.")
@cut_options
@json_option
def command(
    tenant: str,
    query: str,
    entities: tuple[str, ...],
    types: tuple[str, ...],
    labels: tuple[str, ...],
    since: str | None,
    until: str | None,
    mode: Asked,
    k: int,
    as_of: datetime | int | None,
    known_at: int | None,
    as_json: bool,
) -> None:
    """Print the events that answer QUERY best, with their scores and where they come from."""
    with open_existing() as plane:
        hits = plane.search(
            tenant,
            query,
            entity=entities or None,
            type=types or None,
            labels=labels or None,
            since=since,
            until=until,
            as_of=as_of,
            known_at=known_at,
            mode=mode,
            k=k,
        )
        why = _by_words_alone(plane) if mode == "auto" and all(hit.scores.vector is None for hit in hits) else ""
    if why:
        note(f"note: searched by words alone: {why}")
    if as_json:
        echo_json([hit.to_json() for hit in hits])
        return
    for number, hit in enumerate(hits, 1):
        _show(number, hit)
    if not hits:
        say("nothing found")


def _by_words_alone(plane: ContextPlane) -> str:
    """What is wrong with the home's embedder, if that is why; a home without one has words alone, as it says."""
    try:
        plane.embedder()
    except ContextPlaneError as error:
        return str(error)
    return ""


def _show(number: int, hit: Hit) -> None:
    parts = {"bm25": hit.scores.bm25, "vector": hit.scores.vector}
    shown = ", ".join(f"{name} {value:.3f}" for name, value in parts.items() if value is not None)
    say(f"{number}. {hit.entity}  {hit.time}  {hit.type}")
    say(f"   score {hit.score:.3f} ({shown})  {hit.source} {hit.event_id}")
    text = " ".join(hit.text.split())
    say(f"   {text if len(text) <= _WIDTH else text[:_WIDTH] + '…'}")
