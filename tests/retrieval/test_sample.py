"""What is measured of an index on a few of its own documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from context_plane.parts.part import GRAPH
from context_plane.retrieval.sample import sample_text, sample_vectors
from context_plane.retrieval.shards import near
from tests.retrieval.planes import materialize, opened
from tests.retrieval.test_slices import event


def test_of_equal_vectors_any_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of events may have one text, such as "labeled": which ten of them the graph finds is no matter."""
    monkeypatch.setattr(near, "LEAST", 100)
    with opened(tmp_path) as plane:
        same = [{**event(number), "data": {"text": "labeled"}} for number in range(2_000, 2_600)]
        plane.ingest("acme", [event(number) for number in range(600)] + same)
        materialize(plane)
        snapshot: Any = plane.snapshot("acme")
        assert snapshot.catalog.of(GRAPH)
        sample = sample_vectors(plane.files, "acme", snapshot.catalog)
        assert sample.vectors == 1_200
        assert min(sample.recall.values()) >= 0.9
        assert max(sample.recall.values()) >= 0.98
        text = sample_text(plane.files, "acme", snapshot.catalog)
        assert text.documents == 1_200
        assert 0 < max(text.scores) <= 1
