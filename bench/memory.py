"""Memory as large as the seed's practitioner has it (001, 7.4): 50,000 nodes among 500,000 embeddings.

Nodes are texts of the search corpus, in chains of some twelve; ``BENCH_MEMORY`` sets another number of embeddings, of
which a tenth are nodes. Everything goes through the façade.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import corpus
from bench.clock import quantiles, stopwatch, timed
from bench.corpus import TENANT, WINDOW, Corpus
from context_plane import ContextPlane
from context_plane.memory.nodes.node import TYPES

_EMBEDDINGS: Final = 500_000
_DIMENSION: Final = 64
_BATCH: Final = 5_000
_LINKED: Final = 0.92
"""The share of nodes that are linked with the one before about the same entity."""
_KINDS: Final = ("supersedes", "refines", "refines", "caused_by", "caused_by")
_HOPS: Final = 10
_TOLD: Final = 300
_TAIL: Final = 1_000


def practitioner(folder: Path) -> Iterator[dict[str, Any]]:
    """Recall, walks and remembering, with everything materialized and with a fresh tail."""
    size = int(os.environ.get("BENCH_MEMORY", _EMBEDDINGS))
    made = corpus.make(size, _DIMENSION)
    nodes = _nodes(made, size // 10)
    with ContextPlane.open(folder / "home", embedder="bench") as plane:
        plane._embedders["bench"] = corpus.Known(made)  # noqa: SLF001 - as in `corpus.build`
        with stopwatch() as ingested:
            plane.ingest(TENANT, (event for row, event in enumerate(made.events()) if row >= len(nodes)))
        with stopwatch() as told:
            for start in range(0, len(nodes), _BATCH):
                plane.remember_many(TENANT, nodes[start : start + _BATCH])
        with stopwatch() as built:
            _build(plane)
        yield {
            "what": f"{size:,} embeddings, {len(nodes):,} of them nodes", "ingest_s": round(ingested.seconds, 1),
            "remember_s": round(told.seconds, 1), "materialize_s": round(built.seconds, 1),
        }  # fmt: skip
    with ContextPlane.open(folder / "home", embedder="bench") as plane:
        plane._embedders["bench"] = corpus.Known(made)  # noqa: SLF001
        plane.warm(TENANT)
        with stopwatch() as loaded:
            count = len(plane.nodes(TENANT, superseded=True))
        yield {"what": "memory loaded by a new process", "ms": round(loaded.seconds * 1_000), "nodes": count}
        yield from _asked(plane, made, nodes, "")
        yield {"what": "remember, durable", **quantiles(lambda i: _tell(plane, made, i), _TOLD)}
        for number in range(_TAIL - _TOLD):
            _tell(plane, made, _TOLD + number)
        yield from _asked(plane, made, nodes, f", {_TAIL:,} nodes in the tail")


def _asked(plane: ContextPlane, made: Corpus, nodes: list[dict[str, Any]], how: str) -> Iterator[dict[str, Any]]:
    texts, vectors = made.query_texts, made.query_vectors
    one = [corpus.entity(each) for each in made.query_entity]
    yield timed(f"recall, all nodes{how}", lambda i: plane.recall(TENANT, texts[i], vector=vectors[i]))
    yield timed(f"recall, one entity{how}", lambda i: plane.recall(TENANT, texts[i], entity=one[i], vector=vectors[i]))
    yield timed(f"recall, by words{how}", lambda i: plane.recall(TENANT, texts[i], mode="bm25"))
    yield timed(f"search of events beside them{how}", lambda i: plane.search(TENANT, texts[i], vector=vectors[i]))
    starts = [each["id"] for each in reversed(nodes) if len(each) > 5][:460]
    walked = [len(plane.chain(TENANT, each, depth=_HOPS).steps) for each in starts]
    figures = timed(
        f"walk of {_HOPS} hops back{how}", lambda i: plane.chain(TENANT, starts[i % len(starts)], depth=_HOPS)
    )
    yield {**figures, "steps_mean": round(float(np.mean(walked)), 1), "steps_most": max(walked)}


def _nodes(made: Corpus, count: int) -> list[dict[str, Any]]:
    """The first texts as nodes, in order of time, most linked with the one before about their entity."""
    rng = np.random.default_rng(corpus.SEED)
    last: dict[str, str] = {}
    found = []
    for row in np.argsort(made.time[:count], kind="stable").tolist():
        entity, id_ = corpus.entity(made.entity[row]), f"n-{row}"
        node: dict[str, Any] = {
            "entity": entity, "content": made.texts[row], "type": TYPES[int(rng.integers(len(TYPES)))], "id": id_,
            "at": int(made.time[row]) * 1_000_000,
        }  # fmt: skip
        if entity in last and rng.random() < _LINKED:
            node[_KINDS[int(rng.integers(len(_KINDS)))]] = last[entity]
        last[entity] = id_
        found.append(node)
    return found


def _tell(plane: ContextPlane, made: Corpus, number: int) -> None:
    entity = corpus.entity(made.query_entity[number % len(made.query_entity)])
    plane.remember(TENANT, entity, f"{made.query_texts[number % len(made.query_texts)]} {number}", type="decision")


def _build(plane: ContextPlane) -> None:
    builder = plane.builder(TENANT)
    builder.build(WINDOW)
    builder.publish()
