"""Running processes: executions, their records, and what may be asked of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from context_plane.errors import Conflict, ContextPlaneError, InputError
from context_plane.facade.compiling import Compiling

if TYPE_CHECKING:
    from context_plane.bundles.answers.answer import Context
    from context_plane.parts.view import View
    from context_plane.processes.compiler.catalog import Catalog
    from context_plane.processes.engine.dry import DryRun
    from context_plane.processes.engine.engine import Engine, Wish
    from context_plane.processes.engine.journal import Head
    from context_plane.processes.engine.ports import Ports
    from context_plane.processes.engine.sealed import Sealed
    from context_plane.processes.engine.state import Execution
    from context_plane.processes.linked import LinkedProcess, LinkedStep

_SECTIONS = {"links": "chain"}
"""Needs of steps whose section of the context has another name."""
_VIEWS_KEPT = 16


class Running(Compiling):
    """Executions."""

    _engine: Engine | None = None

    def check_processes(self, paths: Iterable[str | Path] = (), *, amend: bool = False) -> Catalog:
        """See `Compiling.check_processes`. Raises `Conflict` where a version that a run has used would be amended."""
        if amend:
            self._check_unused()
        return super().check_processes(paths, amend=amend)

    def run(
        self,
        process: str,
        *,
        tenant: str,
        inputs: Mapping[str, Any] | None = None,
        entity: str | None = None,
        event: Mapping[str, Any] | None = None,
        key: str | None = None,
        prefer: str | None = None,
        breakpoints: Collection[str] = (),
    ) -> Execution:
        """Runs a process, or the one that implements the interface of that name, and returns its execution: over, or
        paused at a breakpoint.

        `event` is the CloudEvent that set it off; with it, or with a `key`, the same call runs nothing twice and
        returns the execution there is, gone on with where it was cut off. A closed gate and a failed step are no
        errors: the execution's `status` and `reason` say so. Raises `NotFound`, `InputError` for what does not compile
        or fit, `Infeasible` for a model step without models, `Conflict` where another worker runs it.
        """
        head = self.start(
            process, tenant=tenant, inputs=inputs, entity=entity, event=event, key=key, prefer=prefer,
            breakpoints=breakpoints,
        )  # fmt: skip
        if head.status in ("accepted", "running"):
            return self.engine.run(head.id)
        return self.engine.execution(head.id)

    def start(
        self,
        process: str,
        *,
        tenant: str,
        inputs: Mapping[str, Any] | None = None,
        entity: str | None = None,
        event: Mapping[str, Any] | None = None,
        key: str | None = None,
        prefer: str | None = None,
        breakpoints: Collection[str] = (),
    ) -> Head:
        """Accepts an execution without running it: whoever runs executions (a worker of Dagster's, `resume`) goes on.
        Durable when this returns. Arguments and errors are those of `run`."""
        wish = self._wish(process, tenant, inputs, entity, event, key, prefer)
        return self.engine.accept(replace(wish, breakpoints=tuple(breakpoints)))[0]

    def dry_run(
        self,
        process: str,
        *,
        tenant: str,
        inputs: Mapping[str, Any] | None = None,
        entity: str | None = None,
        event: Mapping[str, Any] | None = None,
        prefer: str | None = None,
    ) -> DryRun:
        """Everything but the handlers: gates evaluated, contexts compiled, nothing recorded."""
        return self.engine.dry_run(self._wish(process, tenant, inputs, entity, event, None, prefer))

    def resume(
        self, execution: str, *, context: str | None = None, inputs: Mapping[str, Any] | None = None
    ) -> Execution:
        """Goes on with an execution that was cut off, is paused, halted or failed, its next step's context or inputs
        replaced where given. Raises `Conflict` for one that is over or being run."""
        self.engine.resume(execution, context=context, inputs=inputs)
        return self.engine.run(execution)

    def cancel(self, execution: str) -> Head:
        """Ends an execution: at once where nobody runs it, else as soon as its handler can be stopped."""
        return self.engine.cancel(execution)

    def pause(self, execution: str) -> Head:
        """Asks an execution to wait before its next step."""
        return self.engine.pause(execution)

    def execution(self, execution: str) -> Execution:
        """An execution with its gates and steps, as it stands now. Raises `NotFound`, `InputError`."""
        return self.engine.execution(execution)

    def executions(
        self, tenant: str, *, process: str | None = None, status: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[Head]:  # fmt: skip
        """Where a tenant's executions stand, the newest first."""
        statuses = [status] if isinstance(status, str) else status
        return self.engine.heads(tenant, statuses, process, limit)

    @property
    def engine(self) -> Engine:
        """What runs processes; opened once."""
        with self._lock:
            if self._engine is None:
                from context_plane.processes.engine.engine import Engine
                from context_plane.store.state.database import Database

                self._engine = Engine(self._ports(), Database(self.settings.state_url))
            return self._engine

    def close(self) -> None:
        """Frees what the plane holds open, having sealed what executions wrote. It may be used again afterwards."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
        super().close()

    def _check_unused(self) -> None:
        """Before versions are written anew. Raises `Conflict` for one that a run has used, itself or as a parent."""
        catalog = self.processes()
        reused = set(catalog.reused.items())
        lineages: dict[str, frozenset[tuple[str, int]]] = {}
        for head in self._all_executions() if reused else ():
            if head.digest not in lineages:
                lineages[head.digest] = frozenset(self.execution(head.id).process.lineage)
            for name, version in sorted({(head.process, head.version), *lineages[head.digest]} & reused):
                how = "" if name == head.process else f", as a parent of {head.process}"
                next_ = self.process_history(name)[-1].version + 1
                raise Conflict(
                    f"version {version} of {name} was run by {head.id}{how}", where=str(catalog.sources[name]),
                    remedy=f"set version: {next_}",
                )  # fmt: skip

    def _all_executions(self) -> Iterator[Head]:
        """Those of all tenants, also those that are only in the state or only in the log."""
        for tenant in sorted({*self.tenants(), *(head.tenant for head in self.engine.journal.heads())}):
            yield from self.executions(tenant)

    def _wish(
        self, name: str, tenant: str, inputs: Mapping[str, Any] | None, entity: str | None,
        event: Mapping[str, Any] | None, key: str | None, prefer: str | None,
    ) -> Wish:  # fmt: skip
        from context_plane.processes.engine.engine import Wish
        from context_plane.store.keys import check_tenant

        check_tenant(tenant)
        if event is not None:
            self._check_event(event)
        process = self._chosen(name, event, inputs or {}, prefer)
        self._teach(tenant, process)
        return Wish(tenant, process, inputs or {}, entity, event, key=key)

    def _check_event(self, event: Mapping[str, Any]) -> None:
        """Raises `InputError` for what is no event: what set a run off is in its records for good."""
        from context_plane.log.events import Limits, Normaliser

        try:
            Normaliser(Limits(**vars(self.settings.ingest)), internal=True)(event)
        except InputError as error:
            raise InputError(error.what, where=f"event: {error.where}".rstrip(": "), remedy=error.remedy) from error

    def _chosen(
        self, name: str, event: Mapping[str, Any] | None, inputs: Mapping[str, Any], prefer: str | None
    ) -> LinkedProcess:
        """The process of a name, or the one that an interface of that name dispatches to."""
        catalog = self.processes()
        if name in catalog.interfaces and name not in catalog.processes:
            from context_plane.processes.triggers.dispatch import dispatch

            able = [each for each in catalog.processes.values() if name in each.implements]
            return dispatch(name, able, event, inputs, prefer).process
        return self.process(name)

    def _teach(self, tenant: str, process: LinkedProcess) -> None:
        """Lets the tenant know the topics that a process refers to: a tenant that never heard of one learns it from the
        home's file; what it knows is left as it is."""
        wanted = {*process.knowledge, *(t for step in process.steps if step.context for t in step.context.topics)}
        if not wanted:
            return
        state = self._tenant(tenant)
        known = set(self._catalog(state).current(state.view())) if state.exists() else set()
        missing = sorted(wanted - known)
        if missing:
            from context_plane.knowledge.folder import scan

            folder = self.settings.knowledge
            files = scan(folder, folder).files
            for topic in missing:
                if topic in files:
                    self.learn(tenant, folder / files[topic], remove=False)

    def _ports(self) -> Ports:
        from context_plane.processes.engine.ports import Ports
        from context_plane.processes.registry.secrets import Redactor

        with suppress(ContextPlaneError):  # the models' keys are secret from the start
            self.gateway()
        redactor = Redactor.of_environment()
        settings = self.settings
        return Ports(
            registry=self.registry,
            context=self._step_context,
            gateway=self.gateway,
            append=self._append_own,
            sealed=lambda tenant, id: self._sealed(tenant).records(id),
            sealed_like=lambda tenant, prefix: self._sealed(tenant).like(prefix),
            sealed_ids=lambda tenant: self._sealed(tenant).ids(),
            number=lambda tenant: self._tenant(tenant).history.refresh(),
            plane=self,
            settings=settings.processes,
            workspaces=settings.processes.workspaces(settings.home),
            redact=lambda value: redactor.redact(value)[0],
        )

    def _sealed(self, tenant: str) -> Sealed:
        from context_plane.processes.engine.sealed import Sealed

        found = self._executions.get(tenant)
        if found is None:
            found = self._executions.setdefault(tenant, Sealed(self._tenant(tenant).history))
        return found

    def _pinned(self, execution: Execution) -> View:
        """The view of an execution's contexts, the same one for all its steps."""
        with self._lock:
            known = self._views.get(execution.id)
            if known is None:
                while len(self._views) >= _VIEWS_KEPT:
                    self._views.pop(next(iter(self._views)))
                # A tenant of which nothing was known then: what it had first is that the execution was accepted.
                view = self._tenant(execution.tenant).view(None, execution.known_at or 1)
                known = self._views[execution.id] = view
            return known

    def _append_own(self, tenant: str, events: Sequence[Mapping[str, Any]]) -> None:
        from context_plane.log.append import append
        from context_plane.log.events import Limits

        self._check_writable()
        state, limits = self._tenant(tenant), Limits(**vars(self.settings.ingest))
        # Records have a limit of their own: what the plane allows others to send is not about them.
        limits = replace(limits, max_event_bytes=max(limits.max_event_bytes, Limits.max_event_bytes))
        with state.lock:
            append(state.history, events, limits=limits)
            state.look_again()

    def _step_context(self, execution: Execution, step: LinkedStep, shown: Mapping[str, Any]) -> Context:
        """The context of a step: what it declares, of the log as it was when the execution was accepted."""
        from context_plane.bundles.answers.request import request

        needs = step.context
        assert needs is not None
        state = self._tenant(execution.tenant)
        if not execution.known_at and not state.exists():
            self.engine.seal()
        sections = {_SECTIONS.get(each, each) for each in needs.sections}
        sections |= ({"knowledge"} if needs.topics else set()) | ({"package"} if needs.packages else set())
        asked = request(
            execution.entity, step.description or step.id, needs.budget, None, step.description or None,
            dict(shown) or None, needs.topics, needs.packages,
        )  # fmt: skip
        view = self._pinned(execution)
        return self._answered(view, asked, frozenset(sections))
