"""Memory nodes as parts: of days that have such, equal to what the log states, with a table that has their vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from context_plane import ContextPlane
from context_plane.memory.nodes import kind, part
from context_plane.parts.part import LINKS, MEMORY
from context_plane.retrieval.building.lance import open_table
from tests.memory.chains.test_parts import DAY, EVERYTHING, START, erase, event
from tests.retrieval.oracle import Hashed


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ContextPlane]:
    with opened(tmp_path, f"memory://{uuid4().hex}", "hashed") as made:
        made.ingest("acme", [event(n, START + n * DAY, "customer/a", f"note {n}") for n in range(4)])
        yield made


def opened(home: Path, store: str, embedder: str) -> ContextPlane:
    plane = ContextPlane.open(home, store=store, max_staleness=0, embedder=embedder)
    plane._embedders = {"hashed": Hashed(), "other": Hashed("other")}  # type: ignore[dict-item]
    return plane


def materialize(plane: ContextPlane, days: tuple[int, int] = EVERYTHING) -> None:
    builder = plane.builder("acme")
    builder.build(days)
    builder.publish()


def remember(plane: ContextPlane, text: str, day: int, **more: Any) -> str:
    """A node of noon of a day; its id."""
    at = START + day * DAY + DAY // 2
    return plane.remember("acme", "customer/a", text, type="decision", at=at, **more).id


def days(plane: ContextPlane) -> list[int]:
    """Days after the first that have a part of memory."""
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    return [day - START // DAY for day in snapshot.catalog.of(MEMORY)]


def shown(plane: ContextPlane, **cut: Any) -> list[dict[str, Any]]:
    """All nodes, what is superseded among them, as a process sees them that has read nothing yet."""
    plane._tenants.clear()
    return [node.to_json() for node in plane.nodes("acme", superseded=True, **cut)]


def rows(plane: ContextPlane) -> dict[str, dict[str, Any]]:
    table = open_table(plane.store, "acme", kind.TABLE)
    assert table is not None
    return {row["key"]: row for row in table.to_arrow().to_pylist()}


def test_only_days_with_memory_have_a_part(plane: ContextPlane) -> None:
    """And a tenant without any has none, and no table; days without are not waited for."""
    materialize(plane)
    assert days(plane) == []
    assert open_table(plane.store, "acme", kind.TABLE) is None
    remember(plane, "one", 2)
    plane.ingest("acme", [event(10, START + DAY, "customer/a", "late")])
    assert plane.builder("acme").stale().memory == {
        MEMORY: (START // DAY + 2,), LINKS: (START // DAY + 1, START // DAY + 2)
    }  # fmt: skip
    materialize(plane)
    assert days(plane) == [2]
    assert not plane.builder("acme").stale()
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    assert snapshot.log == 3


def test_nodes_are_the_same_from_parts_and_from_the_log(plane: ContextPlane) -> None:
    """Before, between and after builds of some days and all, cut and known before, and after an erasure."""
    first = remember(plane, "one", 0)
    second = remember(plane, "two", 1, supersedes=first)
    told = [shown(plane), shown(plane, as_of=START + DAY), shown(plane, known_at=2)]
    assert [len(each) for each in told] == [2, 1, 1]
    materialize(plane, (START // DAY, START // DAY))
    assert [shown(plane), shown(plane, as_of=START + DAY), shown(plane, known_at=2)] == told
    materialize(plane)
    assert [shown(plane), shown(plane, as_of=START + DAY), shown(plane, known_at=2)] == told
    remember(plane, "three", 1, refines=second)
    plane.link("acme", first, "led_to", second, at=START + 3 * DAY)
    now = shown(plane)
    assert len(now) == 3
    materialize(plane)
    assert shown(plane) == now
    assert days(plane) == [0, 1, 3]
    erase(plane, "customer/a")
    assert shown(plane) == []
    materialize(plane)
    assert shown(plane) == []
    assert rows(plane) == {}


def test_bytes_do_not_depend_on_order(plane: ContextPlane) -> None:
    """And the checks of a day say so."""
    ids = [remember(plane, f"text {n}", n % 2) for n in range(5)]
    plane.link("acme", ids[0], "led_to", ids[1], at=START)
    events = plane._known("acme").view().events()
    shuffled = events.take(Random(1).sample(range(len(events)), len(events)))
    assert part.encode(part.rows_of(shuffled), {}) == part.encode(part.rows_of(events), {})
    assert kind.check(events, part.rows_of(events)) == {"row_count": True, "deterministic": True}
    assert kind.check(events, part.rows_of(events.slice(0, 3)))["row_count"] is False


def test_the_table_has_vectors_of_the_model(tmp_path: Path) -> None:
    """Those of another model take their place; a builder without a model leaves the column empty."""
    store = f"memory://{uuid4().hex}"
    with opened(tmp_path, store, "hashed") as plane:
        one = remember(plane, "alpha beta", 0)
        materialize(plane)
        vector = Hashed().embed(["alpha beta"])[0]
        assert np.allclose(rows(plane)[one]["vector"], vector)
        assert (rows(plane)[one]["text"], rows(plane)[one]["type"]) == ("alpha beta", "decision")
        table = open_table(plane.store, "acme", kind.TABLE)
        assert table is not None
        (found,) = table.search(vector, vector_column_name="vector").limit(1).to_list()
        assert found["key"] == one
        other = plane.store
    with opened(tmp_path, store, "none") as plane:
        plane._store = other
        two = remember(plane, "gamma", 0)
        materialize(plane)
        assert rows(plane)[two]["vector"] is None
        assert len(rows(plane)) == 2
    with opened(tmp_path, store, "longer") as plane:
        plane._store = other
        longer = Longer("longer")
        plane._embedders["longer"] = longer  # type: ignore[assignment]
        three = remember(plane, "kappa", 3)
        materialize(plane)
        assert len(rows(plane)) == 3
        for id_, text in ((one, "alpha beta"), (two, "gamma"), (three, "kappa")):
            assert np.allclose(rows(plane)[id_]["vector"], longer.embed([text])[0])


class Longer(Hashed):
    """A model of twice as many numbers."""

    dimension = 2 * Hashed.dimension

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        short = super().embed(texts)
        return np.concatenate([short, short], axis=1) / np.float32(np.sqrt(2))


def test_edges_have_a_table_too(plane: ContextPlane) -> None:
    """Those that were told with their nodes and those told later; what is erased leaves it."""
    first = remember(plane, "monthly", 1)
    second = remember(plane, "annual", 2, supersedes=first)
    plane.link("acme", second, "refines", first, at=START + 3 * DAY)
    materialize(plane)

    def edges() -> set[tuple[str, str, str]]:
        table = open_table(plane.store, "acme", kind.EDGES)
        assert table is not None
        return {(row["actor"], row["kind"], row["target"]) for row in table.to_arrow().to_pylist()}

    assert edges() == {(second, "supersedes", first), (second, "refines", first)}
    erase(plane, "customer/a")
    materialize(plane)
    assert edges() == set()
