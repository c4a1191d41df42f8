"""Linked processes: what the compiler emits and the engine runs (seed 001, section 3.6).

A linked process is pure data with one JSON form, whose hash is its digest: runs are pinned to it, and the log keeps it.
Here belong the data and that form, in which what is at its default is left out: a field that is added later changes no
digest. Handlers are bound by `registry` when a run begins, because code is not data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, Literal

from context_plane.canonical import canonical

FORMAT: Final = 1
Sensitivity = Literal["public", "internal", "restricted"]


@dataclass(frozen=True)
class Declared:
    """An input that a process, an interface or an action declares."""

    type: str = "any"
    required: bool = True
    default: Any = None
    description: str = ""


@dataclass(frozen=True)
class Needs:
    """What the context of a step is made of."""

    sections: tuple[str, ...] = ()
    """Of `entity`, `memory`, `events`, `links`, `state`."""
    topics: tuple[str, ...] = ()
    """Topics of knowledge, as the store calls them."""
    packages: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    """Steps whose outputs are part of the state, where not all are."""
    budget: int = 2_000


@dataclass(frozen=True)
class ModelNeeds:
    """What a model must be like to be asked by a step."""

    capabilities: tuple[str, ...] = ()
    sensitivity: Sensitivity = "internal"
    speed: Literal["fast", "normal"] = "normal"
    max_cost: float | None = None
    """US dollars that one call may cost."""


@dataclass(frozen=True)
class Retries:
    """How often a step is tried again, and when."""

    max: int = 0
    delay: float = 1.0
    """Seconds before the first repetition."""
    backoff: float = 2.0
    """Each later delay is so many times the one before."""


@dataclass(frozen=True)
class Command:
    """A command without a shell: its arguments may hold references, which never divide one."""

    arguments: tuple[str, ...]
    check: bool = True
    """Whether an exit code other than 0 fails the step."""


@dataclass(frozen=True)
class LinkedGate:
    """A gate before the first step, or before a step."""

    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    run: Command | None = None
    """The command, where the gate is one that YAML declares."""
    declared_by: str = ""
    """The process that asked for it."""


@dataclass(frozen=True)
class LinkedStep:
    """One step, everything of it resolved."""

    id: str
    action: str
    """Name of the action; ``run`` where the step is a command of its own."""
    description: str = ""
    gates: tuple[LinkedGate, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """With references, and with the defaults that the action declares."""
    timeout: float | None = None
    """Seconds."""
    retries: Retries = Retries()
    context: Needs | None = None
    model: ModelNeeds | None = None
    """`None` where no model is asked."""
    prompt: str | None = None
    """What the model is asked, with references, where the action is one that YAML declares."""
    run: Command | None = None
    keyed: bool = False
    """Whether the action takes care that a repetition with the same key has no second effect."""
    breakpoint: bool = False
    abstract: bool = False
    """Whether a child must replace it; only in an abstract process, which is not run."""
    declared_by: str = ""
    """The process that the step comes from."""


@dataclass(frozen=True)
class Trigger:
    """What starts a run by itself."""

    type: Literal["event", "schedule", "manual"]
    match: Mapping[str, Any] = field(default_factory=dict)
    """Key to value or list of values, as written."""
    cron: str = ""
    timezone: str = "UTC"
    tenants: tuple[str, ...] = ()
    """Tenants that a schedule or event trigger is limited to; empty for all."""


@dataclass(frozen=True)
class Dispatch:
    """When a process is the one to run for an interface."""

    when: Mapping[str, Any] = field(default_factory=dict)
    preference: int = 0


@dataclass(frozen=True)
class LinkedProcess:
    """A process of which every reference is resolved."""

    name: str
    version: int
    description: str = ""
    abstract: bool = False
    lineage: tuple[tuple[str, int], ...] = ()
    """Parents and their versions, the nearest first."""
    implements: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    inputs: Mapping[str, Declared] = field(default_factory=dict)
    entity: str | None = None
    workspace: str | None = None
    knowledge: tuple[str, ...] = ()
    """Topics, as the store calls them."""
    gates: tuple[LinkedGate, ...] = ()
    steps: tuple[LinkedStep, ...] = ()
    dispatch: Dispatch = Dispatch()

    @cached_property
    def canonical(self) -> bytes:
        """The canonical bytes of the JSON form."""
        return canonical(self.to_json())

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` over these bytes: what runs are pinned to."""
        return f"sha256:{sha256(self.canonical).hexdigest()}"

    def step(self, id: str) -> LinkedStep:
        """The step of an id. Raises `KeyError`."""
        return self._steps[id]

    @cached_property
    def _steps(self) -> dict[str, LinkedStep]:
        return {step.id: step for step in self.steps}

    @cached_property
    def label(self) -> str:
        """``name version`` and, where it has parents, theirs: as people are shown it."""
        parents = ", ".join(f"{name} {version}" for name, version in self.lineage)
        return f"{self.name} {self.version}" + (f" ({parents})" if parents else "")

    def to_json(self) -> dict[str, Any]:
        """The one JSON form; `digest` hashes it, the log keeps it."""
        return {"format": FORMAT, **_plain(self)}

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> LinkedProcess:
        """Reverse of `to_json`."""
        return LinkedProcess(
            **_rest(
                raw, "format", "lineage", "implements", "triggers", "inputs", "knowledge", "gates", "steps", "dispatch"
            ),
            lineage=tuple((name, version) for name, version in raw.get("lineage", ())),
            implements=tuple(raw.get("implements", ())),
            triggers=tuple(Trigger(**_tuples(each, "tenants")) for each in raw.get("triggers", ())),
            inputs={name: Declared(**each) for name, each in raw.get("inputs", {}).items()},
            knowledge=tuple(raw.get("knowledge", ())),
            gates=tuple([_gate(each) for each in raw.get("gates", ())]),
            steps=tuple([_step(each) for each in raw.get("steps", ())]),
            dispatch=Dispatch(**raw.get("dispatch", {})),
        )


