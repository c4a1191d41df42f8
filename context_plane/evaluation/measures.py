"""Measures of ranked lists, and how sure one may be of their means.

Here belongs arithmetic alone. nDCG is that of trec_eval and BEIR: the gain of a document is its judgement, the discount
log2 of its rank plus one, and the ideal ranks all that is judged, found or not. Intervals are those of the percentile
bootstrap over queries: with one seed, so that the same figures have the same interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

DEPTH: Final = 10
"""How many hits of a query count."""
NDCG: Final = "nDCG@10"
NAMES: Final = (NDCG, "recall@10", "MRR@10")
RESAMPLES: Final = 2_000
_SEED: Final = 0
_TAILS: Final = (2.5, 97.5)
_DIGITS: Final = 6


@dataclass(frozen=True)
class Interval:
    """A mean over queries, and the 95 % interval that it lies in."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_json(self) -> dict[str, float]:
        """As evaluations are kept."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


Means = Mapping[str, Interval]
"""By the name of a measure."""


def of_query(ranked: Sequence[str], judged: Mapping[str, int]) -> tuple[float, float, float]:
    """The measures of one ranked list of ids, in the order of `NAMES`; each lies in [0, 1].

    `judged` has at least one document with a judgement above 0: these are the relevant ones.
    """
    return ndcg(ranked, judged), recall(ranked, judged), reciprocal_rank(ranked, judged)


def ndcg(ranked: Sequence[str], judged: Mapping[str, int]) -> float:
    """Normalised discounted cumulative gain of the first ten."""
    ideal = sorted((score for score in judged.values() if score > 0), reverse=True)
    return _gain([max(0, judged.get(each, 0)) for each in ranked]) / _gain(ideal)


def _gain(scores: Sequence[int]) -> float:
    return sum(score / log2(rank + 1) for rank, score in enumerate(scores[:DEPTH], 1))


def recall(ranked: Sequence[str], judged: Mapping[str, int]) -> float:
    """Share of the relevant documents that are among the first ten."""
    relevant = {each for each, score in judged.items() if score > 0}
    return len(relevant.intersection(ranked[:DEPTH])) / len(relevant)


def reciprocal_rank(ranked: Sequence[str], judged: Mapping[str, int]) -> float:
    """One divided by the rank of the first relevant document; 0 where none is among the first ten."""
    return next((1 / rank for rank, each in enumerate(ranked[:DEPTH], 1) if judged.get(each, 0) > 0), 0.0)


def means(values: Array) -> dict[str, Interval]:
    """Means with their intervals. `values` is f64[queries, measures]; of differences of two modes, paired by query."""
    import numpy as np

    random, count = np.random.default_rng(_SEED), len(values)
    resampled = np.stack([values[random.integers(0, count, count)].mean(axis=0) for _ in range(RESAMPLES)])
    low, high = np.percentile(resampled, _TAILS, axis=0)
    columns = zip(NAMES, values.mean(axis=0).tolist(), low.tolist(), high.tolist(), strict=True)
    return {name: Interval(*(round(each, _DIGITS) for each in figures)) for name, *figures in columns}
