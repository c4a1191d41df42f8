"""Tables of memory: equal to the parts, whatever came of them before, and nothing that is answered depends on them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from context_plane import ContextPlane
from context_plane.errors import Unavailable
from context_plane.memory import table as tables
from context_plane.memory.chains import kind, part
from context_plane.memory.table import Rows, columns, hashed
from context_plane.parts.daily import chosen, open_part
from context_plane.parts.part import LINKS
from context_plane.retrieval.building.lance import open_table
from context_plane.store import keys
from context_plane.store.local import LocalStore
from tests.memory.chains.test_parts import DAY, ENTITIES, EVERYTHING, MAPPING, START, check, erase, event, story


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ContextPlane]:
    (tmp_path / "home" / "sources").mkdir(parents=True)
    (tmp_path / "home" / "sources" / "issues.yaml").write_text(MAPPING, "utf-8")
    with ContextPlane.open(tmp_path / "home", embedder="none") as made:
        yield made


def materialize(plane: ContextPlane) -> None:
    builder = plane.builder("acme")
    builder.build(EVERYTHING)
    builder.publish()


def rows(plane: ContextPlane, name: str = kind.TABLE) -> list[dict[str, Any]]:
    """The rows of a table, by key."""
    table = open_table(plane.store, "acme", name)
    assert table is not None
    found: list[dict[str, Any]] = table.to_arrow().to_pylist()
    assert len({row["key"] for row in found}) == len(found)
    return sorted(found, key=lambda row: row["key"])


def told(plane: ContextPlane) -> list[dict[str, Any]]:
    """The rows that the published parts of links give."""
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    found = [part.decode(*open_part(plane.files, "acme", LINKS, each)) for each in chosen(LINKS, snapshot.catalog)]
    return sorted((row for each in found for row in kind.told(each).to_pylist()), key=lambda row: row["key"])


def test_the_table_has_a_row_for_each_link(plane: ContextPlane) -> None:
    """With who does what to whom, the words, and where they stand."""
    plane.ingest(
        "acme", [event(1, START, ENTITIES[0], "Superseded by #4"), event(2, START, ENTITIES[1], "", parent="#1")]
    )
    materialize(plane)
    shown = [
        [row[name] for name in ("source", "id", "entity", "actor", "kind", "target", "quote", "rule", "field")]
        for row in sorted(rows(plane), key=lambda row: row["id"])
    ]
    assert shown == [
        [
            "issues",
            "1",
            ENTITIES[0],
            ENTITIES[3],
            "supersedes",
            ENTITIES[0],
            "Superseded by #4",
            "superseded-by",
            "text",
        ],
        ["issues", "2", ENTITIES[1], ENTITIES[1], "parent", ENTITIES[0], "", "column", "parent"],
    ]


def test_it_follows_the_parts(plane: ContextPlane) -> None:
    """Late events, another declaration, an erasure, nothing new."""
    plane.ingest("acme", story(range(6)))
    materialize(plane)
    assert rows(plane) == told(plane) != []
    plane.ingest("acme", [event(1, START + DAY, ENTITIES[0], "Fixes #4"), event(2, START, "issue/a/b#77", "Fixes #1")])
    materialize(plane)
    assert rows(plane) == told(plane)
    version = open_table(plane.store, "acme", kind.TABLE).version  # type: ignore[union-attr]
    materialize(plane)
    assert open_table(plane.store, "acme", kind.TABLE).version == version  # type: ignore[union-attr]
    erase(plane, "issue/a/b#77")
    materialize(plane)
    assert "issue/a/b#77" not in {row["actor"] for row in rows(plane)}
    (plane.settings.sources / "issues.yaml").write_text(MAPPING.replace("parent: parent", "made_of: parent"), "utf-8")
    materialize(plane)
    assert rows(plane) == told(plane)
    assert {row["kind"] for row in rows(plane)} >= {"made_of"}
    assert "parent" not in {row["kind"] for row in rows(plane)}


def test_no_links_no_table(plane: ContextPlane) -> None:
    """And nothing of LanceDB."""
    plane.ingest("acme", [event(1, START, ENTITIES[0], "Nothing of note")])
    materialize(plane)
    assert not plane.store.children(keys.lance("acme"))


def test_a_lost_table_is_made_anew(plane: ContextPlane) -> None:
    """By the next build that has something to do; until then chains are what they were."""
    plane.ingest("acme", story(range(4)))
    materialize(plane)
    before = rows(plane)
    shutil.rmtree(Path(str(plane.settings.store)) / keys.lance("acme"))
    check(plane)
    plane.ingest("acme", [event(1, START + DAY, ENTITIES[0], "Fixes #4")])
    materialize(plane)
    assert rows(plane) == told(plane)
    assert len(rows(plane)) == len(before) + 1


def test_a_damaged_table_is_named(plane: ContextPlane) -> None:
    """Whoever builds is told what to delete; who reads does not notice."""
    plane.ingest("acme", story(range(4)))
    materialize(plane)
    for file in (Path(str(plane.settings.store)) / keys.lance("acme") / f"{kind.TABLE}.lance").rglob("*.manifest"):
        file.write_bytes(b"damaged")
    plane.ingest("acme", [event(1, START + DAY, ENTITIES[0], "Fixes #4")])
    check(plane)
    with pytest.raises(Unavailable, match="the table of memory_chains does not answer"):
        materialize(plane)
    check(plane)


def made(day: int, *names: str, digest: str = "") -> pa.Table:
    """Rows of a day, of which only their keys matter."""
    times = [day * DAY] * len(names)
    return pa.table([names, pa.array(times, pa.timestamp("us", tz="UTC")), [f"{n}{digest}" for n in names]], columns())


def test_two_who_write_the_same_write_it_once(tmp_path: Path) -> None:
    """Also other days at the same time."""
    days = [{day: made(day, f"{day}a", f"{day}b")} for day in (1, 2, 1, 2, 3, 3)]
    with ThreadPoolExecutor(6) as pool:
        writers = [Rows(LocalStore(tmp_path), "acme", "t", columns()) for _ in days]
        for each in [pool.submit(who.settle, what, dict, 6) for who, what in zip(writers, days, strict=True)]:
            each.result()
    table = open_table(LocalStore(tmp_path), "acme", "t")
    assert table is not None
    assert sorted(table.to_arrow()["key"].to_pylist()) == ["1a", "1b", "2a", "2b", "3a", "3b"]


def test_rows_are_taken_over_moved_and_pruned(tmp_path: Path) -> None:
    """A key with another digest is written again, also where its day is another; others of these days go."""
    table = Rows(LocalStore(tmp_path), "acme", "t", columns())

    def held() -> dict[str, tuple[int, str]]:
        opened = open_table(LocalStore(tmp_path), "acme", "t")
        assert opened is not None
        found = opened.to_arrow()
        day = np.asarray(found["time"].cast(pa.int64())) // DAY
        return {
            key: (int(at), said)
            for key, at, said in zip(found["key"].to_pylist(), day, found["digest"].to_pylist(), strict=True)
        }

    table.settle({1: made(1, "a", "it's"), 2: made(2, "c")}, dict, 3)
    assert held() == {"a": (1, "a"), "it's": (1, "it's"), "c": (2, "c")}
    table.settle({1: made(1, "a", digest="!")}, dict, 2)
    assert held() == {"a": (1, "a!"), "c": (2, "c")}
    table.settle({1: made(1), 2: made(2, "c", "a")}, dict, 2)
    assert held() == {"a": (2, "a"), "c": (2, "c")}


def test_many_writes_leave_few_fragments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write adds one."""
    monkeypatch.setattr(tables, "_FRAGMENTS", 8)
    table = Rows(LocalStore(tmp_path), "acme", "t", columns())
    for day in range(20):
        table.settle({day: made(day, f"{day}")}, dict, day + 1)
    opened = open_table(LocalStore(tmp_path), "acme", "t")
    assert opened is not None
    stats: Any = opened.stats()
    assert stats["fragment_stats"]["num_fragments"] <= 9
    assert opened.count_rows() == 20


def test_digests_are_of_values() -> None:
    """32 hexadecimal digits, the same for the same."""
    assert hashed(["a", 1]) == hashed(["a", 1]) != hashed(["a", 2])
    assert len(hashed("")) == 32
