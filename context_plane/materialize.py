"""What Dagster's assets call: which windows need building, the folds over a window, and publication.

Floor 1's half of materialization. Partitions, checks and metadata are Dagster's business (`context_assets`); what is
built and when it may be seen is decided here, from the log alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from context_plane.bundles import fold
from context_plane.parts import timeline
from context_plane.parts.grain import Grain, marks, runs
from context_plane.parts.part import CONTEXTS
from context_plane.parts.publish import complete_to, publish, publishable
from context_plane.parts.snapshots import Snapshot, Snapshots

if TYPE_CHECKING:
    from context_plane.bundles.spec import ContextSpec
    from context_plane.log.history import History
    from context_plane.parts.files import Files
    from context_plane.parts.timeline import Built, Progress


@dataclass(frozen=True)
class Stale:
    """What a tenant's materialization lacks."""

    tenant: str
    until: int
    """The log number that was looked at."""
    timeline: tuple[int, ...]
    """Days (since 1970) whose timeline lacks events."""
    contexts: Mapping[str, tuple[int, ...]]
    """Per spec, the days under which a pack is missing or not up to date."""
    unpublished: bool
    """Whether something is built that no snapshot holds."""

    def __bool__(self) -> bool:
        return bool(self.timeline or any(self.contexts.values()) or self.unpublished)

    def windows(self, grain: Grain) -> list[tuple[int, int]]:
        """The fewest ranges of whole windows that cover everything stale, as (first day, last day)."""
        return runs({*self.timeline, *(day for days in self.contexts.values() for day in days)}, grain)


class Builder:
    """Builds and publishes the parts of one tenant."""

    def __init__(
        self,
        history: History,
        snapshots: Snapshots,
        files: Files,
        specs: Mapping[str, ContextSpec],
        grain: Grain,
        *,
        drop: bool = True,
    ) -> None:
        """`drop` says whether publishing leaves out packs of specs that are not among `specs`. Without any spec the
        published ones are gone on with, as readers do: a worker may have been given the store and no home."""
        self.history = history
        self.snapshots = snapshots
        self.files = files
        self.specs = specs or _published_specs(snapshots)
        self.grain: Grain = grain
        self._drop = drop

    def stale(self) -> Stale:
        """What lacks building or publishing now."""
        until = self.history.refresh()
        touched = self.history.touched()
        current = self.snapshots.current()
        contexts = {
            name: tuple(fold.stale(spec, self.history.tenant, current, touched, self.grain, until))
            for name, spec in self.specs.items()
        }
        days = tuple(timeline.stale_days(self.history, current, until))
        return Stale(self.history.tenant, until, days, contexts, self.unpublished())

    def timeline(self, days: tuple[int, int], progress: Progress | None = None) -> Built:
        """Builds the timelines of the days first … last that lack something."""
        until = self.history.refresh()
        return timeline.build(self.history, self.files, self.snapshots.current(), days, until, progress)

    def contexts(self, spec: str, days: tuple[int, int], progress: Progress | None = None) -> Built:
        """Builds the packs of one spec that are filed under the days first … last and are not up to date."""
        until = self.history.refresh()
        current = self.snapshots.current()
        return fold.build(self.history, self.files, current, self.specs[spec], days, until, self.grain, progress)

    def publish(self) -> Snapshot | None:
        """Publishes what is built; `None` where readers already see all of it."""
        return publish(self.history, self.snapshots, self._wanted())

    def unpublished(self) -> bool:
        """Whether `publish` would make a new snapshot. A listing of the notes where nothing was built."""
        base = self.snapshots.latest()
        held = {name for name in base.catalog.parts if name.startswith(CONTEXTS)} if base else set()
        wanted = self._wanted()
        kept = None if wanted is None else {CONTEXTS + name for name in wanted}
        notes = self.snapshots.notes()
        if not notes and (kept is None or held <= kept):
            return False
        catalog = publishable(self.history, base, notes, kept)
        if base is None:
            return bool(catalog.parts)
        return catalog != base.catalog or complete_to(self.history, catalog, base.log) != base.log

    def marks_in(self, days: tuple[int, int]) -> int:
        """Number of packs that a window of days should hold."""
        return sum(days[0] <= mark.day <= days[1] for mark in marks(self.history.touched(), self.grain))

    def _wanted(self) -> list[str] | None:
        return list(self.specs) if self._drop else None


def _published_specs(snapshots: Snapshots) -> dict[str, ContextSpec]:
    from context_plane.bundles.spec import ContextSpec

    latest = snapshots.latest()
    about = latest.catalog.about if latest else {}
    return {name.removeprefix(CONTEXTS): ContextSpec.from_json(each["spec"]) for name, each in about.items()}
