"""What many shards, a large index and the building of one cost.

`daily`: 1,600 days of events, compacted as materialization leaves them, beside the same events within 30 days.
`resident`: memory of a process that has loaded an index and searched it, beside the bytes of the arrays.
`large`: the same index with no memory for it, by candidates from LanceDB. `rates`: documents and texts a second.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench import corpus
from bench.clock import stopwatch, timed
from bench.corpus import TENANT, Corpus
from bench.search import hybrid
from context_plane import ContextPlane
from context_plane.config import CacheSettings

_DAYS: Final = 1_600


def daily(folder: Path) -> Iterator[dict[str, Any]]:
    """50,000 documents of 64 dimensions in 1,600 days, and in 30."""
    made = corpus.make(50_000, 64)
    spread = replace(made, time=corpus.START + (made.time - corpus.START) * _DAYS // 30)
    for name, each in (("1,600 days", spread), ("30 days", made)):
        home = folder / name.replace(",", "").replace(" ", "-")
        with stopwatch() as watch:
            corpus.build(home, each).close()
        yield {"what": f"build, 50k x 64 in {name}", "seconds": round(watch.seconds, 1)}
        with ContextPlane.open(home, embedder="bench") as plane:
            plane._embedders["bench"] = corpus.Known(each)  # noqa: SLF001 - as in `corpus.build`
            with stopwatch() as watch:
                hybrid(plane, each)(0)
            yield {"what": f"first search, {name}", "ms": round(watch.seconds * 1_000)}
            plane.warm(TENANT)
            yield timed(f"hybrid, 50k x 64 in {name}", hybrid(plane, each))


def large(folder: Path) -> Iterator[dict[str, Any]]:
    """100,000 documents of 384 dimensions, with 1 MiB for the index and with room for it."""
    made = corpus.make(100_000, 384)
    small, known = CacheSettings(index_mb=1), corpus.Known(made)
    with stopwatch() as watch:
        corpus.build(folder / "home", made, cache=small).close()
    yield {"what": "build, 100k x 384, the table made fit for candidates", "seconds": round(watch.seconds, 1)}
    planes = {}
    for name, cache in (("candidates", small), ("index", CacheSettings())):
        planes[name] = plane = ContextPlane.open(folder / "home", embedder="bench", cache=cache)
        plane._embedders["bench"] = known  # noqa: SLF001 - as in `corpus.build`
        plane.warm(TENANT)
    modes: tuple[Any, ...] = ("bm25", "vector", "hybrid")
    for mode in modes:
        found, same = 0, 0
        for number in range(200):
            asked = {"mode": mode, "vector": None if mode == "bm25" else made.query_vectors[number]}
            pair = [
                [hit.event_id for hit in planes[name].search(TENANT, made.query_texts[number], **asked)]
                for name in ("candidates", "index")
            ]
            found += len(set(pair[0]) & set(pair[1]))
            same += pair[0] == pair[1]
        yield {"what": f"{mode}: candidates against index", "top 10 shared": found / 2_000, "equal": same / 200}
    yield timed("hybrid, 100k x 384, candidates", hybrid(planes["candidates"], made), 200)
    for plane in planes.values():
        plane.close()


def resident(folder: Path) -> Iterator[dict[str, Any]]:
    """100,000 documents of 384 dimensions in a process of its own."""
    made = corpus.make(100_000, 384)
    corpus.build(folder / "home", made).close()
    small = replace(made, texts=[], vectors=made.vectors[:0])  # the queries
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        yield pool.apply(_searched, (folder / "home", small, len(made.texts)))


def _searched(home: Path, made: Corpus, count: int) -> dict[str, Any]:
    """What a process takes more after its searches than before it loaded anything."""
    known = corpus.Known(made)
    known.id = f"bench/{count}/{known.dimension}"
    with ContextPlane.open(home, embedder="bench") as plane:
        plane._embedders["bench"] = known  # noqa: SLF001 - as in `corpus.build`
        plane.search(TENANT, "nothing", entity="nobody", mode="bm25")
        before = _rss()
        plane.warm(TENANT)
        call = hybrid(plane, made)
        for number in range(len(made.query_texts)):
            call(number)
        took = _rss() - before
        state = plane._known(TENANT)  # noqa: SLF001
        base, _ = plane._searcher(state)._current(state.view())  # noqa: SLF001
        arrays = sum(index.shard.nbytes + index.vectors.nbytes for index in base.indexes)  # type: ignore[union-attr]
        graph = base.indexes[0].graph
        arrays += 0 if graph is None else graph.nbytes  # type: ignore[attr-defined]
    return {
        "what": "resident, 100k x 384",
        "MB": took >> 20,
        "arrays_MB": arrays >> 20,
        "ratio": round(took / arrays, 2),
    }


def _rss() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def rates(_: Path) -> Iterator[dict[str, Any]]:
    """A full-text shard of 20,000 documents, and the default embedder on their texts, on one core."""
    from context_plane.retrieval.embedders import open_embedder
    from context_plane.retrieval.shards import fulltext
    from context_plane.retrieval.text.analysis import Analyzer
    from context_plane.retrieval.text.documents import Document

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    made = corpus.make(20_000, 8)
    found = sorted(
        Document(corpus.entity(e), int(t), "bench", str(row), "note", (), text, text, "", 0)
        for row, (e, t, text) in enumerate(zip(made.entity, made.time, made.texts, strict=True))
    )
    with stopwatch() as watch:
        shard = fulltext.build(found, Analyzer("english"))
    with stopwatch() as written:
        shard.encode({})
    rate = round(len(found) / (watch.seconds + written.seconds))
    yield {"what": "bm25 shard, 20,000 documents of 470 bytes, one core", "documents_per_second": rate}
    embedder = open_embedder("wordllama")
    embedder.embed(made.texts[:64])
    with stopwatch() as watch:
        embedder.embed(made.texts)
    yield {"what": "wordllama, 20,000 texts of 470 bytes, one core", "texts_per_second": round(20_000 / watch.seconds)}
