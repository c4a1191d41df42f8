"""`cortex materialize`: builds and publishes what is stale, by runs of the job `refresh` in this process.

The command is floor 3's because it needs Dagster; `cortex` finds it through an entry point. What is stale follows from
the log, so that a command which finds nothing to do answers without importing Dagster.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from context_plane.cli.failures import NO
from context_plane.cli.options import json_option, open_existing
from context_plane.cli.output import Report, echo_json, note, progress, say
from context_plane.errors import InputError
from context_plane.instants import DAY, day_of, parse_day, start_of

if TYPE_CHECKING:
    from context_assets.runs import Ran, Runner
    from context_plane.bundles.packages.package import Row
    from context_plane.materialize import Builder, Stale
    from context_plane.plane import ContextPlane

_MANY: Final = 400  # windows; each costs Dagster some 25 ms an asset on SQLite


@dataclass
class Task:
    """What one tenant lacks, and what has been done about it."""

    builder: Builder
    stale: Stale
    wanted: set[int]
    """Days of which something is stale, within the range asked for."""
    unchanged: dict[str, int]
    """Parts that are up to date, by asset; the timeline first."""
    packages: list[Row] = field(default_factory=list)
    """All that are declared."""
    ran: list[Ran] = field(default_factory=list)

    @property
    def tenant(self) -> str:
        """The tenant's name."""
        return self.stale.tenant

    @property
    def parts(self) -> int:
        """How many parts are to be built."""
        stale = self.stale
        kinds = (stale.timeline, *stale.contexts.values(), *stale.indexes.values(), *stale.memory.values())
        return sum(len(self.wanted.intersection(days)) for days in kinds)

    @property
    def stale_packages(self) -> list[Row]:
        """Those that are to be built."""
        return [row for row in self.packages if row.lacking]

    def built(self, asset: str) -> int:
        """Parts of an asset that the runs built."""
        return sum(ran.built.get(asset, 0) for ran in self.ran)


@click.command("materialize")
@click.option("--tenant", "tenants", multiple=True, metavar="T", help="Only this tenant; may be given several times.")
@click.option("--from", "since", metavar="DAY", help="First day to build [default: the oldest that is stale].")
@click.option("--to", "until", metavar="DAY", help="Last day to build [default: the newest that is stale].")
@click.option("-v", "--verbose", is_flag=True, help="Print Dagster's log of the runs.")
@json_option
def materialize(tenants: tuple[str, ...], since: str | None, until: str | None, verbose: bool, as_json: bool) -> None:
    """Build what new events made stale, and publish it: runs of Dagster's job `refresh`, seen in its history."""
    started = monotonic()
    days = _days(since, until)
    with open_existing() as plane:
        tasks = _tasks(plane, tenants, days)
        lacking = [each for each in tasks if each.wanted or each.stale.unpublished or each.stale_packages]
        _execute(plane, lacking, verbose)
        if as_json:
            echo_json({"tenants": [_shape(task) for task in tasks]})
        else:
            _tell(tasks, monotonic() - started)
        complaints = [line for task in tasks for line in _complaints(task, plane.settings.start)]
    for line in complaints:
        note(f"error: {line}")
    if complaints:
        raise click.exceptions.Exit(NO)


def _days(since: str | None, until: str | None) -> tuple[int, int] | None:
    """The range asked for, as days since 1970."""
    if since is None and until is None:
        return None
    first = parse_day(since) if since else date.min
    last = parse_day(until) if until else date.max
    if first > last:
        raise InputError(f"{first} is after {last}", where="--from and --to", remedy="give the earlier day first")
    return start_of(first) // DAY, start_of(last) // DAY


def _tasks(plane: ContextPlane, tenants: Sequence[str], days: tuple[int, int] | None) -> list[Task]:
    """What each tenant lacks. Raises `NotFound` for a tenant without events, `InputError` for a range without any."""
    from resources.builders import Builders

    builders = Builders(plane)
    for broken in builders.specs.broken:
        note(f"warning: context spec left out: {broken.error}")
    opened = [builders.of(tenant) for tenant in dict.fromkeys(tenants)] if tenants else list(builders.all())
    if days is not None:
        _check_range(opened, days)
    tasks = [_task(builder, days) for builder in opened]
    for task in tasks:
        task.packages = [row for row in plane.packages(task.tenant, counted=False) if row.origin == "declared"]
        for row in task.packages:
            if row.error is not None:
                note(f"warning: package left out: {row.error}")
    return tasks


def _check_range(builders: Sequence[Builder], days: tuple[int, int]) -> None:
    spans = [(min(touched), max(touched)) for touched in (builder.history.touched() for builder in builders)]
    if spans and not any(first <= days[1] and last >= days[0] for first, last in spans):
        oldest, newest = min(first for first, _ in spans), max(last for _, last in spans)
        where = ", ".join(builder.history.tenant for builder in builders[:3])
        raise InputError(
            "there are no events in this range",
            where=f"--from and --to, tenant {where}",
            remedy=f"events lie from {_day(oldest)} to {_day(newest)}",
        )


