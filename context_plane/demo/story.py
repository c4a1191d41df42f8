"""The story that `cortex demo` tells, step by step; each step says what it did and is timed.

What is told to whom is the caller's (`Teller`); how the plane is materialized too (`Materialize`), so that Dagster runs
it where it is installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

from context_plane.demo.agent import Pick, measure, rank
from context_plane.demo.customers import World
from context_plane.demo.events import END, START, all_events, corrections
from context_plane.demo.figures import Answers, Figures, Proof, Reads, Tokens
from context_plane.demo.home import EVENTS, SPEC, Home
from context_plane.demo.proof import FirstPass, by_entity, compare
from context_plane.errors import ContextPlaneError, InputError
from context_plane.instants import DAY
from context_plane.plane import ContextPlane

if TYPE_CHECKING:
    from context_plane.bundles.bundle import Bundle
    from context_plane.log.outcome import Commit

PAST: Final = START + 14 * DAY
GOAL: Final = "Should we offer this customer an upgrade now, and what do they say about it?"
BUDGET: Final = 800
"""Tokens of one context."""
ANSWERS: Final = 20
MAX_CUSTOMERS: Final = 100_000
Report = Callable[[int, int | None], None]


class Step(Protocol):
    """One step while it runs."""

    def report(self, done: int, total: int | None) -> None:
        """How far it is."""

    def says(self, text: str) -> None:
        """What it did."""


class Teller(Protocol):
    """Who listens to the story."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """A step begins; it ends with the block."""


class Materialize(Protocol):
    """Builds and publishes what is stale of a tenant."""

    def __call__(self, plane: ContextPlane, tenant: str, report: Report) -> None: ...


@dataclass
class Told:
    """What the story leaves behind."""

    figures: Figures
    picks: list[Pick]

    @property
    def proof(self) -> Proof:
        """The proof; every told story has one."""
        assert self.figures.proof is not None
        return self.figures.proof


def tell(world: World, root: Path, teller: Teller, materialize: Materialize) -> Told:
    """Runs the whole demo in the home at `root`. Raises what the plane raises."""
    if not 20 <= world.customers <= MAX_CUSTOMERS:
        raise InputError(f"{world.customers} customers", where="--customers", remedy=f"use 20 to {MAX_CUSTOMERS:,}")
    home = Home(root)
    found = home.prepare()
    figures = Figures(world.customers, world.seed, world.planted, str(home.root), tenant_of(world), found)
    story = _Story(world, home, figures, teller, materialize)
    story.bring_in()
    first, picks = story.read()
    story.answer(picks)
    story.prove(first, picks[0].entity)
    return Told(figures, picks)


def tenant_of(world: World) -> str:
    """The tenant of a world, so that several can live in one home: ``growth-1000``."""
    name = f"growth-{world.customers}"
    if (world.seed, world.planted) != (World.seed, World.planted):
        name += f"-s{world.seed}-p{round(world.planted * 10_000)}"
    return name


class _Story:
    def __init__(self, world: World, home: Home, figures: Figures, teller: Teller, materialize: Materialize) -> None:
        self.world = world
        self.home = home
        self.figures = figures
        self.tenant = figures.tenant
        self._teller = teller
        self._materialize = materialize
        self._raw_tokens = 0

    def bring_in(self) -> None:
        """Generates, ingests, materializes."""
        with self._step("generate") as step:
            events = self._write_events(step.report)
            step.says(f"{events:,} events of {self.world.customers:,} customers over 30 days, in {EVENTS}")
        with self._step("ingest") as step, self._open() as plane:
            commit = self._ingest(plane, self.home.root / EVENTS, lambda count: step.report(count, events))
            assert commit.id is not None
            self.figures.events, self.figures.commit = events, commit.id
            newer = plane.builder(self.tenant).history.head - commit.id
            found = " (found in the log: this demo ran before)" if newer else ""
            step.says(f"commit {commit.id}: {commit.accepted:,} accepted, {commit.duplicates:,} duplicate{found}")
        self._build("materialize")

    def read(self) -> tuple[FirstPass, list[Pick]]:
        """Reads every customer's bundle, ranks, and measures."""
        with self._open() as plane:
            with self._step("read") as step:
                bundles = self._read_each(plane, step.report)
                step.says(f"{len(bundles):,} bundles, one call each")
            number = self.figures.commit
            if plane.builder(self.tenant).history.head > number:  # an earlier run brought the corrections already
                bundles = list(plane.bundles(self.tenant, SPEC, known_at=number))
            with self._step("rank") as step:
                picks = rank(bundles)
                quality = measure(picks, self.world.truth(), len(bundles))
                step.says(
                    f"{len(picks):,} customers to contact, {quality.hits:,} of {quality.planted:,} planted among them"
                )
            counts = [bundle.tokens for bundle in bundles]
            self.figures.quality = quality
            self.figures.tokens = Tokens(sum(counts), sum(counts) / len(counts), max(counts), self._raw_tokens)
            past = plane.bundle(self.tenant, picks[0].entity, SPEC, as_of=PAST, known_at=number)
            return FirstPass(number, by_entity(bundles), past.json), picks

    def answer(self, picks: Sequence[Pick]) -> None:
        """Asks for the context of the first picks under a budget, each with its receipt, and remembers the decision."""
        asked = picks[:ANSWERS]
        with self._step("answer") as step, self._open() as plane:
            plane.warm(self.tenant)
            times: list[float] = []
            tokens = 0
            for number, pick in enumerate(asked, 1):
                start = perf_counter()
                found = plane.context(self.tenant, pick.entity, GOAL, max_tokens=BUDGET)
                times.append(perf_counter() - start)
                tokens += found.tokens
                reasons = "; ".join(pick.reasons)
                plane.remember(
                    self.tenant, pick.entity, f"Contact about an upgrade: {reasons}", type="decision",
                    origin="demo", at=END - DAY, id=f"contact-{pick.entity.partition('/')[2]}",
                )  # fmt: skip
                step.report(number, len(asked))
            mean = sum(times) / len(times)
            self.figures.answers = Answers(len(asked), BUDGET, tokens / len(asked), mean * 1_000)
            step.says(f"{len(asked)} contexts of at most {BUDGET} tokens with receipts; as many decisions remembered")

    def prove(self, first: FirstPass, entity: str) -> None:
        """Corrections arrive, everything derived is deleted and built again, and bundles are compared."""
        late = list(corrections(self.world))
        with self._step("corrections") as step, self._open() as plane:
            commit = self._ingest(plane, late)
            step.says(f"commit {commit.id}: {len(late):,} late events on days gone by")
        with self._step("delete") as step:
            removed = self.home.forget()
            step.says(
                f"{removed.files:,} files, {removed.bytes / 1e6:,.1f} MB: everything but the log and its segments"
            )
        self._build("materialize again")
        with self._step("compare") as step, self._open() as plane:
            touched = {event["subject"] for event in late}
            self.figures.proof = proof = compare(plane, self.tenant, first, touched, (entity, PAST), removed)
            step.says(
                f"{proof.identical:,} of {proof.bundles:,} bundles are byte-identical,"
                f" {proof.replayed:,} of {proof.receipts:,} receipts replay equal"
            )

    def _ingest(self, plane: ContextPlane, events: Any, progress: Callable[[int], None] | None = None) -> Commit:
        """Ingests a batch under a name that says what is in it, so that a later run finds it."""
        from context_plane.log.outcome import RefusedBatch

        text = events.read_bytes() if isinstance(events, Path) else json.dumps(events).encode()
        batch = sha256(text).hexdigest()[:16]
        try:
            return plane.ingest(self.tenant, events, batch_id=batch, progress=progress)
        except RefusedBatch as error:
            raise InputError(
                "this home holds the events of another version of the demo",
                where=str(self.home.root),
                remedy="remove it, or name another with --home",
            ) from error

    def _build(self, title: str) -> None:
        with self._step(title) as step, self._open() as plane:
            self._materialize(plane, self.tenant, step.report)
            snapshot = plane.snapshot(self.tenant)
            if snapshot is None:
                step.says("nothing was published")
                return
            packs = snapshot.catalog.of(f"contexts/{SPEC}")
            rows = sum(pack.rows for pack in packs.values())
            step.says(f"snapshot {snapshot.number} up to commit {snapshot.log}: {rows:,} bundles in {len(packs)} packs")

    def _write_events(self, report: Report) -> int:
        from context_plane.ctx.tokens import counter

        count_tokens = counter()
        number = 0
        with open(self.home.root / EVENTS, "w", encoding="utf-8") as file:
            for number, event in enumerate(all_events(self.world), 1):
                line = json.dumps(event, ensure_ascii=False)
                self._raw_tokens += count_tokens(line)
                file.write(line + "\n")
                if not number & 4095:
                    report(number, None)
        return number

    def _read_each(self, plane: ContextPlane, report: Report) -> list[Bundle]:
        """Every bundle by a call of its own, as an agent would that works customer by customer."""
        entities = plane.entities(self.tenant, "customer")
        plane.bundle(self.tenant, entities[0], SPEC)  # opens the packs: what is measured is the warm path
        times: list[float] = []
        bundles: list[Bundle] = []
        failed = 0
        begin = perf_counter()
        for entity in entities:
            start = perf_counter()
            try:
                bundles.append(plane.bundle(self.tenant, entity, SPEC))
            except ContextPlaneError:
                failed += 1
            times.append(perf_counter() - start)
        total = perf_counter() - begin
        report(len(bundles), len(entities))
        start = perf_counter()
        for _ in plane.bundles(self.tenant, SPEC):
            pass
        stream = perf_counter() - start
        times.sort()
        p50, p99 = (times[int(len(times) * share)] * 1e6 for share in (0.5, 0.99))
        self.figures.reads = Reads(len(bundles), failed, total, p50, p99, stream)
        return bundles

    def _open(self) -> ContextPlane:
        """A plane that knows nothing of what earlier steps held in memory."""
        return ContextPlane.open(self.home.root, **self.home.overrides)

    @contextmanager
    def _step(self, title: str) -> Iterator[Step]:
        """A step of the teller that leaves its seconds in the figures."""
        start = perf_counter()
        with self._teller.step(title) as step:
            yield step
        self.figures.seconds[title.replace(" ", "_")] = perf_counter() - start
