"""The whole way over every kind of store: events in, bundles out, deleted and rebuilt, read by another plane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.retrieval.hit import Hit
from context_plane.store import keys
from tests.retrieval.oracle import Hashed

SPEC = """\
context: customer_v0
entity: customer
window: 9d
fields: {n: {count: true}, total: {sum: n}}
summary: {max_tokens: 40}
"""


def event(number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "source": "test",
        "type": "test.event",
        "subject": f"customer/{number % 7}",
        "time": f"2026-03-{1 + number % 5:02d}T{number % 24:02d}:00:00Z",
        "data": {"n": number, "text": f"Number {number}."},
    }


def home(root: Path) -> Path:
    (root / "contexts").mkdir(parents=True)
    (root / "contexts" / "customer_v0.yaml").write_text(SPEC)
    return root


def materialize(plane: ContextPlane) -> None:
    builder = plane.builder("acme")
    for window in builder.stale().windows("day"):
        builder.build(window)
    builder.publish()


def test_events_in_bundles_out(store_url: str, tmp_path: Path) -> None:
    """Ingest, materialize, read; more events from another plane; everything but the log deleted and built again."""
    with (
        ContextPlane.open(home(tmp_path / "one"), store=store_url, max_staleness=0) as one,
        ContextPlane.open(home(tmp_path / "two"), store=store_url, max_staleness=0) as two,
    ):
        assert one.ingest("acme", [event(n) for n in range(100)]).accepted == 100
        assert two.ingest("acme", [event(n) for n in range(50, 120)]).duplicates == 50
        materialize(two)
        expected = [bundle.json for bundle in one.bundles("acme", "customer_v0")]
        assert len(expected) == 7
        for folder in (keys.timeline_folder("acme"), keys.snapshots("acme"), f"{keys.tenant_prefix('acme')}contexts/"):
            for key in list(one.store.list(folder)):
                one.store.delete(key)
        one.close()
        materialize(one)
        assert [bundle.json for bundle in one.bundles("acme", "customer_v0")] == expected
        assert one.sql("acme", "SELECT count(*) AS n FROM events").to_pylist() == [{"n": 120}]


def test_events_in_hits_out(store_url: str, tmp_path: Path) -> None:
    """Ingest, materialize, search by words and by meaning from another plane, of which nothing is on disk: one entity
    first, then all, then what came since, and once more from what is on its disk by then."""
    questions: list[dict[str, Any]] = [
        {"entity": "customer/3"}, {}, {"mode": "vector"}, {"mode": "bm25", "since": "2026-03-04", "type": "test.*"},
        {"as_of": "2026-03-03"}, {"known_at": 1},
    ]  # fmt: skip

    def opened(name: str) -> ContextPlane:
        plane = ContextPlane.open(tmp_path / name, store=store_url, max_staleness=0, embedder="hashed")
        plane._embedders["hashed"] = Hashed()
        return plane

    def answers(plane: ContextPlane) -> list[list[Hit]]:
        return [plane.search("acme", "number 17", k=200, **question) for question in questions]

    with opened("one") as one:
        one.ingest("acme", [event(n) for n in range(100)])
        before = answers(one)
        assert [len(each) for each in before[:2]] == [14, 100]
        assert before[1][0].event_id == before[2][0].event_id == "17"
        builder = one.builder("acme")
        for window in builder.stale().windows("day"):
            builder.build(window)
        builder.publish()
        with opened("two") as two:
            assert answers(two) == before
            one.ingest("acme", [event(n) for n in range(100, 120)])
            now = answers(two)
            assert now == answers(one)
            assert [len(each) for each in now] == [17, 120, 120, 48, 72, 100]
    with opened("two") as two:
        two.warm("acme")
        assert answers(two) == now


def test_a_stale_read_is_bounded(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote store is asked again after `max_staleness`; a local one at every read, and one's own writes at once."""
    clock = [1_000.0]
    monkeypatch.setattr("context_plane.tenant.monotonic", lambda: clock[0])
    with (
        ContextPlane.open(home(tmp_path / "one"), store=store_url, max_staleness=60) as reader,
        ContextPlane.open(home(tmp_path / "two"), store=store_url) as writer,
    ):
        writer.ingest("acme", [event(0)])
        assert reader.bundle("acme", "customer/0").fields["n"] == 1
        writer.ingest("acme", [event(7)])
        assert reader.bundle("acme", "customer/0").fields["n"] == (2 if reader.store.local else 1)
        clock[0] += 61
        assert reader.bundle("acme", "customer/0").fields["n"] == 2
        reader.ingest("acme", [event(14)])
        assert reader.bundle("acme", "customer/0").fields["n"] == 3


def test_a_damaged_cached_part_is_fetched_again(store_url: str, tmp_path: Path) -> None:
    """What a remote store's cache holds is verified like everything else; the store has the good one."""
    with ContextPlane.open(home(tmp_path / "one"), store=store_url) as plane:
        plane.ingest("acme", [event(n) for n in range(20)])
        materialize(plane)
        if plane.store.local:
            return
        expected = [bundle.json for bundle in plane.bundles("acme", "customer_v0")]
    cached = sorted((tmp_path / "one" / "cache").rglob("*.pack"))
    assert cached
    body = cached[0].read_bytes()
    cached[0].write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    with ContextPlane.open(tmp_path / "one", store=store_url) as plane:
        assert [bundle.json for bundle in plane.bundles("acme", "customer_v0")] == expected
    assert cached[0].read_bytes() == body
