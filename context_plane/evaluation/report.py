"""Reports: what one evaluation of a data set found, as it is kept.

Here belong the facts and their JSON. Laying them out for people is for doors and assets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from context_plane.evaluation.measures import NDCG, Interval, Means
from context_plane.instants import format_instant, parse_instant

FORMAT: Final = 1
PARTS: Final = ("bm25", "vector")
HYBRID: Final = "hybrid"


@dataclass(frozen=True)
class Figures:
    """What one mode of search achieved."""

    means: Means
    p50_ms: float
    """Milliseconds of a search, the query's embedding included."""
    p99_ms: float


@dataclass(frozen=True)
class Report:
    """One evaluation of one data set."""

    dataset: str
    sha256: str
    """Of the data set's files: figures of two are not to be compared."""
    at: int
    """When it began; wall clock, microseconds since 1970."""
    documents: int
    queries: int
    unknown_queries: int
    """Judged queries that the data set lacks: left out."""
    unknown_documents: int
    """Judged documents that the data set lacks: counted as not found."""
    embedder: str
    """Identity of the vectors; ``none`` where words alone were searched."""
    analyzer: str
    modes: Mapping[str, Figures]
    differences: Mapping[str, Means]
    """How far `hybrid` is ahead of each of its parts, paired by query."""
    seconds: float

    @property
    def shortfall(self) -> float:
        """How far `hybrid` is behind the better of its parts in nDCG@10; below 0 where it is ahead."""
        if HYBRID not in self.modes:
            return 0.0
        best = max(self.modes[part].means[NDCG].mean for part in PARTS)
        return best - self.modes[HYBRID].means[NDCG].mean

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the store."""
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "sha256": self.sha256,
            "at": format_instant(self.at),
            "documents": self.documents,
            "queries": self.queries,
            "unknown_queries": self.unknown_queries,
            "unknown_documents": self.unknown_documents,
            "embedder": self.embedder,
            "analyzer": self.analyzer,
            "modes": {
                mode: {"means": _means(each.means), "p50_ms": each.p50_ms, "p99_ms": each.p99_ms}
                for mode, each in self.modes.items()
            },
            "differences": {part: _means(each) for part, each in self.differences.items()},
            "seconds": self.seconds,
        }

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Report:
        """Reverse of `to_json`. Raises `KeyError`, `TypeError`, `ValueError` or `InputError` for what is none."""
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']!r}")
        modes = {
            mode: Figures(_intervals(each["means"]), each["p50_ms"], each["p99_ms"])
            for mode, each in raw["modes"].items()
        }
        differences = {part: _intervals(each) for part, each in raw["differences"].items()}
        rest = {name: value for name, value in raw.items() if name != "format"}
        return Report(**{**rest, "at": parse_instant(raw["at"]), "modes": modes, "differences": differences})


def _means(means: Means) -> dict[str, Any]:
    return {name: each.to_json() for name, each in means.items()}


def _intervals(raw: Mapping[str, Any]) -> dict[str, Interval]:
    return {name: Interval(**each) for name, each in raw.items()}
