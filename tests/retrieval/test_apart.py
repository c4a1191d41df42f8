"""What was compacted and the days since are searched as two indexes, until one of them is worth its price."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.retrieval.hit import Hit
from context_plane.retrieval.hot import base as bases
from context_plane.retrieval.hot import loading
from context_plane.retrieval.hot.base import Base
from context_plane.retrieval.shards import merging
from tests.retrieval.planes import materialize, opened

QUERIES = ["alpha note 4", "note", "beta 17", "alpha", "unknown"]


def event(number: int, day: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"n{number}", "source": "crm", "type": "crm.note",
        "subject": f"customer/{number % 5}", "time": f"{day}T10:00:{number % 60:02d}Z",
        "data": {"text": f"{'alpha' if number % 3 else 'beta'} note {number}"},
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with two months that are over and two days of a third."""
    days = ["2026-01-05", "2026-01-06", "2026-02-03", "2026-02-04", "2026-03-01", "2026-03-02"]
    with opened(tmp_path) as plane:
        plane.ingest("acme", [event(number, days[number % 6]) for number in range(60)])
        materialize(plane)
    return tmp_path


def answers(plane: ContextPlane) -> list[list[Hit]]:
    return [
        plane.search("acme", query, mode=mode, entity=entity, as_of=as_of)  # type: ignore[arg-type]
        for query in QUERIES
        for mode in ("bm25", "vector", "hybrid")
        for entity in (None, "customer/1")
        for as_of in (None, "2026-02-03")
    ]


def base_of(plane: ContextPlane) -> Base:
    state = plane._known("acme")
    return plane._searcher(state)._current(state.view())[0]


def settle() -> None:
    for thread in threading.enumerate():
        if thread.name == "load-index":
            thread.join(30)


def test_two_indexes_answer_as_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same order, ties too."""
    monkeypatch.setattr(bases, "_SECOND", 0.0)
    with opened(home) as plane:
        apart = answers(plane)
        assert [index.rows for index in base_of(plane).indexes] == [40, 20]
        plane.warm("acme")
        assert [index.rows for index in base_of(plane).indexes] == [60]
        assert answers(plane) == apart


def test_the_next_process_finds_them_merged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(home) as plane:
        plane.warm("acme")
    monkeypatch.setattr(merging, "merge", None)
    with opened(home) as plane:
        assert plane.search("acme", "alpha")
        assert len(base_of(plane).indexes) == 1


def test_they_are_merged_when_searches_have_cost_as_much(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "_SECOND", 60 * bases._MERGED / 9.5)
    with opened(home) as plane:
        for _ in range(9):
            plane.search("acme", "alpha")
        settle()
        assert len(base_of(plane).indexes) == 2
        for _ in range(2):
            plane.search("acme", "alpha")
        settle()
        assert len(base_of(plane).indexes) == 1


def test_merging_that_fails_leaves_two(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "_SECOND", 1.0)
    with opened(home) as plane:
        monkeypatch.setattr(loading.Loader, "merge", None)
        before = plane.search("acme", "alpha")
        for _ in range(5):
            assert plane.search("acme", "alpha") == before
            settle()
        assert len(base_of(plane).indexes) == 2


def test_a_new_snapshot_keeps_what_was_compacted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the days since are read again."""
    monkeypatch.setattr(bases, "_SECOND", 0.0)
    with opened(home) as plane:
        first = base_of(plane).indexes[0]
        plane.ingest("acme", [event(61, "2026-03-03")])
        materialize(plane)
        plane.search("acme", "alpha")
        settle()
        indexes = base_of(plane).indexes
        assert [index.rows for index in indexes] == [40, 21]
        assert indexes[0].shard is first.shard
        assert [hit.event_id for hit in plane.search("acme", "61", mode="bm25")] == ["n61"]


def test_many_days_since_are_merged_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_APART", 5)
    with opened(home) as plane:
        assert [index.rows for index in base_of(plane).indexes] == [60]
