"""Search through `plane.search`, beside bare array loops and LanceDB on the same vectors and texts.

One caller, 400 queries after 60 that are not counted (100 where LanceDB filters); p50 and p99. The floor is what no
search can do without: for vectors every dot product in numpy and the ten highest, for an entity the same over its
slice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import corpus, others
from bench.clock import QUERIES, quantiles, stopwatch, timed
from bench.corpus import DAY, ENTITIES, TENANT, Corpus
from context_plane import ContextPlane
from context_plane.instants import format_instant

_SUSTAINED: Final = 2_000
_TAIL: Final = 10_000
_COLD: Final = 20


def small(folder: Path) -> Iterator[dict[str, Any]]:
    """10,000 documents, 64 dimensions: text, vector, hybrid; LanceDB and numpy on the same; a first search."""
    made = corpus.make(10_000, 64)
    with stopwatch() as watch:
        plane = corpus.build(folder / "10k", made)
    yield {"what": "build, 10k x 64", "seconds": round(watch.seconds, 1)}
    plane.warm(TENANT)
    with plane:
        yield timed("text, 10k", lambda i: plane.search(TENANT, made.query_texts[i], mode="bm25"))
        yield timed("vector, 10k x 64", _vector(plane, made))
        yield timed("vector, numpy", _numpy(made))
        yield timed("hybrid, 10k", hybrid(plane, made))
    yield from others.text(made)
    lance = others.Lance(folder / "lance", made)
    yield timed("vector, 10k x 64, LanceDB", lance.vector)
    yield timed("text, 10k, LanceDB", lance.text)
    yield timed("hybrid, 10k, LanceDB", lance.hybrid)
    yield _cold(folder / "10k", made)


def vectors(folder: Path) -> Iterator[dict[str, Any]]:
    """100,000 documents, 100 dimensions: vectors, with the recall of what is found."""
    made = corpus.make(100_000, 100)
    with corpus.build(folder / "100k100", made) as plane:
        plane.warm(TENANT)
        yield timed("vector, 100k x 100", _vector(plane, made))
        yield timed("vector, numpy", _numpy(made))
        yield {"what": "recall@10 of the graph", "recall": _recall(plane, made)}


def filters(folder: Path) -> Iterator[dict[str, Any]]:
    """100,000 documents, 384 dimensions: hybrid under every filter, two threads, and a fresh tail."""
    made = corpus.make(100_000, 384)
    with corpus.build(folder / "100k384", made) as plane:
        with stopwatch() as watch:
            plane.warm(TENANT)
        yield {"what": "load, 100k x 384", "ms": round(watch.seconds * 1_000)}
        for name, kept in _filters(made).items():
            yield timed(f"hybrid, 100k x 384, {name}", hybrid(plane, made, kept))
        yield timed("numpy, one entity's slice", _slice(made))
        yield _sustained("hybrid, 100k x 384, two threads", hybrid(plane, made))
        yield _open_loop("hybrid, 100k x 384, 40 requests/s", hybrid(plane, made))
        lance = others.Lance(folder / "lance", made)
        for name, kept in _filters(made).items():
            yield timed(f"hybrid, 100k x 384, {name}, LanceDB", lance.filtered(kept), 100)
        yield _sustained("hybrid, 100k x 384, two threads, LanceDB", lance.hybrid, 200)
        yield _open_loop("hybrid, 100k x 384, 40 requests/s, LanceDB", lance.hybrid)
        late = corpus.make(_TAIL, 384)
        plane._embedders["bench"].add(late)  # type: ignore[attr-defined]  # noqa: SLF001
        plane.ingest(TENANT, late.events(source="late"))
        with stopwatch() as watch:
            plane.search(TENANT, made.query_texts[0], vector=made.query_vectors[0])
        yield {"what": f"first search after {_TAIL:,} events", "ms": round(watch.seconds * 1_000)}
        yield timed(f"hybrid with a tail of {_TAIL:,}", hybrid(plane, made))
        yield timed("one entity with that tail", hybrid(plane, made, _filters(made)["1 entity"]))


def hybrid(plane: ContextPlane, made: Corpus, kept: Sequence[dict[str, Any]] | None = None) -> Callable[[int], Any]:
    """A hybrid search for each query, under its filters."""
    return lambda i: plane.search(
        TENANT, made.query_texts[i], vector=made.query_vectors[i], **(kept[i] if kept else {})
    )


def _vector(plane: ContextPlane, made: Corpus) -> Callable[[int], Any]:
    return lambda i: plane.search(TENANT, "", vector=made.query_vectors[i], mode="vector")


def _filters(made: Corpus) -> dict[str, list[dict[str, Any]]]:
    """By name, the filters of each query: its own entity among others, the days from its own on."""

    def entities(number: int, count: int) -> dict[str, Any]:
        others = np.random.default_rng(number).choice(ENTITIES, count - 1, replace=False)
        return {"entity": [corpus.entity(each) for each in (made.query_entity[number], *others)]}

    def days(number: int, count: int) -> dict[str, Any]:
        first = int(made.query_time[number]) // DAY * DAY
        since, until = (format_instant(each * 1_000_000) for each in (first, first + count * DAY))
        return {"since": since, "until": until}

    def of(make: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
        return [make(number) for number in range(QUERIES)]

    return {
        "no filter": [{} for _ in range(QUERIES)],
        "1 entity": of(lambda i: entities(i, 1)),
        "50 entities": of(lambda i: entities(i, 50)),
        "500 entities": of(lambda i: entities(i, 500)),
        "1 day": of(lambda i: days(i, 1)),
        "7 days": of(lambda i: days(i, 7)),
        "50 entities, 7 days": of(lambda i: entities(i, 50) | days(i, 7)),
        "500 entities, 1 day": of(lambda i: entities(i, 500) | days(i, 1)),
    }


def _numpy(made: Corpus) -> Callable[[int], Any]:
    return lambda i: np.argpartition(made.vectors @ made.query_vectors[i], -10)[-10:]


def _slice(made: Corpus) -> Callable[[int], Any]:
    order = np.lexsort((made.time, made.entity))
    held, bounds = made.vectors[order], np.searchsorted(made.entity[order], np.arange(ENTITIES + 1))
    of = made.query_entity
    return lambda i: np.sort(held[bounds[of[i]] : bounds[of[i] + 1]] @ made.query_vectors[i])[-10:]


def _recall(plane: ContextPlane, made: Corpus) -> float:
    found = 0
    for number in range(QUERIES):
        exact = np.argsort(-(made.vectors @ made.query_vectors[number]))[:10]
        hits = plane.search(TENANT, "", vector=made.query_vectors[number], mode="vector")
        found += len({str(each) for each in exact} & {hit.event_id for hit in hits})
    return round(found / (10 * QUERIES), 4)


def _sustained(what: str, call: Callable[[int], Any], count: int = _SUSTAINED) -> dict[str, Any]:
    """Searches a second of two threads without a pause."""

    def work() -> None:
        for number in range(count):
            call(number % QUERIES)

    threads = [threading.Thread(target=work) for _ in range(2)]
    with stopwatch() as watch:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return {"what": what, "queries_per_second": round(2 * count / watch.seconds)}


def _open_loop(what: str, call: Callable[[int], Any]) -> dict[str, Any]:
    """Searches that come 40 a second at random, whether those before are answered or not; from when one came."""
    due = np.cumsum(np.random.default_rng(corpus.SEED).exponential(1 / 40, 800))
    took = np.zeros(len(due))
    began = time.perf_counter()

    def work(number: int) -> None:
        call(number % QUERIES)
        took[number] = time.perf_counter() - began - due[number]

    with ThreadPoolExecutor(8) as pool:
        for number, at in enumerate(due.tolist()):
            time.sleep(max(0.0, began + at - time.perf_counter()))
            pool.submit(work, number)
    p50, p99 = np.quantile(took * 1e6, [0.5, 0.99]).round(1).tolist()
    return {"what": what, "p50_us": p50, "p99_us": p99, "max_us": round(float(took.max()) * 1e6, 1)}


def _cold(home: Path, made: Corpus) -> dict[str, Any]:
    """A search by a plane that has loaded nothing, its files in the system's cache and its libraries imported."""

    def call(number: int) -> None:
        with ContextPlane.open(home, embedder="bench") as plane:
            plane._embedders["bench"] = known  # noqa: SLF001 - as in `corpus.build`
            plane.search(TENANT, made.query_texts[number], vector=made.query_vectors[number])

    known = corpus.Known(made)
    call(0)
    return {"what": "hybrid, 10k, first of a plane", **quantiles(call, _COLD)}
