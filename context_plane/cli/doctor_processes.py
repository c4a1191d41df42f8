"""What `cortex doctor` says of processes: whether they compile, what did not load, which models there are, and whether
the state answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from context_plane.cli.doctor import Check, attempt

if TYPE_CHECKING:
    from context_plane.config import Settings
    from context_plane.plane import ContextPlane

_SHOWN = 3


def examine_processes(settings: Settings) -> Iterator[Check]:
    """Nothing of it writes anything."""
    from context_plane.plane import ContextPlane

    with ContextPlane(settings) as plane:
        yield from _processes(plane)
        found = attempt("models", plane.gateway)
        if isinstance(found, Check):
            yield found
        elif found is None:
            yield Check("models", "note", "none: steps that ask one cannot run", "write models.yaml (docs/models.md)")
        else:
            yield Check("models", "ok", ", ".join(f"{each.name} ({each.locality})" for each in found.models))
        yield _state(plane)


def _processes(plane: ContextPlane) -> Iterator[Check]:
    for problem in plane.registry().problems[:_SHOWN]:
        yield Check("handlers", "missing", f"{problem.what}, {problem.where}", problem.remedy)
    folder = plane.settings.process_folder
    if not folder.is_dir():
        yield Check("processes", "note", "none yet", f"write one into {folder} (docs/processes.md)")
        return
    catalog = plane.check_processes([folder])
    wrong = [each for each in catalog.diagnostics if each.severity == "error"]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        yield Check("processes", "missing", f"{wrong[0].place}: {wrong[0].message}{more}", "cortex process check")
    else:
        yield Check("processes", "ok", f"{len(catalog.processes)} compile")


def _state(plane: ContextPlane) -> Check:
    """Operational SQL: what waits in it to be sealed, and which executions go on."""
    heads = attempt("state", lambda: plane.engine.journal.heads(statuses=("accepted", "running", "paused")))
    if isinstance(heads, Check):
        return heads
    waiting = attempt("state", lambda: plane.engine.journal.waiting())
    if isinstance(waiting, Check):
        return waiting
    if aside := plane.engine.journal.aside():
        what = (
            f"{aside:,} records are in {plane.engine.shown_state} alone: the log refused them, and executions need them"
        )
        return Check("state", "missing", what, "keep the state; the log of `cortex process` names them and says why")
    shown = f"{plane.engine.shown_state}: {len(heads):,} executions are not over, {waiting:,} records wait to be sealed"
    return Check("state", "ok", shown)
