"""An engine over a real state, with handlers that a test writes and a log that it can look into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from context_plane.config import ProcessSettings
from context_plane.processes.engine.engine import Engine, Wish
from context_plane.processes.engine.ports import Ports
from context_plane.processes.engine.records import Record
from context_plane.processes.engine.sealing import RECORD
from context_plane.processes.engine.state import Execution
from context_plane.processes.linked import LinkedGate, LinkedProcess, LinkedStep
from context_plane.processes.registry.handler import Action, Gate
from context_plane.store.state.database import Database


class Log:
    """What was sealed, by tenant and event."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.batches = 0
        self.refuses: Exception | None = None

    def append(self, tenant: str, events: Sequence[Mapping[str, Any]]) -> None:
        if self.refuses:
            raise self.refuses
        self.batches += 1
        for event in events:
            held = self.events.setdefault((tenant, f"{event.get('source')} {event['id']}"), event)
            assert held == event, "the same event with other content is a conflict"

    def records(self, tenant: str, id: str) -> list[Record]:
        hex_ = id.partition(".")[2]
        found = [
            Record(
                int(event["id"].partition("/")[2]), event["data"]["kind"], event["data"]["at"], event["data"]["body"]
            )
            for (name, _), event in self.events.items()
            if name == tenant and event["type"] == RECORD and event["id"].startswith(f"{hex_}/")
        ]
        return sorted(found, key=lambda record: record.seq)

    def like(self, tenant: str, prefix: str) -> str | None:
        hex_ = prefix.partition(".")[2]
        ids = {
            e["id"].partition("/")[0] for (name, _), e in self.events.items() if name == tenant and e["type"] == RECORD
        }
        return next((f"{tenant}.{each}" for each in sorted(ids) if each.startswith(hex_)), None)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def __call__(self) -> int:
        self.now += 1_000
        return self.now


class Harness:
    """An engine, its log and its clock."""

    def __init__(self, folder: Path, url: str | None = None, **settings: Any) -> None:
        """`url` is that of a server's database, which is emptied."""
        self.folder = folder
        self.log = Log()
        self.clock = Clock()
        self.actions: dict[str, Action] = {}
        self.gates: dict[str, Gate] = {}
        self.gateway: Any = None
        self.contexts: list[tuple[str, Any]] = []
        self.redact: Callable[[Any], Any] = lambda value: value
        self.database = Database(url or f"sqlite:///{folder}/state/state.db")
        if url is not None:
            with self.database.write() as connection:
                for name in ("records", "executions", "leases"):
                    connection.exec_driver_sql(f"DELETE FROM {name}")
        self.settings = ProcessSettings(**settings)
        self.engine = self.another()

    def another(self) -> Engine:
        """Another worker over the same state."""
        registry = SimpleNamespace(actions=self.actions, gates=self.gates)
        ports = Ports(
            registry=lambda: registry,  # type: ignore[arg-type, return-value]
            context=self._context,
            gateway=lambda: self.gateway,
            append=self.log.append,
            sealed=self.log.records,
            sealed_like=self.log.like,
            sealed_ids=lambda tenant: [],
            number=lambda tenant: 7,
            plane=SimpleNamespace(),  # type: ignore[arg-type]
            settings=self.settings,
            workspaces=self.folder / "workspaces",
            redact=lambda value: self.redact(value),
            clock=self.clock,
        )
        return Engine(ports, self.database)

    def action(self, name: str, handler: Callable[..., Any], **how: Any) -> None:
        self.actions[name] = Action(name, handler, **how)

    def gate(self, name: str, handler: Callable[..., Any]) -> None:
        self.gates[name] = Gate(name, handler)

    def accept(self, process: LinkedProcess, **how: Any) -> str:
        return self.engine.accept(Wish("acme", process, how.pop("inputs", {}), **how))[0].id

    def run(self, process: LinkedProcess, **how: Any) -> Execution:
        return self.engine.run(self.accept(process, **how))

    def _context(self, execution: Execution, step: LinkedStep, state: Any) -> Any:
        self.contexts.append((step.id, state))
        manifest = SimpleNamespace(
            sections=({"name": "knowledge", "items": [{}, {}]},),
            event=lambda: {"id": f"receipt-{step.id}", "type": "cortex.receipt", "subject": "receipt/1"},
        )
        return SimpleNamespace(text=f"context of {step.id}", tokens=12, receipt="acme.abc", manifest=manifest)


def process(*steps: LinkedStep, name: str = "fix", version: int = 1, **how: Any) -> LinkedProcess:
    return LinkedProcess(name, version, steps=steps, **how)


def step(id: str, action: str | None = None, **how: Any) -> LinkedStep:
    return LinkedStep(id, action or id, **how)


def gate(name: str, **how: Any) -> LinkedGate:
    return LinkedGate(name, **how)
