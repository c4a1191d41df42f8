"""Sizes: how much may be inherited. A few files that extend each other could otherwise fill the memory."""

from __future__ import annotations

from typing import Final

from context_plane.processes.compiler.declare import Declarations
from context_plane.processes.compiler.resolve import Resolved
from context_plane.processes.language.documents import ProcessSource

PARENTS: Final = 32
STEPS: Final = 2_000
IN_ALL: Final = 250_000


class Sizes:
    """Counts what is compiled, and tells of what is too much."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations
        self._steps = 0

    def allow_child(self, source: ProcessSource, parent: Resolved) -> bool:
        """Whether a process may have one parent more, with at least its steps."""
        if len(parent.lineage) < PARENTS:
            return self._allow(source, len(parent.steps), 0)
        what = f"process {source.name} has more than {PARENTS} parents"
        self._declarations.tell("too-many-parents", source, source.at("extends"), what, "extend one with fewer")
        return False

    def allow(self, resolved: Resolved) -> bool:
        """Whether a process may have its steps."""
        return self._allow(resolved.source, len(resolved.steps), len(resolved.steps))

    def _allow(self, source: ProcessSource, count: int, counted: int) -> bool:
        if count > STEPS:
            what = f"process {source.name} has {count:,} steps, more than {STEPS:,}"
        elif self._steps + count > IN_ALL:
            what = f"with process {source.name} all processes have more than {IN_ALL:,} steps"
        else:
            self._steps += counted
            return True
        self._declarations.tell("too-many-steps", source, source.at("process"), what, "divide it, or inherit less")
        return False
