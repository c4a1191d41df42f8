"""Link: the fourth stage, every name of a process to what it means (seed 001, section 3.6).

Here belong actions, gates, topics and packages: after this nothing of a process is looked up any more. A step that is
inherited is linked once, where it is declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from operator import itemgetter
from typing import Any

from context_plane.processes.compiler.contracts import check_contracts, check_usefulness
from context_plane.processes.compiler.environment import Environment, Used
from context_plane.processes.compiler.giving import Receiver, given
from context_plane.processes.compiler.merging import Owned, ResolvedStep, composed
from context_plane.processes.compiler.resolve import Resolved
from context_plane.processes.compiler.retyping import check_retyped
from context_plane.processes.language.diagnostic import Diagnostic
from context_plane.processes.language.documents import ContextSource, GateUse, Listing, Named, NeedsSource, StepSource
from context_plane.processes.language.findings import Findings, listed, meant
from context_plane.processes.linked import (
    Command,
    LinkedGate,
    LinkedProcess,
    LinkedStep,
    ModelNeeds,
    Needs,
)
from context_plane.processes.registry.handler import Action, Gate

_ASKING = ContextSource(NeedsSource(("state",), True))
"""The context of a step that asks a model and does not say what it needs."""
_NO_RETRIES = LinkedStep.retries


@dataclass(frozen=True, eq=False)
class Linked:
    """A linked process, and what it took to link it."""

    process: LinkedProcess
    resolved: Resolved
    gates: Mapping[GateUse, LinkedGate]
    """Each gate that it or a parent asks for."""
    used: Used
    findings: tuple[Diagnostic, ...]


def link(resolved: Resolved, parent: Linked | None, environment: Environment) -> Linked:
    """The process with every name resolved, and what is wrong with the names that it writes itself. Where something is
    wrong the rest is linked all the same, for its children to be looked at; such a process is not to be run."""
    return _Linking(resolved, parent, environment).linked()


class _Linking:
    """One process being linked."""

    def __init__(self, resolved: Resolved, parent: Linked | None, environment: Environment) -> None:
        self._resolved, self._parent, self._environment = resolved, parent, environment
        self._source = resolved.source
        self._findings = Findings(resolved.source.file)
        self._used: Used = dict(parent.used) if parent else {}
        self._gates: dict[GateUse, LinkedGate] = dict(parent.gates) if parent else {}
        self._steps = {step.id: step for step in parent.process.steps} if parent else {}

    def linked(self) -> Linked:
        resolved, source = self._resolved, self._source
        self._topics = self._knowledge()
        self._grown = self._parent is None or self._parent.process.knowledge != self._topics
        process = LinkedProcess(
            source.name, source.version, source.description, source.abstract,
            lineage=tuple((each.name, each.version) for each in resolved.lineage),
            implements=tuple(named.name for named, _ in resolved.implements),
            triggers=tuple(each.trigger for each in resolved.triggers),
            inputs=resolved.inputs, entity=resolved.entity, workspace=resolved.workspace, knowledge=self._topics,
            gates=self._linked_gates(resolved.gates),
            steps=tuple([self._step(step) for step in resolved.steps]),
            dispatch=resolved.dispatch,
        )  # fmt: skip
        if self._parent is not None and source.inputs:
            check_retyped(resolved, self._parent.process.inputs, self._environment, self._used, self._findings)
        contracted = check_contracts(resolved, process, self._environment, self._used, self._findings)
        check_usefulness(resolved, process, contracted, self._findings)
        return Linked(process, resolved, self._gates, self._used, tuple(self._findings.found))

    def _tell(self, code: str, spot: Any, message: str, remedy: str) -> None:
        self._findings.put(code, self._source.place(spot), message, remedy)

    # --- knowledge ---------------------------------------------------------------------------------------------------

    def _knowledge(self) -> tuple[str, ...]:
        own = self._source.knowledge
        found = [(named.spot, self._topic(named, own=True)) for named in own.items]
        before = sum(topic is not None for _, topic in found[: own.marker or 0])
        items = Listing(tuple((topic, spot) for spot, topic in found if topic is not None), before)
        inherited = self._parent.process.knowledge if self._parent else ()

        def repeated(each: tuple[str, Any], _first: tuple[str, Any]) -> None:
            self._tell("repeated-topic", each[1], f"topic {each[0]} stands here already", "leave it out")

        known = [(topic, None) for topic in inherited]
        return tuple([topic for topic, _ in composed(known, items, itemgetter(0), repeated)])

    def _topic(self, named: Named, own: bool) -> str | None:
        topic = self._environment.topic(named.name)
        if topic is None and own and not self._findings.full:
            names = self._environment.surroundings.topic_names
            remedy = meant(named.name.replace(".", "/"), names, "write it below knowledge/, or take it out")
            self._tell("unknown-topic", named.spot, f"there is no topic {named.name!r}", remedy)
        return topic

    # --- gates -------------------------------------------------------------------------------------------------------

    def _linked_gates(self, gates: Iterable[Owned]) -> tuple[LinkedGate, ...]:
        return tuple([self._gates.get(gate) or self._gate(gate, owner.name) for gate, owner in gates])

    def _gate(self, use: GateUse, owner: str) -> LinkedGate:
        found: Gate | None = self._environment.find("gate", use.gate, self._used)
        inputs = dict(use.inputs)
        if found is not None and not self._environment.broken("gate", use.gate, self._used):
            spot = use.spot.values.get("inputs") if inputs else None
            receiver = Receiver("gate", use.gate, found.inputs)
            inputs = given(receiver, inputs, spot, use.at("gate"), self._resolved.inputs, self._tell)
        elif found is None and not self._environment.broken("gate", use.gate, self._used) and not self._findings.full:
            remedy = meant(use.gate, self._environment.gates, f"there are: {listed(sorted(self._environment.gates))}")
            self._tell("unknown-gate", use.at("gate"), f"there is no gate {use.gate!r}", remedy)
        description = use.description or (found.description if found else "")
        linked = LinkedGate(use.gate, inputs, description, found.run if found else None, owner)
        self._gates[use] = linked
        return linked

    # --- steps -------------------------------------------------------------------------------------------------------

    def _step(self, step: ResolvedStep) -> LinkedStep:
        if step.owner is not self._source:
            return self._inherited(step)
        source = step.source
        gates = self._linked_gates(step.gates) if step.gates else ()
        if source.run is not None:
            action, name, inputs = None, "run", dict(source.inputs)
            run: Command | None = Command(source.run)
        else:
            name = source.action or ""
            action = self._action(name)
            inputs, run = self._given(source, action), action.run if action else None
        model = self._model(source, action)
        return LinkedStep(
            source.id, name, source.description, gates, inputs,
            timeout=source.timeout if source.timeout is not None else action.timeout if action else None,
            retries=source.retries or _NO_RETRIES,
            context=self._context(source, model),
            model=model,
            prompt=action.prompt if action else None,
            run=run,
            keyed=action.keyed if action else False,
            breakpoint=source.breakpoint,
            abstract=source.abstract,
            declared_by=step.owner.name,
        )  # fmt: skip

    def _action(self, name: str) -> Action | None:
        found: Action | None = self._environment.find("action", name, self._used) if name else None
        return found

    def _inherited(self, step: ResolvedStep) -> LinkedStep:
        """A parent's step; what all the topics of the process are may have changed."""
        linked = self._steps[step.source.id]
        if linked.context is None or not self._grown:
            return linked
        return replace(linked, context=self._context(step.source, linked.model, own=False))

    def _given(self, step: StepSource, action: Action | None) -> dict[str, Any]:
        name = step.action
        if name is None:
            return dict(step.inputs)
        if action is not None:
            if (
                step.abstract
                or action.inputs is None
                or "inputs" in step.faulty
                or self._environment.broken("action", name, self._used)
            ):
                return dict(step.inputs)
            spot = step.spot.values.get("inputs")
            receiver = Receiver("action", name, action.inputs)
            return given(receiver, step.inputs, spot, step.at("action"), self._resolved.inputs, self._tell)
        if not self._environment.broken("action", name, self._used) and not self._findings.full:
            known = self._environment.actions
            remedy = meant(name, known, f"register it in Python, declare it, or use one of: {listed(sorted(known))}")
            self._tell("unknown-action", step.at("action"), f"there is no action {name!r}", remedy)
        return dict(step.inputs)

    def _model(self, step: StepSource, action: Action | None) -> ModelNeeds | None:
        asked = action.model if action else None
        if step.model is None and asked is None:
            return None
        if not self._environment.surroundings.models and not step.abstract and not (action and action.model_optional):
            spot = step.at("action" if step.action else "model")
            message = f"step {step.id} asks a model, and none is configured"
            self._tell("no-model", spot, message, "declare one in models.yaml; until then its runs are refused")
        if step.model is None or asked is None:
            return asked if step.model is None else ModelNeeds(**step.model)
        return ModelNeeds(**{**asdict(asked), **step.model})

    def _context(self, step: StepSource, model: ModelNeeds | None, own: bool = True) -> Needs | None:
        source = step.context
        if source is None:
            if model is None:
                return None
            source = _ASKING
        needs = source.needs or _ASKING.needs
        assert needs is not None
        topics = list(self._topics) if needs.knowledge else []
        topics += [topic for named in needs.topics if (topic := self._topic(named, own)) is not None]
        if own:
            self._check_packages(needs)
        return Needs(
            needs.sections, tuple(dict.fromkeys(topics)), tuple(name for name, _ in needs.packages),
            tuple(name for name, _ in needs.steps), source.budget or Needs.budget,
        )  # fmt: skip

    def _check_packages(self, needs: NeedsSource) -> None:
        known = self._environment.surroundings.packages
        for name, spot in needs.packages:
            if name not in known and not self._findings.full:
                remedy = meant(name, known, f"there are: {listed(sorted(known)) or 'none'}")
                self._tell("unknown-package", spot, f"there is no package {name!r}", remedy)
