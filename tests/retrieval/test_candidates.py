"""An index larger than memory may hold is not loaded: LanceDB finds the candidates, and the answers are the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.config import CacheSettings
from context_plane.retrieval.building import lance
from context_plane.retrieval.cold import candidates
from context_plane.retrieval.hit import Hit
from tests.retrieval.oracle import Hashed
from tests.retrieval.planes import materialize, opened
from tests.retrieval.test_fold import erase
from tests.retrieval.test_slices import DAYS, WORDS, event

LARGE = CacheSettings(index_mb=1)


@pytest.fixture
def large(tmp_path: Path) -> Iterator[ContextPlane]:
    """A plane whose index is larger than it may be."""
    with opened(tmp_path, cache=LARGE) as plane:
        plane.ingest("acme", [event(number) for number in range(4_000)])
        materialize(plane)
        yield plane


@pytest.fixture
def roomy(large: ContextPlane) -> Iterator[ContextPlane]:
    """Another over the same home, that may load it."""
    with opened(large.settings.home) as plane:
        yield plane


def asked(plane: ContextPlane, seed: int, **more: Any) -> list[Hit]:
    """A search under filters chosen by a seed."""
    chosen = random.Random(seed)
    filters: dict[str, Any] = {}
    if chosen.random() < 0.3:
        filters["entity"] = [f"customer/{number}" for number in range(chosen.choice([3, 18]))]
    if chosen.random() < 0.2:
        filters["type"] = chosen.choice(["crm.*", "*.call", "none"])
    if chosen.random() < 0.2:
        filters["labels"] = "vip"
    if chosen.random() < 0.2:
        filters["since"] = chosen.choice(DAYS)
    if chosen.random() < 0.2:
        filters["as_of"] = chosen.choice(["2026-02-03T12:00:00Z", "2026-01-06", "2026-03-02T05:00:00Z"])
    query = " ".join(chosen.choices([*WORDS[:120], "unheard", "it's"], k=chosen.randint(1, 6)))
    mode: Any = chosen.choice(["bm25", "vector", "hybrid", "auto"])
    return plane.search("acme", query, mode=mode, k=chosen.choice([1, 10, 40]), **filters, **more)


def loaded(plane: ContextPlane) -> bool:
    return plane._searcher(plane._known("acme"))._loader.loaded


def test_the_best_are_those_of_the_index(
    large: ContextPlane, roomy: ContextPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the lists are much shorter than what the filters leave: scores, order and all."""
    monkeypatch.setattr(candidates, "_LISTED", 400)
    same = total = found = 0
    for seed in range(200):
        hits, wanted = asked(large, seed), asked(roomy, seed)
        total += 1
        same += hits == wanted
        found += len(hits)
    assert found > 1_000
    assert not loaded(large)
    assert loaded(roomy)
    assert same / total >= 0.99


def test_a_large_index_is_not_loaded_to_be_warm(large: ContextPlane) -> None:
    """What would be, is: tail, model and loops."""
    large.warm("acme")
    assert not loaded(large)
    assert large.search("acme", "word1")


def test_what_came_since_is_found_once(large: ContextPlane, roomy: ContextPlane) -> None:
    """Whether the table has it already or not."""
    large.ingest("acme", [event(number, "2026-03-03") for number in range(5_000, 5_100)])
    large.ingest("acme", [event(number, "2026-01-05") for number in range(6_000, 6_050)])
    for seed in range(300, 330):
        assert asked(large, seed) == asked(roomy, seed), seed
    large.builder("acme").vectors((0, 1 << 20))
    with opened(large.settings.home, cache=LARGE) as other:
        for seed in range(300, 330):
            assert asked(other, seed) == asked(roomy, seed), seed
        assert not loaded(other)


def test_an_older_state_of_the_log_is_not_what_the_table_holds(large: ContextPlane, roomy: ContextPlane) -> None:
    """A later event of the same day has a row too."""
    before = large.snapshot("acme")
    assert before is not None
    large.ingest("acme", [event(number, "2026-03-02") for number in range(5_000, 5_200)])
    materialize(large)
    for seed in range(400, 420):
        assert asked(large, seed, known_at=before.log) == asked(roomy, seed, known_at=before.log), seed


def test_what_was_erased_is_not_found(large: ContextPlane) -> None:
    """Nor does the table keep it, once its day is built again."""
    word = "unmistakable"
    large.ingest("acme", [{**event(9_999, "2026-02-03"), "data": {"text": word}}])
    materialize(large)
    [hit] = large.search("acme", word, mode="bm25")
    erase(large, hit.entity)
    assert large.search("acme", word, mode="bm25") == []
    materialize(large)
    assert large.search("acme", word, mode="bm25") == []
    table = lance.open_table(large.store, "acme", lance.table_name(Hashed().id))
    assert table is not None
    assert table.count_rows(f"text = '{word}'") == 0
    assert not loaded(large)


def test_a_table_that_was_not_made_fit_is_not_asked(tmp_path: Path) -> None:
    """A home that was built with room for its index is searched by one without."""
    with opened(tmp_path) as roomy, opened(tmp_path, cache=LARGE) as large:
        roomy.ingest("acme", [event(number) for number in range(4_000)])
        materialize(roomy)
        for seed in range(5):
            assert asked(large, seed) == asked(roomy, seed)
        assert loaded(large)


def test_either_index_may_be_built_first(tmp_path: Path) -> None:
    """Whichever comes second makes the table fit; clusters of vectors are chosen anew when there are twice as many."""
    with opened(tmp_path, cache=LARGE) as large, opened(tmp_path) as roomy:
        for first, count in ((0, 3_000), (3_000, 9_000)):
            large.ingest("acme", [event(number) for number in range(first, count)])
            builder = large.builder("acme")
            builder.timeline((0, 1 << 20))
            builder.vectors((0, 1 << 20))
            builder.fulltext((0, 1 << 20))
            builder.publish()
            table = lance.open_table(large.store, "acme", lance.table_name(Hashed().id))
            assert table is not None
            assert [each.name for each in table.list_indices() if each.columns == ["vector"]] == [f"vector_{count}"]
        for seed in range(600, 620):
            assert asked(large, seed) == asked(roomy, seed)
        assert not loaded(large)


def test_new_declarations_make_new_terms(large: ContextPlane, roomy: ContextPlane) -> None:
    """Without embedding anything again."""
    embedder: Any = large._embedders["hashed"]
    (large.settings.home / "plane.toml").write_text('analyzer = "german"\n')
    with opened(large.settings.home, cache=LARGE) as german:
        embedder = german._embedders["hashed"]
        materialize(german)
        assert embedder.embedded == []
        with opened(large.settings.home) as other:
            for seed in range(500, 520):
                assert asked(german, seed) == asked(other, seed)
        assert not loaded(german)
    assert asked(large, 501) == asked(roomy, 501)