def _defaults(kind: Any) -> dict[str, Any]:
    """The fields of a kind of data with their defaults; nothing equals that of one without."""
    return {
        each.name: each.default_factory() if each.default_factory is not MISSING else each.default
        for each in fields(kind)
    }


_KINDS: Final = (
    Declared, Needs, ModelNeeds, Retries, Command, LinkedGate, LinkedStep, Trigger, Dispatch, LinkedProcess,
)  # fmt: skip
_DATA: Final[dict[type, dict[str, Any]]] = {kind: _defaults(kind) for kind in _KINDS}


def _plain(value: Any) -> Any:
    """As JSON: data without what is at its default, tuples as lists."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is tuple or kind is list:
        return [_plain(each) for each in value]
    if kind in _DATA:
        found = {}
        for name, default in _DATA[kind].items():
            each = getattr(value, name)
            if each is not default and each != default:
                found[name] = _plain(each)
        return found
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _rest(raw: Mapping[str, Any], *without: str) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name not in without}


def _tuples(raw: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The fields with lists as tuples."""
    return {name: tuple(value) if name in names else value for name, value in raw.items()}


def _command(raw: Mapping[str, Any] | None) -> Command | None:
    return None if raw is None else Command(**_tuples(raw, "arguments"))


def _gate(raw: Mapping[str, Any]) -> LinkedGate:
    return LinkedGate(**_rest(raw, "run"), run=_command(raw.get("run")))


def _step(raw: Mapping[str, Any]) -> LinkedStep:
    found = dict(raw)
    if "gates" in raw:
        found["gates"] = tuple([_gate(each) for each in raw["gates"]])
    if "retries" in raw:
        found["retries"] = Retries(**raw["retries"])
    if "context" in raw:
        found["context"] = Needs(**_tuples(raw["context"], "sections", "topics", "packages", "steps"))
    if "model" in raw:
        found["model"] = ModelNeeds(**_tuples(raw["model"], "capabilities"))
    if "run" in raw:
        found["run"] = _command(raw["run"])
    return LinkedStep(**found)
