"""`cortex demo`: runs the story of `context_plane.demo` and tells its steps. The report at its end is `demo_report`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

import click

from context_plane.cli import plugins
from context_plane.cli.failures import NO
from context_plane.cli.options import json_option
from context_plane.cli.output import Report, echo_json, note, progress, say
from context_plane.errors import ContextPlaneError

if TYPE_CHECKING:
    from context_plane.demo.story import Materialize

HOME: Final = ".context-plane/demo"


@click.command("demo")
@click.option("--customers", type=int, default=1_000, show_default=True, metavar="N", help="How many to generate.")
@click.option(
    "--planted", type=float, default=0.05, show_default=True, metavar="P", help="Share of upgrade candidates."
)
@click.option("--seed", type=int, default=42, show_default=True, metavar="N", help="Another seed, other customers.")
@click.option("--home", metavar="DIR", default=HOME, show_default=True, help="A folder of the demo's own.")
@json_option
def command(customers: int, planted: float, seed: int, home: str, as_json: bool) -> None:
    """Run the main job on generated data: which customers to offer an upgrade; then prove that the answer holds."""
    from context_plane.demo.customers import World
    from context_plane.demo.home import Home
    from context_plane.demo.story import tell

    own = Home(Path(home))
    teller = _Teller(note if as_json else say)
    told = tell(World(customers, seed, planted), own.root, teller, _materializer(own.environment))
    if as_json:
        echo_json(told.figures.to_json())
    else:
        from context_plane.cli.demo_report import show

        show(told)
    if not told.proof.holds:
        raise click.exceptions.Exit(NO)


@dataclass
class _Line:
    """One step: moves its bar, and keeps what is to be said at its end."""

    report: Report
    text: list[str] = field(default_factory=list)

    def says(self, text: str) -> None:
        self.text.append(text)


@dataclass(frozen=True)
class _Teller:
    """Prints a line for every step that ended."""

    print: Callable[[str], None]

    @contextmanager
    def step(self, title: str) -> Iterator[_Line]:
        start = perf_counter()
        with progress(title) as report:
            line = _Line(report)
            yield line
        self.print(f"{title:<18}{perf_counter() - start:6.1f} s  {'; '.join(line.text)}")


def _materializer(environment: dict[str, str]) -> Materialize:
    """`cortex materialize` where it can be used, else the same folds without Dagster."""
    from context_plane.demo.build import build

    command = plugins.load("materialize")
    if command is None or isinstance(command, plugins.Broken):
        note("cortex materialize cannot be used here (cortex doctor says why): the demo builds without Dagster")
        return build
    return lambda plane, tenant, report: _run_materialize(tenant, environment)  # noqa: ARG005 - it shows its own bar


def _run_materialize(tenant: str, environment: dict[str, str]) -> None:
    """In a process of its own, as a user would call it, so that this one stays without Dagster."""
    done = subprocess.run(
        [sys.executable, "-m", "context_plane.cli", "materialize", "--tenant", tenant, "--json"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=None if sys.stderr.isatty() else subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in (done.stderr or "").splitlines() if line.startswith("error: ")]
        raise ContextPlaneError(
            said[-1].removeprefix("error: ") if said else f"it ended with exit code {done.returncode}",
            where="cortex materialize",
            remedy=f"run it by itself: CONTEXT_PLANE_HOME={environment['CONTEXT_PLANE_HOME']} cortex materialize",
        )
