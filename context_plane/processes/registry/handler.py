"""Handlers: what an action or a gate is, what it is called with, and what it gives back.

Here belong the types that whoever writes an action sees. Which handlers there are is `registry`'s to say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from context_plane.errors import ContextPlaneError
from context_plane.processes.linked import Command, Declared, ModelNeeds

if TYPE_CHECKING:
    from context_plane.processes.models.gateway import Reply


TYPES: Final = ("text", "number", "integer", "boolean", "list", "mapping", "any")
"""What an input may be declared to be."""


class Services(Protocol):
    """What handlers mostly use of the plane. What they are given is a `ContextPlane`, with everything it can do."""

    @property
    def ingest(self) -> Callable[..., Any]:
        """``ingest(tenant, events, *, batch_id)``."""

    @property
    def remember(self) -> Callable[..., Any]:
        """``remember(tenant, entity, content, *, type, id, …)``."""

    @property
    def search(self) -> Callable[..., Any]:
        """``search(tenant, query, *, entity, type, k, …)``."""

    @property
    def recall(self) -> Callable[..., Any]:
        """``recall(tenant, query, *, entity, type, k, …)``."""

    @property
    def bundle(self) -> Callable[..., Any]:
        """``bundle(tenant, entity, spec, …)``."""

    @property
    def constraints(self) -> Callable[..., Any]:
        """``constraints(tenant, entity, …)``."""

    @property
    def sql(self) -> Callable[..., Any]:
        """``sql(tenant, query, …)``."""

    @property
    def timeline(self) -> Callable[..., Any]:
        """``timeline(tenant, entity, *, since, until, …)``."""


@dataclass(frozen=True)
class Call:
    """What both actions and gates are called with."""

    tenant: str
    execution: str
    """Id of the execution."""
    process: str
    entity: str
    inputs: Mapping[str, Any]
    """What the step or gate gives, with references filled in."""
    event: Mapping[str, Any] | None
    """The event that set the run off, as CloudEvents JSON."""
    arguments: Mapping[str, Any]
    """The inputs of the whole execution."""
    outputs: Mapping[str, Any]
    """What the steps before gave back, by step id."""
    workspace: Path
    """Folder that the handler works in; it exists."""
    plane: Services
    settings: Any
    """`config.ProcessSettings`: what the plane allows."""


@dataclass(frozen=True)
class Step(Call):
    """What an action is called with. It returns its output, which must be JSON; raising fails the attempt."""

    id: str = ""
    key: str = ""
    """The same for every attempt and after every crash: whoever is told it can refuse to do the same twice."""
    attempt: int = 1
    context: Any = None
    """The step's compiled context (`bundles.answers.answer.Context`), `None` if it declares none."""
    timeout: float | None = None
    run: Command | None = None
    """The command with references filled in, where the step is one."""
    prompt: str | None = None
    """What to ask the model, with references filled in, where the action is one that YAML declares."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when the time is over or the run is cancelled; a handler that takes long looks at it."""
    ask: Callable[..., Reply] | None = None
    """Asks the model that the gateway chose: ``ask(prompt, data=…)``, where data is not taken for instructions; `None`
    where no model is configured or needed."""
    log: Callable[[str], None] = print
    """A line for the trace."""


@dataclass(frozen=True)
class Verdict:
    """What a gate says."""

    passed: bool
    reason: str = ""
    seen: Mapping[str, Any] = field(default_factory=dict)
    """What it looked at: recorded beside the reason."""


@dataclass(frozen=True)
class GateCall(Call):
    """What a gate is called with. It returns a `Verdict` or a `bool`; raising closes it with the error as reason."""

    step: str | None = None
    """The step it stands before; `None` before the first."""
    run: Command | None = None


@dataclass(frozen=True)
class Action:
    """A registered action."""

    name: str
    handler: Callable[[Step], Any]
    description: str = ""
    inputs: Mapping[str, Declared] | None = None
    """What it takes, checked at compile time; `None` takes anything."""
    keyed: bool = False
    """Whether a repetition with the same `Step.key` has no second effect, or the action has no effect at all. Of others
    a record is made before they run, so that a repetition after a crash is known and told."""
    model: ModelNeeds | None = None
    """What model it asks, if any."""
    model_optional: bool = False
    """Whether it does without a model where none is configured."""
    prompt: str | None = None
    run: Command | None = None
    timeout: float | None = None
    origin: str = ""
    """Where it comes from, for people: ``built in``, a package, a file."""


@dataclass(frozen=True)
class Gate:
    """A registered gate."""

    name: str
    handler: Callable[[GateCall], Verdict | bool]
    description: str = ""
    inputs: Mapping[str, Declared] | None = None
    run: Command | None = None
    origin: str = ""


class StepFailure(ContextPlaneError):
    """What a handler fails with when it wants to say more than that."""

    def __init__(
        self, what: str, *, where: str = "", remedy: str = "", retryable: bool = True, output: Any = None
    ) -> None:
        """`retryable` says whether the same call may succeed later; `output` is what there is to see of the failure,
        such as what a command printed, and is recorded with it."""
        super().__init__(what, where=where, remedy=remedy)
        self.retryable = retryable
        self.output = output


class CancelledStep(BaseException):
    """Raised inside a handler's thread when its time is over or the run is cancelled. It is no `Exception`, so that a
    handler that catches those does not swallow it."""
