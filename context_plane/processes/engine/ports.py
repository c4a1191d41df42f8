"""Ports: what the engine needs of the plane, given to it by the façade.

Here belong the names; the engine imports nothing that lies above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from context_plane.config import ProcessSettings
from context_plane.instants import now

if TYPE_CHECKING:
    from context_plane.bundles.answers.answer import Context
    from context_plane.processes.engine.records import Record
    from context_plane.processes.engine.state import Execution
    from context_plane.processes.linked import LinkedStep
    from context_plane.processes.models.gateway import Gateway
    from context_plane.processes.registry.registry import Registry


@dataclass(frozen=True)
class Ports:
    """What runs need."""

    registry: Callable[[], Registry]
    """The actions and gates there are now."""
    context: Callable[[Execution, LinkedStep, Mapping[str, Any]], Context]
    """The context of a step, of what it declares and nothing else, read at the execution's log number; the mapping is
    the state that it may show. Its receipt is not in the log yet."""
    gateway: Callable[[], Gateway | None]
    """The models; `None` where none is configured."""
    append: Callable[[str, Sequence[Mapping[str, Any]]], None]
    """Puts events of the plane's own into a tenant's log; what is there already is no error."""
    sealed: Callable[[str, str], list[Record]]
    """The records of an execution that the log has."""
    sealed_like: Callable[[str, str], str | None]
    """The id of an execution in the log that begins so."""
    sealed_ids: Callable[[str], Sequence[str]]
    """All executions in a tenant's log."""
    number: Callable[[str], int]
    """The newest number of a tenant's log."""
    plane: Any
    """The plane itself, for handlers: `registry.handler.Services`."""
    settings: ProcessSettings
    workspaces: Path
    redact: Callable[[Any], Any]
    """A JSON value without secrets."""
    clock: Callable[[], int] = now