def _task(builder: Builder, days: tuple[int, int] | None) -> Task:
    from context_assets.names import INDEXES, MEMORIES, TIMELINE, asset_name
    from context_plane.parts.grain import marks

    stale = builder.stale(checked=True)
    first, last = days or (-(1 << 31), 1 << 31)
    touched = builder.history.touched()
    packs = {mark.day for mark in marks(builder.history.touched(own=False), builder.grain)}
    unchanged = {TIMELINE: _between(touched.keys() - {*stale.timeline}, first, last)}
    for spec, each in stale.contexts.items():
        unchanged[asset_name(spec)] = _between(packs - {*each}, first, last)
    for kind, each in stale.indexes.items():
        unchanged[INDEXES[kind]] = _between(touched.keys() - {*each}, first, last)
    for kind, each in stale.memory.items():
        unchanged[MEMORIES[kind]] = _between(builder.days_of(kind) - {*each}, first, last)
    return Task(builder, stale, {day for day in stale.days if first <= day <= last}, unchanged)


def _between(days: set[int], first: int, last: int) -> int:
    return sum(first <= day <= last for day in days)


def _execute(plane: ContextPlane, tasks: Sequence[Task], verbose: bool) -> None:
    """Runs what the tasks lack, one range after the other: later packs read earlier timelines."""
    if not tasks:
        return
    with ExitStack() as stack:
        report = stack.enter_context(progress("materialize", "parts"))
        report(0, None)
        from context_assets.instance import dagster_home
        from context_assets.progress import listening
        from context_assets.runs import open_runner

        runner = stack.enter_context(open_runner(plane, dagster_home(plane.settings.home), verbose=verbose))
        stack.enter_context(listening(_Sum(report, sum(task.parts for task in tasks))))
        runner.register([task.tenant for task in tasks])
        for task in tasks:
            _run(runner, task)


def _run(runner: Runner, task: Task) -> None:
    from context_assets.partitions import joined
    from context_plane.parts.grain import runs

    span = runner.graph.span
    ranges = joined(runs([day for day in task.wanted if span.covers(day)], span.grain), span.grain)
    if span.grain == "day" and sum(last - first + 1 for first, last in ranges) > _MANY:
        note(f"{task.tenant}: many windows; CONTEXT_PLANE_GRAIN=month keeps long histories in few")
    for days in ranges:
        task.ran.append(runner.refresh(task.tenant, days))
        if task.ran[-1].failing or task.ran[-1].error:
            return
    if not ranges and task.builder.unpublished():
        task.ran.append(runner.publish())
    task.ran += runner.packages(task.tenant, task.stale_packages)


class _Sum:
    """Adds up the progress of all folds for one bar."""

    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._total = total
        self._before = 0
        self._last = 0

    def __call__(self, asset: str, tenant: str, done: int, total: int) -> None:  # noqa: ARG002 - a listener's signature
        if done <= self._last:  # the next fold has begun
            self._before += self._last
        self._last = done
        self._report(self._before + done, max(self._total, self._before + total))


def _shape(task: Task) -> dict[str, Any]:
    """A tenant in `materialize --json`."""
    from context_assets.names import CTX_PACKAGES, INDEXES, MEMORIES, TIMELINE, asset_name

    latest = task.builder.snapshots.latest()

    def counts(asset: str) -> dict[str, int]:
        return {"built": task.built(asset), "unchanged": task.unchanged[asset]}

    packages = {
        "built": task.built(CTX_PACKAGES),
        "unchanged": sum(row.freshness.state == "fresh" for row in task.packages),
    }
    return {
        "tenant": task.tenant,
        "runs": [ran.id for ran in task.ran],
        "timeline": counts(TIMELINE),
        "contexts": {spec: counts(asset_name(spec)) for spec in task.stale.contexts},
        "indexes": {INDEXES[kind]: counts(INDEXES[kind]) for kind in task.stale.indexes},
        "memory": {MEMORIES[kind]: counts(MEMORIES[kind]) for kind in task.stale.memory},
        **({"packages": packages} if task.packages else {}),
        "snapshot": latest.number if latest else None,
        "log": latest.log if latest else 0,
    }


def _tell(tasks: Sequence[Task], seconds: float) -> None:
    if not tasks:
        say("there are no events yet: cortex ingest PATH --tenant T")
    for task in tasks:
        shape = _shape(task)
        memory = {name: count for name, count in shape["memory"].items() if any(count.values())}
        kinds = {"timeline": shape["timeline"], **shape["contexts"], **shape["indexes"], **memory}
        kinds |= {"packages": shape["packages"]} if "packages" in shape else {}
        built = ", ".join(
            f"{name} {count['built']:,} built, {count['unchanged']:,} unchanged" for name, count in kinds.items()
        )
        say(f"{task.tenant}: {built if task.ran else 'nothing was stale'}; {_published(shape)}")
    if any(task.ran for task in tasks):
        count = sum(len(task.ran) for task in tasks)
        say(f"{count:,} run{'s' * (count != 1)} in {seconds:.1f} s")


def _published(shape: dict[str, Any]) -> str:
    if shape["snapshot"] is None:
        return "nothing is published yet"
    return f"snapshot {shape['snapshot']:,} holds the log up to {shape['log']:,}"


def _complaints(task: Task, start: str | None) -> list[str]:
    """Why the answer is no: failed checks by name and day, failed runs, days for which there are no partitions."""
    lines = [f"check failed: {check}, it is not published" for ran in task.ran for check in ran.failing]
    lines += [f"{task.tenant}: {ran.error} (run {ran.id})" for ran in task.ran if ran.error]
    before = [day for day in task.wanted if start and day < start_of(parse_day(start)) // DAY]
    if before:
        what = f"{len(before):,} of the days lie before the start {start}, the first is {_day(min(before))}"
        lines.append(f"{task.tenant}: {what}, set an earlier start (CONTEXT_PLANE_START)")
    return lines


def _day(day: int) -> date:
    return day_of(day * DAY)
