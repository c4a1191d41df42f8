"""Searches of planes that have loaded nothing, over a store where every request takes 10 ms.

The store is one in memory with a pause before each answer, so that what is measured is the plane and not a server.
Every plane has a home of its own: nothing is on its disk either. Libraries are imported and kernels compiled.
"""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from bench import corpus
from bench.clock import quantiles
from bench.corpus import TENANT, Corpus
from context_plane import ContextPlane

PAUSE: Final = 0.010
_TIMES: Final = 40


class Paused:
    """A store of which every request takes so much longer, and is counted by name and kind of key."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in ("url", "local", "sync", "path"):
            return found

        def paused(*given: Any) -> Any:
            with self._lock:
                self.counts[f"{name} {given[0].split('/')[2] if '/' in str(given[0]) else ''}"] += 1
            time.sleep(PAUSE)
            return list(found(*given)) if name == "list" else found(*given)

        return paused


def small(folder: Path) -> Iterator[dict[str, Any]]:
    """10,000 documents of 64 dimensions: the first search of a plane."""
    made = corpus.make(10_000, 64)
    yield from _first(folder, made, "hybrid, 10k x 64", lambda _: {})


def entity(folder: Path) -> Iterator[dict[str, Any]]:
    """100,000 documents of 384 dimensions: the first search of a plane, for one entity."""
    made = corpus.make(100_000, 384)
    yield from _first(
        folder, made, "hybrid, one entity of 100k x 384", lambda i: {"entity": corpus.entity(made.query_entity[i])}
    )


def _first(folder: Path, made: Corpus, what: str, filters: Callable[[int], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    store = f"memory://{uuid4().hex}"
    corpus.build(folder / "made", made, store=store).close()
    known = corpus.Known(made)
    counts: Counter[str] = Counter()

    planes: list[ContextPlane] = []

    def call(number: int) -> None:
        plane = ContextPlane.open(folder / uuid4().hex, store=store, embedder="bench")
        plane._embedders["bench"] = known  # noqa: SLF001 - as in `corpus.build`
        paused = Paused(plane.store)
        plane._store = paused  # type: ignore[assignment]  # noqa: SLF001
        plane.search(TENANT, made.query_texts[number], vector=made.query_vectors[number], **filters(number))
        counts.clear()
        counts.update(paused.counts)
        planes.append(plane)

    def tidy() -> None:
        while planes:
            planes.pop().close()

    for number in range(3):
        call(number)
    tidy()
    gc.collect()
    gc.freeze()  # else the corpus is gone through once or twice, which takes longer than a search
    yield {"what": f"{what}, first of a plane, 10 ms a request", **quantiles(call, _TIMES, between=tidy)}
    yield {"what": f"{what}: requests", **counts}
