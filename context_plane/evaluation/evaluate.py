"""Evaluates a data set by the way a user goes: ingest, materialize, search, on a plane that is thrown away.

Here belong the order of steps and the clock. The plane has the home's embedder, analyzer and limits, and lies in a
temporary folder: nothing of a data set ever reaches the home's own tenants.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from context_plane.config import Settings
from context_plane.errors import InputError
from context_plane.evaluation.dataset import MAPPING, Dataset, Query
from context_plane.evaluation.measures import DEPTH, means, of_query
from context_plane.evaluation.report import HYBRID, PARTS, Figures, Report
from context_plane.instants import now
from context_plane.log.outcome import RefusedBatch
from context_plane.plane import ContextPlane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from context_plane.retrieval.searcher import Asked

    Array = NDArray[Any]

_TENANT: Final = "quality"
_DIGITS: Final = 3


@dataclass(frozen=True)
class _Asked:
    """What the queries were answered with in one mode."""

    values: Array
    """f64[queries, measures]."""
    milliseconds: Array
    """f64[queries]."""


def evaluate(dataset: Dataset, settings: Settings) -> Report:
    """What search finds of a data set with the settings of a home, of which only the data's place is not used.

    Raises `InputError` for a document that no event can be made of, and what opening the embedder raises.
    """
    at, began = now(), perf_counter()
    with _throw_away(dataset, settings) as plane:
        _build(plane, dataset)
        embedder = plane.embedder()
        modes: tuple[Asked, ...] = ("bm25",) if embedder is None else ("bm25", "vector", "hybrid")
        found = {mode: _ask(plane, dataset, mode) for mode in modes}
    return Report(
        dataset=dataset.name,
        sha256=dataset.sha256,
        at=at,
        documents=len(dataset.documents),
        queries=len(dataset.queries),
        unknown_queries=dataset.unknown_queries,
        unknown_documents=dataset.unknown_documents,
        embedder="none" if embedder is None else embedder.id,
        analyzer=settings.analyzer,
        modes={mode: _figures(each) for mode, each in found.items()},
        differences={part: means(found[HYBRID].values - found[part].values) for part in PARTS if HYBRID in found},
        seconds=round(perf_counter() - began, _DIGITS),
    )


@contextmanager
def _throw_away(dataset: Dataset, settings: Settings) -> Iterator[ContextPlane]:
    """A plane like the home's in a folder of its own, with the data set's mapping among its sources."""
    with tempfile.TemporaryDirectory(prefix="quality-") as folder:
        home = Path(folder)
        sources = home / "sources"
        sources.mkdir()
        if dataset.mapping is not None:
            shutil.copy(dataset.mapping.document.where, sources / MAPPING)
        own = replace(settings, home=home, store=str(home / "store"), start=None)
        with ContextPlane(own) as plane:
            yield plane


def _build(plane: ContextPlane, dataset: Dataset) -> None:
    """Ingests and materializes the corpus, and loads what the first search would wait for."""
    lines: list[int] = []
    try:
        plane.ingest(_TENANT, _counted(dataset, lines))
    except RefusedBatch as error:
        first = error.commit.rejected[0]
        where = f"{dataset.corpus}:{lines[first.line - 1]}"
        raise InputError(first.reason, where=where, remedy="correct the document") from error
    builder = plane.builder(_TENANT)
    for window in builder.stale().windows(builder.grain):
        builder.timeline(window)
        builder.search(window)
    builder.publish()
    plane.warm(_TENANT)


def _counted(dataset: Dataset, lines: list[int]) -> Iterator[dict[str, Any]]:
    """The events; notes the line of each, because ingest counts items."""
    for line, event in dataset.events():
        lines.append(line)
        yield event


def _ask(plane: ContextPlane, dataset: Dataset, mode: Asked) -> _Asked:
    import numpy as np

    values: list[Sequence[float]] = []
    milliseconds: list[float] = []
    for query in dataset.queries:
        began = perf_counter()
        ranked = _ranked(plane, dataset, query, mode)
        milliseconds.append((perf_counter() - began) * 1_000)
        values.append(of_query(ranked, query.judged))
    return _Asked(np.array(values), np.array(milliseconds))


def _ranked(plane: ContextPlane, dataset: Dataset, query: Query, mode: Asked) -> list[str]:
    """Ids of the hits. A query that is itself a document is no answer to itself: BEIR leaves it out too."""
    itself = query.id in dataset.documents
    hits = plane.search(_TENANT, query.text, entity=query.entity, mode=mode, k=DEPTH + itself)
    return [hit.event_id for hit in hits if hit.event_id != query.id][:DEPTH]


def _figures(asked: _Asked) -> Figures:
    import numpy as np

    p50, p99 = np.percentile(asked.milliseconds, (50, 99)).tolist()
    return Figures(means(asked.values), round(p50, _DIGITS), round(p99, _DIGITS))
