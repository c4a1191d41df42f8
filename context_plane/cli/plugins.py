"""Commands that other packages provide through the entry point group ``context_plane.commands``.

Here belong finding and loading them, and saying what is wrong with one that cannot be used. A command that does not
load is still a command: it is listed, and says why when it is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from context_plane.errors import ContextPlaneError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "context_plane.commands"


class BrokenCommand(ContextPlaneError):
    """A provided command that cannot be used."""


class Broken(click.Command):
    """Stands in for a command that cannot be used; whatever it is given, it says why."""

    def __init__(self, name: str, error: BrokenCommand) -> None:
        super().__init__(name, short_help="(cannot be used; cortex doctor says why)", add_help_option=False)
        self.error = error

    def parse_args(self, ctx: click.Context, args: list[str]) -> NoReturn:
        """Raises the reason, before any option but `--debug` is looked at."""
        if "--debug" in args:
            ctx.find_root().obj["debug"] = True
        raise self.error


@cache
def found() -> Sequence[EntryPoint]:
    """The entry points of the group, each once, sorted by name."""
    from importlib.metadata import entry_points

    # An editable install may be found under two folders of the path: the same entry point twice is one.
    return sorted(set(entry_points(group=GROUP)), key=lambda each: (each.name, each.value))


def names() -> list[str]:
    """Names of the provided commands."""
    return sorted({each.name for each in found()})


def load(name: str) -> click.Command | None:
    """The provided command of a name, `Broken` where it cannot be used, `None` where nobody provides it."""
    matching = [each for each in found() if each.name == name]
    if not matching:
        return None
    try:
        return load_one(name, matching)
    except BrokenCommand as error:
        return Broken(name, error)


def load_one(name: str, matching: Sequence[EntryPoint]) -> click.Command:
    """The command that exactly one entry point provides. Raises `BrokenCommand`."""
    if len(matching) > 1:
        raise BrokenCommand(
            f"{len(matching)} packages provide the command {name!r}",
            where=", ".join(map(_place, matching)),
            remedy="uninstall all but one of them",
        )
    entry = matching[0]
    try:
        command: Any = entry.load()
    except Exception as error:
        raise BrokenCommand(
            f"the command {name!r} does not load: {type(error).__name__}: {error}",
            where=_place(entry),
            remedy="install what it needs, or uninstall it (--debug shows where it fails)",
        ) from error
    if not isinstance(command, click.Command):
        raise BrokenCommand(
            f"the command {name!r} is {type(command).__name__}, not a click.Command",
            where=_place(entry),
            remedy="correct the entry point",
        )
    return command


def _place(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}: {entry.value}" if entry.dist else entry.value
