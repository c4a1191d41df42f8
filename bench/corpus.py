"""A synthetic corpus for search: Zipf words, topics, skewed entities, vectors of low intrinsic dimension; fixed seed.

Searches go through `plane.search`, so the corpus is ingested as events; an embedder that knows the vector of each text
stands in for a model, whose speed and quality are measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from context_plane import ContextPlane
from context_plane.instants import format_instant

SEED: Final = 20_261_126
WORDS: Final = 50_000
TOPICS: Final = 200
ENTITIES: Final = 1_000
TENANT: Final = "bench"
START: Final = 1_767_225_600  # 2026-01-01
DAY: Final = 86_400
WINDOW: Final = (0, 100_000)


@dataclass(frozen=True)
class Corpus:
    """Texts with entity, time and vector, and queries of the same kind."""

    entity: np.ndarray
    time: np.ndarray
    """Seconds since 1970."""
    texts: list[str]
    vectors: np.ndarray
    query_texts: list[str]
    query_vectors: np.ndarray
    query_entity: np.ndarray
    query_time: np.ndarray

    def events(self, source: str = "bench") -> Iterator[dict[str, Any]]:
        """The texts as CloudEvents."""
        for row, text in enumerate(self.texts):
            yield {
                "specversion": "1.0",
                "id": str(row),
                "source": source,
                "type": "bench.note",
                "subject": entity(self.entity[row]),
                "time": format_instant(int(self.time[row]) * 1_000_000),
                "data": {"text": text},
            }


class Known:
    """An embedder that knows the vector of each text of a corpus."""

    weight = 0.3

    def __init__(self, corpus: Corpus) -> None:
        self.dimension = corpus.vectors.shape[1]
        self.id = f"bench/{len(corpus.texts)}/{self.dimension}"
        self._vectors = dict(zip(corpus.texts, corpus.vectors, strict=True))
        self._vectors.update(zip(corpus.query_texts, corpus.query_vectors, strict=True))

    def add(self, corpus: Corpus) -> None:
        """Knows the texts of another corpus too."""
        self._vectors.update(zip(corpus.texts, corpus.vectors, strict=True))

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """The vectors; zero for a text that is not of the corpus."""
        nothing = np.zeros(self.dimension, np.float32)
        return np.stack([self._vectors.get(text, nothing) for text in texts])


def entity(number: int) -> str:
    """Name of an entity."""
    return f"customer/c-{number:04d}"


def make(count: int, dimension: int, *, days: int = 30, queries: int = 400) -> Corpus:
    """A corpus of `count` texts of about 470 bytes."""
    rng = np.random.default_rng(SEED + count + dimension)
    words = _words()
    common = 1 / np.arange(1, WORDS + 1) ** 1.05
    common /= common.sum()
    vocabulary = np.stack([rng.choice(np.arange(200, 20_000), 300, replace=False) for _ in range(TOPICS)])
    often = 1 / np.arange(1, 301) ** 0.8
    often /= often.sum()
    share = 1 / np.arange(1, TOPICS + 1) ** 0.5
    topic = rng.choice(TOPICS, count, p=share / share.sum())
    lengths = rng.integers(40, 81, count)
    total = int(lengths.sum())
    tokens = rng.choice(WORDS, total, p=common)
    of_topic = rng.random(total) < 0.35
    owner = np.repeat(topic, lengths)
    tokens[of_topic] = vocabulary[owner[of_topic], rng.choice(300, int(of_topic.sum()), p=often)]
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    texts = [" ".join(words[tokens[a:b]]) for a, b in pairwise(bounds)]
    weights = np.random.default_rng(SEED + 1).lognormal(0, 0.8, ENTITIES)
    owners = rng.choice(ENTITIES, count, p=weights / weights.sum())
    time = START + rng.integers(0, days * DAY, count)
    vectors = _vectors(rng, topic, dimension)
    asked = rng.choice(count, queries, replace=False)
    noise = rng.normal(size=(queries, dimension)) * 0.6 / np.sqrt(dimension)
    query_texts = []
    for row in asked:
        own = np.unique(tokens[bounds[row] : bounds[row + 1]])
        query_texts.append(" ".join(words[rng.choice(own, rng.integers(3, 7), replace=False)]))
    query_vectors = _unit(vectors[asked] + noise)
    return Corpus(owners, time, texts, vectors, query_texts, query_vectors, owners[asked], time[asked])


def build(folder: Path, corpus: Corpus, *, publish: bool = True, **settings: Any) -> ContextPlane:
    """A plane over a home in which the corpus is ingested, materialized and published, kernels compiled."""
    plane = ContextPlane.open(folder, embedder="bench", **settings)
    plane._embedders["bench"] = Known(corpus)  # noqa: SLF001 - the one way to give it vectors instead of a model
    plane.ingest(TENANT, corpus.events())
    if publish:
        builder = plane.builder(TENANT)
        builder.timeline(WINDOW)
        builder.fulltext(WINDOW)
        builder.vectors(WINDOW)
        builder.publish()
    return plane


def _words() -> np.ndarray:
    rng = np.random.default_rng(SEED)
    consonants, vowels = list("bcdfghklmnprstvz"), list("aeiou")
    found: set[str] = set()
    while len(found) < WORDS:
        syllables = "".join(str(rng.choice(consonants)) + str(rng.choice(vowels)) for _ in range(rng.integers(2, 5)))
        found.add(syllables + (str(rng.choice(consonants)) if rng.random() < 0.5 else ""))
    ordered = sorted(found)
    rng.shuffle(ordered)
    return np.array(ordered, dtype=object)


def _vectors(rng: np.random.Generator, topic: np.ndarray, dimension: int) -> np.ndarray:
    """200 clusters, each of 16 dimensions within the space, and noise."""
    centres = _unit(rng.normal(size=(TOPICS, dimension)))
    spread = rng.normal(size=(TOPICS, 16, dimension)) * 0.35 / 4 / np.sqrt(dimension)
    found = centres[topic].astype(np.float32)
    for each in range(TOPICS):
        mine = np.flatnonzero(topic == each)
        found[mine] += 2.0 * (rng.normal(size=(len(mine), 16)) @ spread[each])
    found += (rng.normal(size=found.shape) * 0.25 / np.sqrt(dimension)).astype(np.float32)
    return _unit(found)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
