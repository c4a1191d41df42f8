"""What a search should return, computed from the definitions, one event at a time: nothing is shared with the code.

The definitions are those of `docs/retrieval.md`: BM25 in Lucene's form without its constant factor, neighbours as a
field whose words count a half, a quarter, … by distance, cosines as the mean with those of neighbours under the same
weights, fusion by the question's bound. Events at or after the cut do not exist.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

DIMENSION = 16
K1, B, WEIGHT = 1.2, 0.75, 0.2


class Hashed:
    """An embedder for tests: words have random vectors, a text the sum of its words'."""

    dimension = DIMENSION
    weight = WEIGHT

    def __init__(self, name: str = "a") -> None:
        self.id = f"hashed/{name}/{DIMENSION}"
        self._name = name
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors; zero for a text without words."""
        self.embedded += texts
        return np.stack([self._vector(text) for text in texts]) if texts else np.zeros((0, DIMENSION), np.float32)

    def _vector(self, text: str) -> np.ndarray:
        total = np.zeros(DIMENSION)
        for word in re.findall(r"\w+", text.lower()):
            seed = int.from_bytes(hashlib.sha256(f"{self._name}/{word}".encode()).digest()[:8], "little")
            total += np.random.default_rng(seed).normal(size=DIMENSION)
        length = np.linalg.norm(total)
        return (total / length if length else total).astype(np.float32)


@dataclass(frozen=True)
class Note:
    """An event as the oracle knows it; `words` are already terms."""

    id: str
    source: str
    entity: str
    at: int
    type: str = "crm.note"
    labels: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    chain: str | None = None
    reach: tuple[int, int] = (0, 0)

    @property
    def text(self) -> str:
        """Its own text."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Asked:
    """A search."""

    words: tuple[str, ...]
    mode: str = "hybrid"
    k: int = 10
    entities: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    since: int | None = None
    until: int | None = None
    cut: int = 1 << 60


@dataclass
class Oracle:
    """All events, searched by brute force."""

    notes: list[Note]
    embedder: Hashed
    _near: dict[str, list[tuple[float, Note]]] = field(default_factory=dict)

    def search(self, asked: Asked) -> list[tuple[str, float, float, float]]:
        """(id, score, bm25, cosine) of every event that could be a hit, the best first."""
        known = sorted((n for n in self.notes if n.at < asked.cut), key=_order)
        near = {n.id: _neighbours(n, known) for n in known}
        spans = {n.id: len(n.words) + len(n.beside) + sum(w * len(m.words) for w, m in near[n.id]) for n in known}
        mean = sum(spans.values()) / len(known) if known else 0.0
        counts = {n.id: Counter([*n.words, *n.beside]) for n in known}
        weights = {}
        for word, times in Counter(asked.words).items():
            frequency = sum(word in counts[n.id] for n in known)
            weights[word] = times * math.log(1 + (len(known) - frequency + 0.5) / (frequency + 0.5))
        bound = sum(weights.values())
        query = self.embedder.embed([" ".join(asked.words)])[0].astype(float)
        vectors = {n.id: self.embedder.embed([n.text])[0].astype(float) for n in known}
        found = []
        for n in known:
            if not _fits(n, asked):
                continue
            bm25 = 0.0
            for word, weight in weights.items():
                tf = counts[n.id][word] + sum(w * m.words.count(word) for w, m in near[n.id])
                bm25 += weight * tf / (tf + K1 * (1 - B + B * spans[n.id] / mean)) if tf else 0.0
            shares = 1 + sum(w for w, _ in near[n.id])
            cosine = (vectors[n.id] @ query + sum(w * (vectors[m.id] @ query) for w, m in near[n.id])) / shares
            found.append((n, _score(asked.mode, bm25, cosine, bound, bool(query.any())), bm25, cosine))
        if asked.mode == "vector" and not query.any():
            return []
        lexical = asked.mode == "bm25" or (asked.mode == "hybrid" and not query.any())
        if lexical:
            found = [each for each in found if each[2] > 0]
        found.sort(key=lambda each: (-each[1], _order(each[0])))
        return [(n.id, score, bm25, cosine) for n, score, bm25, cosine in found]


def _score(mode: str, bm25: float, cosine: float, bound: float, vector: bool) -> float:
    if mode == "bm25" or (mode == "hybrid" and not vector):
        return bm25
    if mode == "vector":
        return cosine
    return (1 - WEIGHT) * (bm25 / bound if bound else 0.0) + WEIGHT * cosine


def _order(note: Note) -> tuple[str, int, str, str]:
    return (note.entity, note.at, note.source, note.id)


def _neighbours(note: Note, known: list[Note]) -> list[tuple[float, Note]]:
    if note.chain is None:
        return []
    chain = [n for n in known if (n.chain, n.entity, n.source) == (note.chain, note.entity, note.source)]
    at = chain.index(note)
    before = [(0.5**step, chain[at - step]) for step in range(1, note.reach[0] + 1) if at - step >= 0]
    after = [(0.5**step, chain[at + step]) for step in range(1, note.reach[1] + 1) if at + step < len(chain)]
    return before + after


def _fits(note: Note, asked: Asked) -> bool:
    if asked.entities is not None and note.entity not in asked.entities:
        return False
    if asked.types is not None and not any(
        re.fullmatch(g.replace(".", r"\.").replace("*", ".*"), note.type) for g in asked.types
    ):
        return False
    if asked.labels is not None and not set(asked.labels) & set(note.labels):
        return False
    return (asked.since is None or note.at >= asked.since) and (asked.until is None or note.at < asked.until)
