"""`cortex memory`: what came of what, along the links that events state."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_plane.cli.options import cut_options, json_option, open_existing, tenant_argument
from context_plane.cli.output import echo_json, note, say
from context_plane.errors import InputError

if TYPE_CHECKING:
    from context_plane.memory.chains.walk import Direction


@click.group("memory")
def command() -> None:
    """What came of what, along the links that events state."""


@command.command("inspect")
@tenant_argument
@click.argument("start", metavar="ENTITY")
@click.option(
    "--direction", type=click.Choice(["back", "forward"]), default="back", show_default=True,
    help="back: what came before it. forward: what came of it.",
)  # fmt: skip
@click.option("--depth", type=int, default=10, show_default=True, metavar="N", help="How many links to go on from it.")
@click.option(
    "--kind", "kinds", multiple=True, metavar="K", help="Only links of this kind, such as closes; or several."
)
@click.option("--max-tokens", type=int, metavar="N", help="At most so many tokens of titles and quotes.")
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
    """Draw how ENTITY (type/id) came about, or what came of it: each link with the words that state it and where."""
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


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(f"{text}\n", "utf-8")
    except OSError as error:
        what = f"it cannot be written: {error.strerror or error}"
        raise InputError(what, where=str(path), remedy="choose another file") from error
    note(f"wrote {path}")
