"""Reacting: executions that events, times and interfaces set off. What a sensor calls, and whoever has no sensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import ContextPlaneError, InputError, NotFound
from context_plane.facade.running import Running

if TYPE_CHECKING:
    from context_plane.processes.compiler.catalog import Catalog
    from context_plane.processes.engine.journal import Head
    from context_plane.processes.triggers.places import Place
    from context_plane.processes.triggers.watching import Registrations, Sighting, Watcher

SECONDS: Final = 10.0


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
    """What should have run and could not, with the reason; it is not tried again."""
    waiting: tuple[str, ...] = ()
    """Processes that stay behind, with the reason; they hold `number` back."""


@dataclass
class _Look:
    """What a look at a tenant's log comes to."""

    behind: dict[str, int]
    """Processes that wait, and where."""
    accepted: list[Head] = field(default_factory=list)
    known: int = 0
    refused: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


class Reacting(Running):
    """Triggers."""

    _places: dict[str, Place] | None = None
    """How far each tenant's processes are, as the last call left it."""

    def react(self, tenant: str, after: int | None = None, *, seconds: float = SECONDS) -> Reaction:
        """Accepts the executions that events after a log number set off, each once however often it is called.

        `after` is where the last call ended. Without it the tenant is looked at from where its triggers were first
        seen; those that are seen now react to what comes after `after`, or from now on. Nothing is run. What meets an
        error that will pass is not moved past: the next call tries it again.
        """
        from context_plane.processes.triggers.watching import sightings

        catalog, watchers = self.processes(), self._watchers(tenant)
        history = self._tenant(tenant).history
        if not history.refresh() or not (watchers or catalog.errors):
            return Reaction(history.head)
        known = self._registrations(tenant).known()
        lost = _lost(known, catalog)
        place = self._place(tenant, after, [n for key, n in known.items() if _concerns(key, watchers, lost)])
        known = self._register(tenant, watchers, known, history.head if after is None else place.furthest)
        starts = {each.key: max(known[each.key], place.of(each.name)) for each in watchers}
        look, reached = self._look(tenant, place, lost), place.number
        for seen in sightings(history, watchers, starts, place.number, seconds, look.behind):
            if isinstance(seen, int):
                reached = seen
            elif seen.name not in look.behind:
                self._try(tenant, seen, look)
        place = place.moved({*lost, *(each.name for each in watchers)}, reached, look.behind, history.head)
        self._places = {**(self._places or {}), tenant: place}
        return Reaction(place.number, tuple(look.accepted), look.known, tuple(look.refused), tuple(look.waiting))

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

    def _place(self, tenant: str, after: int | None, registered: list[int]) -> Place:
        """Where a look begins: where the last call ended, if that is what is asked for, else at a number."""
        from context_plane.processes.triggers.places import Place

        head = self._tenant(tenant).history.head
        if after is None:
            return Place(min(registered, default=head))
        last = (self._places or {}).get(tenant)
        return last if last is not None and last.number == after else Place(min(after, head))

    def _register(self, tenant: str, watchers: list[Watcher], known: dict[str, int], number: int) -> dict[str, int]:
        """From where on each trigger reacts. Those that are not known do from a number on, which the log remembers."""
        from context_plane.processes.triggers.watching import registration

        fresh = sorted({each.key for each in watchers} - known.keys())
        if not fresh:
            return known
        time = self._tenant(tenant).history.record(max(number, 1)).time
        self._append_own(tenant, [registration(key, number, time) for key in fresh])
        return dict.fromkeys(fresh, number) | self._registrations(tenant).known()

    def _look(self, tenant: str, place: Place, lost: set[str]) -> _Look:
        """A look that begins: processes that do not compile wait where they are, but with nothing that is too old."""
        oldest = self._missed(tenant) if lost else 0
        look = _Look({name: max(place.of(name), oldest) for name in sorted(lost)})
        for name, number in look.behind.items():
            look.waiting.append(f"{name} does not compile: it waits at log number {number}")
            if place.of(name) < oldest:
                look.refused.append(f"{name} does not compile: what came up to log number {oldest} is too old to wait")
        return look

    def _try(self, tenant: str, seen: Sighting, look: _Look) -> None:
        """Accepts the execution of a sighting, or takes down why not."""
        try:
            found = self._set_off(tenant, seen)
        except ContextPlaneError as error:
            told = f"{seen.name} for event {seen.event['source']} {seen.event['id']}: {error}"
            if self._lasts(tenant, seen, error):
                look.refused.append(told)
            else:
                look.behind[seen.name] = seen.number - 1
                look.waiting.append(told)
            return
        if found is None:
            look.known += 1
        else:
            look.accepted.append(found)

    def _missed(self, tenant: str) -> int:
        """The log number up to which nothing is waited with any more."""
        from context_plane.instants import now
        from context_plane.processes.triggers.places import MISSED, older

        return older(self._tenant(tenant).history, now() - MISSED)

    def _lasts(self, tenant: str, seen: Sighting, error: ContextPlaneError) -> bool:
        """Whether a sighting's error is a refusal, and not one that will pass: somebody may be writing the process."""
        from context_plane.processes.triggers.places import lasting

        if not lasting(error):
            return False
        written = self.processes().errors and not self._able(seen.name)
        return not written or seen.number <= self._missed(tenant)

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

        if depth(seen.event, tenant, self._event_of) > MOST_DEEP:
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
        except (InputError, NotFound):
            return None


def _lost(known: Mapping[str, int], catalog: Catalog) -> set[str]:
    """The processes and interfaces that once had triggers and are not to be had while something in the folder has an
    error: nobody took them away, they do not compile for the moment."""
    there = catalog.processes.keys() | catalog.interfaces.keys()
    return {name for key in known if (name := _name(key)) not in there} if catalog.errors else set()


def _concerns(key: str, watchers: list[Watcher], lost: set[str]) -> bool:
    return _name(key) in lost or any(each.key == key for each in watchers)


def _name(key: str) -> str:
    """Whose trigger it is."""
    return key.partition("/")[0]


def _last(trigger: Any, after: int, until: int) -> int | None:
    """The last time of a schedule in (after, until]."""
    from context_plane.processes.language.cron import next_after
    from context_plane.processes.triggers.places import MISSED

    found, at = None, max(after, until - MISSED)
    while (following := next_after(trigger.cron, trigger.timezone, at)) is not None and following <= until:
        found = at = following
    return found
