"""`cortex init`: a small home with every setting commented, one spec, one mapping, one topic, one process, and data to
try them on.

The files are in the folder `home` beside this module; they are copied as they are.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from context_plane.cli.options import json_option
from context_plane.cli.output import echo_json, say
from context_plane.errors import InputError


@click.command("init")
@click.argument("folder", metavar="[DIR]", required=False)
@json_option
def command(folder: str | None, as_json: bool) -> None:
    """Create a home with a commented plane.toml, a context spec, a source mapping, a topic, a process and some data."""
    from context_plane.config import HOME

    given = folder or os.environ.get(HOME) or ".context-plane"
    home = Path(given).expanduser()
    created = create_home(home)
    if as_json:
        echo_json({"home": str(home.absolute()), "created": created})
        return
    for name in created:
        say(f"created {home / name}")
    shown = shlex.quote(str(home))
    say()
    say("Next:")
    if home.absolute() != Path(os.environ.get(HOME) or ".context-plane").expanduser().absolute():
        say(f"  export {HOME}={shlex.quote(str(home.absolute()))}")
    say(f"  cortex ingest {shown}/examples/events.jsonl --tenant acme")
    say("  cortex materialize --tenant acme")
    say("  cortex context acme customer/c-42")


def create_home(home: Path) -> list[str]:
    """Writes the files of a new home and returns their names. Raises `InputError` where one of them exists already."""
    wanted = dict(_walk(files("context_plane.cli") / "home"))
    for name in wanted:
        if os.path.lexists(home / name):
            remedy = "name another folder; nothing was written"
            raise InputError("this file exists already", where=str(home / name), remedy=remedy)
    if home.exists() and not home.is_dir():
        raise InputError("this is not a folder", where=str(home), remedy="name a folder")
    for name, file in wanted.items():
        target = home / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as new:
            new.write(file.read_bytes())
    return list(wanted)


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda each: each.name):
        name = f"{prefix}{item.name}"
        if item.is_dir():
            yield from _walk(item, f"{name}/")
        else:
            yield name, item
