"""Evaluation: one spec, some events, any instants → bundles.

Here belongs running what `compile` wrote over events that were loaded once, and which entities an instant concerns.
Everything that a bundle says is decided by the spec, the events and the instant: neither the order in which events come
nor batches, threads and files show in a byte of it. Where events come from and bundles go to is the business of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from context_plane.bundles.compile import compile_spec
from context_plane.bundles.loaded import Loaded, Span
from context_plane.bundles.outputs import Expressions, field_values
from context_plane.bundles.prepared import Prepared
from context_plane.bundles.render import BodyWriter, values_at
from context_plane.bundles.summary import Source, summarize
from context_plane.bundles.timelines import read, schema
from context_plane.errors import InputError
from context_plane.instants import DAY, day_of
from context_plane.sql.engine import connect

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.bundles.spec import ContextSpec

FOREVER: Final = (1 << 63) - 1
"""`Evaluated.valid_through` of a bundle that only a new event can change."""

_BATCH_ENTITIES: Final = 4_096
_BATCH_EVENTS: Final = 262_144

_compiled = lru_cache(maxsize=64)(compile_spec)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One entity's bundle at the instant asked for."""

    entity: str
    body: bytes
    """The bundle's canonical JSON behind its first key: the text after ``{"as_of":"…",``."""
    version: str
    tokens: int
    count: int
    """Events in the spec's widest window."""
    valid_through: int
    """The last instant (microseconds) at which the body is the same if no new event arrives; else `FOREVER`."""


class Evaluator:
    """Evaluates one spec of one tenant over the events loaded last. Owns a database: close it. Not safe for threads."""

    def __init__(self, spec: ContextSpec, tenant: str, threads: int | None = None) -> None:
        self.spec = spec
        self._program = _compiled(spec)
        fields = [output.field.name for output in self._program.outputs] + [each.name for each in self._program.derived]
        self._where = f"context {spec.name}"
        self._writer = BodyWriter(spec.name, tenant, fields)
        self._con = connect(threads=threads)
        # Expressions: a division by zero is null, like everything else that has no value.
        self._con.execute("SET ieee_floating_point_ops = false; SET error_on_division_by_zero = false")
        self._extract = Prepared(self._con, "events", schema(), self._program.extract, self._where)
        self._totals: Prepared | None = None
        self._expressions = Expressions(self._con, self._program, spec) if self._program.derive else None
        self._loaded: Loaded | None = None

    def load(self, events: pa.Table | Sequence[Path], extra: pa.Table | None = None, entity: str | None = None) -> None:
        """Extracts what the spec needs from timeline rows (a table, or Parquet files) and `extra` rows, replacing what
        was loaded before. With `entity` only that entity's events.

        Raises `Corrupt` where the rows are not a timeline, `Infeasible` where they do not fit into memory.
        """
        self._loaded = None
        rows = read(events, extra, self.spec.entity, entity)
        self._loaded = Loaded(self._extract.table(rows), self._program)

    def entities(self, before: int) -> list[str]:
        """The entities with an event before the instant, sorted by code point."""
        loaded = self._events()
        return [loaded.names[code] for code in np.flatnonzero(loaded.ends(before) > loaded.starts[:-1])]

    def changed(self, since: int | None, until: int) -> list[str]:
        """The entities whose bundle can differ between the two instants, because an event entered or left a window;
        with `since=None` all entities at `until`. Sorted by code point."""
        if since is None:
            return self.entities(until)
        windows = [window for window in self.spec.windows if window is not None]
        return self._events().touched([(since, until), *((since - w, until - w) for w in windows)])

    def evaluate(self, instant: int, entities: Sequence[str] | None = None) -> Iterator[Evaluated]:
        """The bundles at an instant, sorted by entity: of the entities given, each once, also where nothing happened
        to them; by default of all with an event before the instant.

        Raises `InputError` for an entity of another type.
        """
        loaded = self._events()
        names = self.entities(instant) if entities is None else sorted(set(entities))
        for name in names if entities is not None else ():
            if not name.startswith(f"{self.spec.entity}/"):
                remedy = f"ask for an entity {self.spec.entity}/…"
                raise InputError(f"{name[:80]!r} is not a {self.spec.entity}", where=self._where, remedy=remedy)
        bounds = {window: None if window is None else instant - window for window in self.spec.windows}
        starts = {w: loaded.starts[:-1] if low is None else loaded.ends(low) for w, low in bounds.items()}
        ends = loaded.ends(instant)
        codes = np.array([loaded.code(name) for name in names], dtype=np.int64)
        done = 0
        while done < len(names):
            span = Span.of(codes[done : done + _BATCH_ENTITIES], ends, starts, self.spec.longest)
            fitting = int(np.searchsorted(np.cumsum(span.counts), _BATCH_EVENTS)) + 1
            if fitting < len(span.codes):
                span = Span.of(span.codes[:fitting], ends, starts, self.spec.longest)
            yield from self._batch(loaded, span, names[done : done + len(span.codes)])
            done += len(span.codes)

    def close(self) -> None:
        """Frees the database and the events."""
        self._loaded = None
        self._con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _events(self) -> Loaded:
        if self._loaded is None:
            raise InputError("no events are loaded", where=self._where, remedy="call load() first")
        return self._loaded

    def _batch(self, loaded: Loaded, span: Span, names: Sequence[str]) -> Iterator[Evaluated]:
        columns = list(zip(*self._aggregate(loaded, span), strict=True))
        values = field_values(self._program.outputs, columns, loaded, span)
        if self._expressions is not None:
            values += self._expressions.values(values, len(names))
        written = [values[index] for index in self._writer.order]
        fields = zip(*written, strict=True) if written else repeat((), len(names))
        summaries = self._summaries(loaded, columns, len(names))
        places = zip(span.low.tolist(), span.high.tolist(), span.valid_through(loaded.times, FOREVER), strict=True)
        for name, row, summary, (low, high, valid) in zip(names, fields, summaries, places, strict=True):
            body, version, tokens = self._writer.body(name, row, summary, high - low, loaded.digests(low, high))
            yield Evaluated(name, body, version, tokens, high - low, valid)

    def _aggregate(self, loaded: Loaded, span: Span) -> list[tuple[Any, ...]]:
        """One row an entity of the batch, in its order; nulls for those without events in the widest window."""
        narrower = [span.lows[window] for window in self.spec.windows[:-1]]
        facts = loaded.facts(span.low, span.high, narrower)
        if self._totals is None:
            self._totals = Prepared(self._con, "batch", facts.schema, self._program.aggregate, self._where)
        found = {row[0]: row for row in self._totals.rows(facts)} if len(facts) else {}
        empty = (None,) * (1 + self._program.width)
        return [found.get(code, empty) for code in span.codes.tolist()]

    def _summaries(self, loaded: Loaded, columns: Sequence[Sequence[Any]], entities: int) -> list[str | None]:
        spec, at = self.spec.summary, self._program.summary
        if spec is None or at is None:
            return [None] * entities
        picked = [sorted(places or ()) for places in columns[at.at]]
        flat = [place for places in picked for place in places]
        types = values_at(loaded.table["type"], flat)
        texts = values_at(loaded.table[at.text], flat)
        sources = map(Source, map(_day, (loaded.times[flat] // DAY).tolist()), types, texts)
        return [summarize([next(sources) for _ in places], spec.max_tokens) for places in picked]


@lru_cache(maxsize=4_096)
def _day(day: int) -> str:
    return day_of(day * DAY).isoformat()
