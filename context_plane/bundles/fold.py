"""The fold of entity context: timelines → packs of bundles, one per mark of the grain.

A pack depends on its spec, its two instants and the versions of the timelines in between and in the windows before;
their hash decides whether it is up to date. The same evaluator computes single bundles on demand (`serve`).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from context_plane.bundles.evaluate import Evaluated, Evaluator
from context_plane.bundles.pack import Entry, encode_pack
from context_plane.bundles.spec import ContextSpec
from context_plane.canonical import digest
from context_plane.instants import DAY, format_instant
from context_plane.parts.grain import Grain, Mark, marks
from context_plane.parts.notes import Note
from context_plane.parts.part import CONTEXTS, OWN, TIMELINE, Catalog, Part, month_of
from context_plane.parts.timeline import Built, Progress
from context_plane.store import keys
from context_plane.store.faults import reach

if TYPE_CHECKING:
    from pathlib import Path

    from context_plane.log.history import History
    from context_plane.parts.files import Files

_MARKS_PER_LOAD: Final = 31
_SAMPLES_PER_LOAD: Final = 3


@dataclass(frozen=True)
class Plan:
    """One pack that should exist."""

    mark: Mark
    since: int | None
    """First day it depends on; `None` for all history."""
    inputs: str
    number: int
    """Log number up to which the timelines it reads are complete."""
    newest: int
    """The last commit that touched a day it depends on."""

    def holds(self, part: Part | None) -> bool:
        """Whether a pack is the one planned."""
        return part is not None and part.inputs == self.inputs


def plan(
    spec: ContextSpec, tenant: str, catalog: Catalog, touched: Mapping[int, int], grain: Grain, until: int
) -> list[Plan]:
    """The packs that the spec should have over these timelines, oldest first. Pure."""
    timelines = catalog.of(TIMELINE)
    days = sorted(touched)
    versions = [timelines[day].version if day in timelines else "" for day in days]
    through = _running_hashes(versions)
    numbers = [touched[day] for day in days]
    newest = [0, *accumulate(numbers, max)]
    missing = [day for day in days if day not in timelines or timelines[day].number < touched[day]]
    plans = []
    for mark in marks(touched, grain):
        since = _since(spec, mark)
        start = 0 if since is None else bisect_left(days, since)
        end = bisect_right(days, mark.day)
        inputs = digest(
            {
                "spec": spec.hash,
                "tenant": tenant,
                "instant": mark.instant,
                "previous": mark.previous,
                # All history is hashed by its running hash: listing every version for every mark would be quadratic.
                "timelines": through[end] if since is None else versions[start:end],
            }
        )
        lacking = [timelines[day].number if day in timelines else 0 for day in missing if _inside(day, since, mark)]
        last = newest[end] if since is None else max(numbers[start:end], default=0)
        plans.append(Plan(mark, since, inputs, min(lacking, default=until), last))
    return plans


def counted_days(spec: ContextSpec, history: History, until: int | None = None) -> dict[int, int]:
    """The days that the spec's packs depend on: without those of the plane's own events, unless it names such."""
    return history.touched(until, own=bool(spec.own_globs))


def _running_hashes(versions: Sequence[str]) -> list[str]:
    hashes = [""]
    for version in versions:
        hashes.append(hashlib.sha256(f"{hashes[-1]}/{version}".encode()).hexdigest())
    return hashes


def _inside(day: int, since: int | None, mark: Mark) -> bool:
    return day <= mark.day and (since is None or day >= since)


def stale(
    spec: ContextSpec, tenant: str, catalog: Catalog, touched: Mapping[int, int], grain: Grain, until: int
) -> list[int]:
    """Days under which a pack of the spec is missing or not up to date, given what the timelines will be."""
    held = catalog.of(CONTEXTS + spec.name)
    timelines = catalog.of(TIMELINE)
    changing = {day for day, number in touched.items() if day not in timelines or timelines[day].number < number}
    found = []
    for wanted in plan(spec, tenant, catalog, touched, grain, until):
        part = held.get(wanted.mark.day)
        if (
            part is None
            or not wanted.holds(part)
            or part.number < wanted.newest
            or any(_inside(day, wanted.since, wanted.mark) for day in changing)
        ):
            found.append(wanted.mark.day)
    return found


def build(
    history: History,
    files: Files,
    catalog: Catalog,
    spec: ContextSpec,
    days: tuple[int, int],
    until: int,
    grain: Grain,
    progress: Progress | None = None,
) -> Built:
    """Builds the packs filed under the days first … last that are not up to date, and leaves a note.

    `catalog` is what is built already; timelines of the days a pack reads should be in it. Raises `Corrupt`.
    """
    first, last = days
    plans = plan(spec, history.tenant, catalog, counted_days(spec, history, until), grain, until)
    held = catalog.of(CONTEXTS + spec.name)
    inside = [p for p in plans if first <= p.mark.day <= last]
    wanted = [p for p in inside if not p.holds(held.get(p.mark.day))]
    parts: list[Part] = []
    for start in range(0, len(wanted), _MARKS_PER_LOAD):
        group = wanted[start : start + _MARKS_PER_LOAD]
        report = None if progress is None else partial(_report, progress, start, len(wanted))
        parts += _build_group(history, files, catalog, spec, group, report)
    if parts:
        history.store.sync()
        reach("contexts.synced")
    notes = _notes(spec, plans, [*parts, *_carried(inside, held)], held, (first, last), until)
    for note in notes:
        note.write(history.store, history.tenant)
    if notes:
        reach("contexts.noted")
    return Built(tuple(parts), len(inside) - len(wanted), until)


def _carried(plans: Sequence[Plan], held: Mapping[int, Part]) -> Iterator[Part]:
    """Packs that a commit touched without changing what they hold: they are the same up to a higher number."""
    for planned in plans:
        part = held.get(planned.mark.day)
        if part is not None and planned.holds(part) and part.number < planned.newest <= planned.number:
            yield replace(part, number=planned.number)


def _since(spec: ContextSpec, mark: Mark) -> int | None:
    """First day whose events a pack depends on: what is in its windows, and what left them since the pack before."""
    if spec.longest is None or mark.previous is None:
        return None
    return (mark.previous - spec.longest) // DAY


def _report(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _build_group(
    history: History,
    files: Files,
    catalog: Catalog,
    spec: ContextSpec,
    group: Sequence[Plan],
    report: Callable[[int], None] | None,
) -> list[Part]:
    paths = _paths(history, files, catalog, group)
    parts: list[Part] = []
    samples: dict[int, Evaluated] = {}
    with Evaluator(spec, history.tenant) as evaluator:
        evaluator.load(paths)
        for wanted in group:
            part, sample = _build_pack(history, files, spec, evaluator, wanted)
            parts.append(part)
            if sample is not None:
                samples[len(parts) - 1] = sample
            reach("contexts.pack-written")
            if report is not None:
                report(len(parts))
    step = max(1, len(samples) // _SAMPLES_PER_LOAD)
    for at, sample in list(samples.items())[::step][:_SAMPLES_PER_LOAD]:
        same = _same_again(spec, history.tenant, paths, group[at].mark.instant, sample)
        parts[at] = replace(parts[at], checks={**parts[at].checks, "deterministic": same})
    return parts


def _build_pack(
    history: History, files: Files, spec: ContextSpec, evaluator: Evaluator, wanted: Plan
) -> tuple[Part, Evaluated | None]:
    mark = wanted.mark
    changed = evaluator.changed(mark.previous, mark.instant)
    bundles = list(evaluator.evaluate(mark.instant, changed))
    meta = {
        "spec": spec.name,
        "hash": spec.hash,
        "tenant": history.tenant,
        "instant": format_instant(mark.instant),
        "previous": None if mark.previous is None else format_instant(mark.previous),
    }
    count, body = encode_pack(meta, (Entry(b.entity, b.body, b.valid_through) for b in bundles))
    version = hashlib.sha256(body).hexdigest()
    part = Part(
        day=mark.day,
        version=version,
        size=len(body),
        rows=count,
        number=wanted.number,
        inputs=wanted.inputs,
        since=wanted.since,
        instant=mark.instant,
        previous=mark.previous,
        checks={"bundle_count": [b.entity for b in bundles] == list(changed)},
    )
    files.put(keys.pack(history.tenant, spec.name, part.date, version), version, body)
    return part, bundles[len(bundles) // 2] if bundles else None


def _paths(history: History, files: Files, catalog: Catalog, group: Sequence[Plan]) -> list[Path]:
    since = [p.since for p in group]
    first = None if None in since else min(day for day in since if day is not None)
    last = group[-1].mark.day
    return files.fetch_all(
        (keys.timeline(history.tenant, part.date, part.version), part.version, part.size)
        for day, part in catalog.of(TIMELINE).items()
        if day <= last and (first is None or day >= first)
    )


def _same_again(spec: ContextSpec, tenant: str, paths: Sequence[Path], instant: int, sample: Evaluated) -> bool:
    """Evaluates one bundle again on its own, files in reverse order and on one thread: the bytes must be the same."""
    with Evaluator(spec, tenant, threads=1) as evaluator:
        evaluator.load(list(reversed(paths)), entity=sample.entity)
        return [again.body for again in evaluator.evaluate(instant, [sample.entity])] == [sample.body]


def _notes(
    spec: ContextSpec,
    plans: Sequence[Plan],
    parts: Sequence[Part],
    held: Mapping[int, Part],
    days: tuple[int, int],
    until: int,
) -> list[Note]:
    """A note for each month of which a pack was built, or of which one is obsolete because its mark is gone."""
    planned = {p.mark.day for p in plans}
    obsolete = {day for day in held if days[0] <= day <= days[1] and day not in planned}
    about: dict[str, Any] = {"spec": spec.to_json(), "hash": spec.hash}
    if spec.own_globs:
        about[OWN] = True
    return [
        Note(
            part=CONTEXTS + spec.name,
            month=month,
            number=until,
            parts=tuple(part for part in parts if month_of(part.day) == month),
            days=tuple(sorted(day for day in planned if month_of(day) == month)),
            about=about,
        )
        for month in sorted({month_of(day) for day in (*(part.day for part in parts), *obsolete)})
    ]
