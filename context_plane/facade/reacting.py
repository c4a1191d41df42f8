"""Reacting: executions that events, times and interfaces set off. What a sensor calls, and whoever has no sensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import ContextPlaneError
from context_plane.facade.running import Running
from context_plane.instants import DAY

if TYPE_CHECKING:
    from context_plane.processes.engine.journal import Head
    from context_plane.processes.triggers.watching import Registrations, Sighting, Watcher

SECONDS: Final = 10.0
_MISSED: Final = 7 * DAY
"""How far back a time is looked for that was missed."""


@dataclass(frozen=True)
class Reaction:
    """What events up to a log number set off."""

    number: int
    """Everything up to here was looked at: where the next call begins."""
    accepted: tuple[Head, ...] = ()
    """Executions that are new."""
    known: int = 0
    """Events whose execution was there already."""
    refused: tuple[str, ...] = ()
    """What should have run and could not, with the reason."""


class Reacting(Running):
    """Triggers."""

    def react(self, tenant: str, after: int | None = None, *, seconds: float = SECONDS) -> Reaction:
        """Accepts the executions that events after a log number set off, each once however often it is called.

        `after` is where the last call ended. Without it the tenant is looked at from where its processes were first
        seen; processes that are seen now react to what comes after `after`, or from now on. Nothing is run.
        """
        from context_plane.instants import now
        from context_plane.processes.triggers.watching import registration, sightings

        watchers = self._watchers(tenant)
        state = self._tenant(tenant)
        head = state.history.refresh()
        if not watchers or not head:
            return Reaction(head)
        known = self._registrations(tenant).known()
        fresh = sorted({each.name for each in watchers} - known.keys())
        if fresh:
            start = head if after is None else after
            self._append_own(tenant, [registration(name, start, now()) for name in fresh])
            known = self._registrations(tenant).known()
        begin = min(known.values(), default=head) if after is None else after
        number, accepted, old, refused = begin, [], 0, []
        for seen in sightings(state.history, watchers, known, begin, seconds):
            if isinstance(seen, int):
                number = seen
                continue
            try:
                found = self._set_off(tenant, seen)
            except ContextPlaneError as error:
                refused.append(f"{seen.name} for event {seen.event['source']} {seen.event['id']}: {error}")
                continue
            if found is None:
                old += 1
            else:
                accepted.append(found)
        return Reaction(number, tuple(accepted), old, tuple(refused))

    def due(self, last: int, now: int) -> list[tuple[str, str, int]]:
        """What schedules ask for between two instants (microseconds): process, tenant, and the time for which; of
        times that were missed only the last."""
        found: list[tuple[str, str, int]] = []
        for name, triggers in self._triggers().items():
            for trigger in triggers:
                at = _last(trigger, last, now) if trigger.type == "schedule" else None
                if at is not None:
                    found += [(name, tenant, at) for tenant in trigger.tenants or self.tenants()]
        return found

    def start_due(self, process: str, tenant: str, at: int) -> Head:
        """Accepts the execution of a process for a time of its schedule, once."""
        from context_plane.instants import format_instant

        return self.start(process, tenant=tenant, key=f"schedule/{process}/{format_instant(at)}")

    def _triggers(self) -> dict[str, tuple[Any, ...]]:
        """The triggers of processes that can be run, and of interfaces, by name."""
        catalog = self.processes()
        found = {name: each.triggers for name, each in catalog.processes.items() if not each.abstract}
        return {name: each.triggers for name, each in catalog.interfaces.items()} | found

    def _watchers(self, tenant: str) -> list[Watcher]:
        from context_plane.processes.triggers.watching import Watcher

        return [
            Watcher(name, trigger)
            for name, triggers in sorted(self._triggers().items())
            for trigger in triggers
            if trigger.type == "event" and (not trigger.tenants or tenant in trigger.tenants)
        ]

    def _registrations(self, tenant: str) -> Registrations:
        from context_plane.processes.triggers.watching import Registrations

        found = self._registered.get(tenant)
        if found is None:
            found = self._registered.setdefault(tenant, Registrations(self._tenant(tenant).history))
        return found

    def _set_off(self, tenant: str, seen: Sighting) -> Head | None:
        """The execution of a sighting, if it is new."""
        from context_plane.errors import Infeasible
        from context_plane.processes.triggers.watching import MOST_DEEP, depth

        if depth(seen.event, self._event_of) > MOST_DEEP:
            what = f"runs have set each other off {MOST_DEEP} times in a row"
            remedy = "give the trigger a condition that ends it"
            raise Infeasible(what, where=f"process {seen.name}", remedy=remedy)
        if any(self.engine.known(tenant, name, seen.event) for name in self._able(seen.name)):
            return None  # also where another process would be chosen for the interface now
        wish = self._wish(seen.name, tenant, None, None, seen.event, None, None)
        head, new = self.engine.accept(wish)
        return head if new else None

    def _able(self, name: str) -> list[str]:
        """The processes that a trigger of this name may run."""
        catalog = self.processes()
        if name in catalog.processes:
            return [name]
        return [each.name for each in catalog.processes.values() if name in each.implements]

    def _event_of(self, execution: str) -> Mapping[str, Any] | None:
        try:
            return self.engine.execution(execution).event
        except ContextPlaneError:
            return None


def _last(trigger: Any, after: int, until: int) -> int | None:
    """The last time of a schedule in (after, until]."""
    from context_plane.processes.language.cron import next_after

    found, at = None, max(after, until - _MISSED)
    while (following := next_after(trigger.cron, trigger.timezone, at)) is not None and following <= until:
        found = at = following
    return found
