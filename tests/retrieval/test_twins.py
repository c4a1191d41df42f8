"""Events with the same vector: one of them is in the graph, all of them are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.retrieval.scoring import search
from context_plane.retrieval.shards.twins import Twins, firsts, hashes
from tests.retrieval.oracle import Hashed
from tests.retrieval.planes import materialize, opened
from tests.retrieval.test_slices import WORDS, event


@given(kinds=st.lists(st.integers(0, 6), min_size=1, max_size=60), asked=st.lists(st.integers(0, 59), max_size=8))
def test_all_of_a_vector_are_found_by_any(kinds: list[int], asked: list[int]) -> None:
    """Each once; and the first of each stands for it."""
    vectors = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)[kinds]
    hashed = hashes(vectors)
    assert len(set(hashed.tolist())) == len(set(kinds))
    assert firsts(hashed).tolist() == sorted(kinds.index(kind) for kind in set(kinds))
    rows = np.array(sorted({at % len(kinds) for at in asked}), np.int32)
    wanted = {kinds[row] for row in rows.tolist()}
    found = Twins(hashed).of(rows).tolist()
    assert sorted(found) == [row for row, kind in enumerate(kinds) if kind in wanted]


def test_repeats_do_not_hide_what_lies_behind_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 9,000 events 6,000 have one of three texts; what is found by meaning is what comparing all would find."""
    monkeypatch.setattr(search.Search, "_astray", lambda *_: False)  # which would compare all, where it noticed
    texts = [f"{WORDS[n % len(WORDS)]} {WORDS[n * 7 % len(WORDS)]} note {n}" for n in range(9_000)]
    texts = [f"{WORDS[n % 3]} closed" if n % 3 else text for n, text in enumerate(texts)]
    with opened(tmp_path) as plane:
        plane.ingest("acme", [{**event(n), "data": {"text": text}} for n, text in enumerate(texts)])
        materialize(plane)
        plane.warm("acme")
        embedder = Hashed()
        vectors = embedder.embed(texts).astype(float)
        searched = [*texts[1:3], *(texts[n] for n in range(0, 900, 30))]
        for text in searched:
            exact = np.sort(vectors @ embedder.embed([text])[0].astype(float))[::-1][:10]
            hits = plane.search("acme", text, mode="vector")
            assert np.allclose([hit.score for hit in hits], exact, atol=2e-6)
        (index,) = plane._searcher(plane._known("acme"))._last[1].indexes  # type: ignore[index]
        assert index.twins is not None
        assert len(index.ungraphed) == 0
        assert len(index.graph) == len(set(texts))  # type: ignore[arg-type]
        plane.ingest("acme", [{**event(n), "data": {"text": texts[n % 9]}} for n in range(9_000, 9_040)])
        materialize(plane)
        assert len(plane.search("acme", texts[1], mode="vector", k=2_100)) == 2_100
