"""Dispatch: which of the processes that implement an interface runs (seed 001, section 3.5).

Here belongs the choice, by declared conditions and preference; it is the same every time, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from context_plane.errors import Infeasible, NotFound
from context_plane.processes.linked import LinkedProcess
from context_plane.processes.triggers.match import matches


@dataclass(frozen=True)
class Dispatched:
    """The process that runs, and why the others do not."""

    process: LinkedProcess
    why: str
    others: Mapping[str, str]


def dispatch(
    interface: str,
    implementing: Iterable[LinkedProcess],
    event: Mapping[str, Any] | None,
    inputs: Mapping[str, Any],
    prefer: str | None = None,
) -> Dispatched:
    """The process that runs for an interface: of those whose conditions fit the event, or the inputs as data where
    there is none, the one that `prefer` names, else the one with the highest preference, else the first by name.

    Raises `NotFound` where nothing implements it, `Infeasible` where no condition fits, with each reason."""
    found = sorted(implementing, key=lambda each: each.name)
    if not found:
        remedy = f"write a process with `implements: {interface}`"
        raise NotFound(f"no process implements {interface}", where="dispatch", remedy=remedy)
    subject = event if event is not None else {"data": dict(inputs)}
    others = {each.name: _against(each, subject) for each in found}
    able = [each for each in found if not others[each.name]]
    if not able:
        reasons = "; ".join(f"{name}: {why}" for name, why in others.items())
        remedy = "call one of them by its name, or change dispatch.when"
        raise Infeasible(f"no process for {interface} fits: {reasons}", where="dispatch", remedy=remedy)
    best = min(able, key=lambda each: (each.name != prefer, -each.dispatch.preference, each.name))
    for each in able:
        others[each.name] = f"preference {each.dispatch.preference}"
    del others[best.name]
    why = "named by the caller" if best.name == prefer else f"preference {best.dispatch.preference}"
    return Dispatched(best, why, others)


def _against(process: LinkedProcess, event: Mapping[str, Any]) -> str:
    """Why a process does not run; empty where it may."""
    if process.abstract:
        return "it is abstract"
    return "" if matches(process.dispatch.when, event) else f"its condition {dict(process.dispatch.when)} does not fit"
