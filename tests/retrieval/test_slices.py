"""One entity of a remote tenant is found by reading ranges: the answers are those of the whole index."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from context_plane import ContextPlane
from context_plane.errors import Corrupt
from context_plane.retrieval.cold import ranged, slices
from context_plane.retrieval.hit import Hit
from context_plane.retrieval.shards.arrays import read_sums
from tests.retrieval.planes import materialize, opened

DAYS = ["2026-01-05", "2026-01-06", "2026-02-03", "2026-02-04", "2026-03-01", "2026-03-02"]
WORDS = [f"word{number}" for number in range(400)]


def event(number: int, day: str | None = None) -> dict[str, Any]:
    chosen = random.Random(number)
    text = " ".join(chosen.choices(WORDS, [1 / (1 + at) for at in range(len(WORDS))], k=chosen.randint(0, 30)))
    return {
        "specversion": "1.0", "id": f"n{number}", "source": "crm" if number % 3 else "mail",
        "type": "crm.note" if number % 4 else "crm.call", "subject": f"customer/{number * number % 23}",
        "time": f"{day or DAYS[number % 6]}T{number % 24:02d}:00:{number % 60:02d}Z",
        "labels": ["vip"] if number % 5 == 0 else [], "data": {"text": text},
    }  # fmt: skip


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[ContextPlane]:
    """A plane that has built and loaded everything."""
    with opened(tmp_path / "warm", store=f"memory://{uuid4().hex}") as plane:
        plane.ingest("acme", [event(number) for number in range(1_500)])
        materialize(plane)
        yield plane


@pytest.fixture
def cold(warm: ContextPlane, tmp_path: Path) -> Iterator[ContextPlane]:
    """Another on the same store, of which nothing is on disk."""
    with opened(tmp_path / "cold", store=warm.settings.store) as plane:
        yield plane


@pytest.fixture
def by_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are small here: as if they were large."""
    monkeypatch.setattr(slices, "_SMALL", 256)
    monkeypatch.setattr(ranged, "_WHOLE", 0)
    monkeypatch.setattr(ranged, "_LEAD", 2_048)


def loaded(plane: ContextPlane) -> bool:
    """Whether the plane has an index, or any part."""
    searcher = plane._searcher(plane._known("acme"))
    return searcher._loader.loaded or bool(plane.files._verified) or bool(plane.files._bodies)


def asked(plane: ContextPlane, seed: int, **more: Any) -> list[Hit]:
    """A search for a few entities, chosen by a seed."""
    chosen = random.Random(seed)
    filters: dict[str, Any] = {"entity": [f"customer/{chosen.randrange(26)}" for _ in range(chosen.randint(1, 4))]}
    if chosen.random() < 0.3:
        filters["type"] = chosen.choice(["crm.*", "*.call", "none"])
    if chosen.random() < 0.3:
        filters["labels"] = "vip"
    if chosen.random() < 0.3:
        filters["since"] = chosen.choice(DAYS)
    query = " ".join(chosen.choices([*WORDS[:60], "unheard"], k=chosen.randint(1, 6)))
    mode: Any = chosen.choice(["bm25", "vector", "hybrid", "auto"])
    return plane.search("acme", query, mode=mode, k=chosen.choice([1, 10, 500]), **filters, **more)


@pytest.mark.usefixtures("by_pieces")
def test_the_answers_are_those_of_the_whole_index(warm: ContextPlane, cold: ContextPlane) -> None:
    """Scores, ties and all: the statistics are those of the tenant."""
    found = 0
    for seed in range(150):
        hits = asked(cold, seed)
        assert hits == asked(warm, seed), seed
        found += len(hits)
    assert found > 1_000
    assert not loaded(cold)


def test_small_parts_are_read_whole(warm: ContextPlane, cold: ContextPlane) -> None:
    """With one request each."""
    before = asked(warm, 7)
    assert asked(cold, 7) == before
    parts = cold._searcher(cold._known("acme"))._unloaded._reader._opened
    assert cold.files.requests["requests"] == len(parts)


@pytest.mark.usefixtures("by_pieces")
def test_what_came_since_is_found_too(warm: ContextPlane, cold: ContextPlane) -> None:
    """And an erased event is not."""
    warm.ingest("acme", [event(number, "2026-03-03") for number in range(2_000, 2_100)])
    warm.ingest("acme", [event(number, "2026-01-05") for number in range(3_000, 3_050)])
    for seed in range(200, 240):
        assert asked(cold, seed) == asked(warm, seed), seed
    assert not loaded(cold)


@pytest.mark.usefixtures("by_pieces")
def test_who_asks_again_waits_for_nothing(cold: ContextPlane) -> None:
    """What was read is kept."""
    first = cold.search("acme", "word1 word2", entity="customer/1")
    requests = cold.files.requests["requests"]
    assert cold.search("acme", "word1 word2", entity="customer/1") == first
    assert cold.files.requests["requests"] == requests


@pytest.mark.usefixtures("by_pieces")
def test_a_search_of_an_entity_takes_few_rounds(cold: ContextPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a wait for the store."""
    rounds = []
    ranges = cold.files.ranges

    def counted(spans: Any) -> Any:
        rounds.append(spans)
        return ranges(spans)

    monkeypatch.setattr(cold.files, "ranges", counted)
    cold.search("acme", "word1 word2", entity="customer/1")
    assert len(rounds) <= 4


def test_an_entity_that_is_not_there_is_not_found(cold: ContextPlane) -> None:
    """Nor is one whose name sorts last."""
    assert cold.search("acme", "word1", entity="nobody") == []
    assert cold.search("acme", "word1", entity=["\U0010ffff", "customer/1"])


def test_a_cut_within_the_parts_needs_the_parts(warm: ContextPlane, cold: ContextPlane) -> None:
    """Because how many documents there were then is in no head."""
    assert asked(cold, 3, as_of="2026-02-03") == asked(warm, 3, as_of="2026-02-03")
    assert loaded(cold)


@pytest.mark.usefixtures("by_pieces")
def test_whoever_goes_on_gets_the_index(cold: ContextPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once ranges have cost as much as the parts weigh."""
    monkeypatch.setattr(ranged, "_KEPT", 0)
    answers = {seed: asked(cold, seed) for seed in range(5)}
    for _ in range(200):
        for seed, answer in answers.items():
            assert asked(cold, seed) == answer
        if loaded(cold):
            break
    searcher = cold._searcher(cold._known("acme"))
    searcher.warm(cold._known("acme").view())
    assert {seed: asked(cold, seed) for seed in range(5)} == answers


@pytest.mark.usefixtures("by_pieces")
@pytest.mark.parametrize("damaged", ["head", "block"])
@pytest.mark.parametrize("kind", ["fulltext", "vector"])
def test_a_damaged_range_is_an_error(warm: ContextPlane, cold: ContextPlane, kind: str, damaged: str) -> None:
    """That names the object; never another answer."""
    key = max(
        (key for key in warm.store.list(f"tenants/acme/indexes/{kind}/") if key.endswith(".arrays")),
        key=lambda key: warm.store.head(key) or 0,
    )
    body = bytearray(warm.store.get(key))
    _, begins, _ = read_sums(bytes(body), key)
    for at in range(16, begins, 97) if damaged == "head" else range(begins, len(body), 97):
        body[at] ^= 1
    warm.store.delete(key)
    warm.store.put_content([(key, bytes(body))])
    with pytest.raises(Corrupt) as error:
        cold.search("acme", " ".join(WORDS[:20]), entity=[f"customer/{number}" for number in range(16)])
    assert error.value.where == key
    assert damaged in error.value.what
    assert "materialize" in error.value.remedy
