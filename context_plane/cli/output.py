"""What commands print: JSON for scripts, tables and progress for people.

Results go to stdout, progress to stderr. `rich` is used on a terminal only and loaded only there; everywhere else the
same text is plain. Whatever comes from events is printed with control characters written out; JSON is exact.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from context_plane.cli.failures import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Report = Callable[[int, int | None], None]
"""Takes what is done and, where it is known, how much there is to do."""


def echo_json(value: Any) -> None:
    """One JSON value on one line."""
    # A file name that is not UTF-8 holds lone surrogates; written as escapes they are still JSON.
    click.echo(json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def say(text: str = "") -> None:
    """A line for people."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(printable(text).encode(encoding, "backslashreplace").decode(encoding))


def note(text: str) -> None:
    """A line for people beside the result."""
    click.echo(printable(text), err=True)


def on_terminal() -> bool:
    """Whether a person reads stdout."""
    return sys.stdout.isatty()


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A table of texts, the columns in `right` aligned to the right. Nothing is cut off."""
    cells = [[printable(cell.replace("\n", " ")) for cell in row] for row in rows]
    if on_terminal():
        _rich_table(header, cells, right)
        return
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for row in (header, *cells):
        padded = (
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        say("  ".join(padded).rstrip())


def _rich_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(header):
        grid.add_column(Text(name), justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))  # Text: what stands in [brackets] is not markup
    Console().print(grid)


def _say_nothing(_: int, __: int | None) -> None: ...


@contextmanager
def progress(what: str, unit: str = "") -> Iterator[Report]:
    """A progress bar on a terminal, from the first report to the end of the block; elsewhere nothing is printed."""
    if not sys.stderr.isatty():
        yield _say_nothing
        return
    bar = _Bar(what, unit)
    try:
        yield bar.report
    finally:
        bar.stop()


class _Bar:
    """Begins to show with the first report, so that a short piece of work leaves no trace, and one that another process
    does can show its own."""

    def __init__(self, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._shown: tuple[Progress, TaskID] | None = None

    def report(self, done: int, total: int | None) -> None:
        """Moves the bar."""
        bars, bar = self._shown = self._shown or self._start()
        of = "" if total is None else f" of {total:,}"
        bars.update(bar, completed=done, total=total, count=f"{done:,}{of} {self._unit}")

    def stop(self) -> None:
        """Takes the bar off the screen."""
        if self._shown is not None:
            self._shown[0].stop()

    def _start(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
        )
        bars = Progress(*columns, console=Console(stderr=True), transient=True)
        bars.start()
        return bars, bars.add_task(printable(self._what), total=None, count="")
