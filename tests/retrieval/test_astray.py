"""A graph that never gets to where the query is: what it finds is not believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from context_plane import ContextPlane
from context_plane.retrieval.scoring import search
from tests.retrieval.oracle import Hashed
from tests.retrieval.planes import materialize, opened
from tests.retrieval.test_slices import WORDS, event


class Astray:
    """Finds what is farthest from the query, until it is asked for many."""

    def __init__(self, keys: np.ndarray, vectors: np.ndarray, until: int) -> None:
        self._keys, self._vectors, self._until = keys, vectors, until
        self.asked: list[int] = []

    def near(self, query: np.ndarray, count: int) -> np.ndarray:
        """Keys of the farthest, or of the nearest."""
        self.asked.append(count)
        order = np.argsort(self._vectors @ query, kind="stable")
        return self._keys[order[::-1][:count] if count >= self._until else order[:count]]


@pytest.mark.parametrize("until", [0, 101, 10**9])
@pytest.mark.parametrize("mode", ["vector", "hybrid"])
def test_what_the_graph_finds_is_compared_with_rows_at_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Any, until: int
) -> None:
    """It is asked for more, and then done without: the answers are those of comparing all."""
    with opened(tmp_path) as plane:
        plane.ingest("acme", [event(number) for number in range(1_500)])
        materialize(plane)
        plane.warm("acme")
        queries = [" ".join(WORDS[number : number + 3]) for number in range(0, 60, 3)]
        wanted = [plane.search("acme", query, mode=mode) for query in queries]
        graph = _give(plane, until)
        monkeypatch.setattr(search.Search, "_few", lambda *_: False)
        assert [plane.search("acme", query, mode=mode) for query in queries] == wanted
        assert (max(graph.asked) > 100) == (until > 0)


def _give(plane: ContextPlane, until: int) -> Astray:
    """Gives the loaded index a graph."""
    state = plane._known("acme")
    base, _ = plane._searcher(state)._current(state.view())
    [index] = base.indexes
    assert index.vectors is not None
    graph = Astray(index.a["key"], index.vectors, until)
    index.graph = graph
    assert Hashed.dimension == index.vectors.shape[1]
    return graph
