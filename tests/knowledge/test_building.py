"""Building: the table of chunks, and the checks of what is known."""

from __future__ import annotations

from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.knowledge import building, table
from context_plane.knowledge.building import Built, build
from context_plane.knowledge.catalog import Catalog
from context_plane.retrieval.building.lance import open_table
from tests.knowledge.conftest import GUIDE, World
from tests.knowledge.log import erase


def built(world: World) -> Built:
    """What a build of the tenant did."""
    builder = world.plane.builder("acme")
    done = build(builder.history, builder.snapshots, builder.files)
    assert done is not None
    return done


def rows(world: World) -> list[dict[str, Any]]:
    """What the table holds, in order."""
    opened = open_table(world.plane.store, "acme", table.NAME)
    assert opened is not None
    found: list[dict[str, Any]] = opened.to_arrow().sort_by([("topic", "ascending"), ("key", "ascending")]).to_pylist()
    return found


def index(plane: ContextPlane) -> None:
    """Timelines and indexes, without publishing."""
    builder = plane.builder("acme")
    for window in builder.stale().windows("day"):
        builder.timeline(window)
        builder.search(window)


def test_the_table_has_a_row_for_every_chunk_of_every_version(world: World) -> None:
    """Those of the current version say so."""
    world.write("a.md", GUIDE)
    world.write("b.md", "B\n")
    world.learn()
    assert (built(world).written, built(world).written) == (2, 0)
    world.write("b.md", "B2\n")
    world.learn()
    assert built(world).written == 2  # the new version, and that the old one is no longer current
    shown = [(row["key"], row["current"], row["text"]) for row in rows(world)]
    assert shown == [("a#1/0", True, GUIDE), ("b#1/0", False, "B\n"), ("b#2/0", True, "B2\n")]
    assert rows(world)[0]["heading"] == list(world.plane.topic("acme", "a").chunks[0].heading)


def test_removed_topics_have_no_current_rows(world: World) -> None:
    """And what was erased has none at all."""
    path = world.write("a.md", "A\n")
    world.write("b.md", "B\n")
    world.learn()
    built(world)
    path.unlink()
    world.learn()
    assert built(world).written == 1
    assert [(row["key"], row["current"]) for row in rows(world)] == [("a#1/0", False), ("b#1/0", True)]
    erase(world.plane.store, "acme", "knowledge/a")
    assert built(world).deleted == 1
    assert [row["topic"] for row in rows(world)] == ["b"]
    erase(world.plane.store, "acme", "knowledge/b")
    assert built(world).deleted == 1
    assert rows(world) == []


def test_a_table_that_is_lost_or_lacks_rows_is_made_anew(world: World) -> None:
    """From the log alone."""
    world.write("a'b.md", GUIDE)
    world.write("b.md", f"{'word ' * 3_000}\n")
    world.learn()
    built(world)
    before = rows(world)
    opened = open_table(world.plane.store, "acme", table.NAME)
    assert opened is not None
    opened.delete("n = 1")
    assert built(world).written > 1
    assert rows(world) == before
    import shutil

    shutil.rmtree(world.home / "store" / "tenants" / "acme" / "lance")
    assert built(world).written == len(before)
    assert rows(world) == before


def test_a_tenant_without_knowledge_opens_no_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """LanceDB takes seconds to load."""
    note = {"id": "1", "source": "crm", "type": "crm.note", "subject": "customer/a", "time": "2026-03-01T00:00:00Z"}
    world.plane.ingest("acme", [note])
    monkeypatch.setattr(table, "settle", None)
    builder = world.plane.builder("acme")
    assert build(builder.history, builder.snapshots, builder.files) is None


def test_only_what_is_lacking_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions whose rows are there are not read again."""
    for number in range(5):
        world.write("a.md", f"{number}\n")
        world.learn()
    built(world)
    read: list[int] = []
    topic = Catalog.topic
    monkeypatch.setattr(
        Catalog, "topic", lambda self, history, change: (read.append(change.number), topic(self, history, change))[1]
    )
    built(world)
    assert set(read) == {5}


def test_chunks_are_in_the_index_or_in_the_tail(world: World) -> None:
    """Before the index is built the tail answers, afterwards all must be there."""
    world.write("a.md", GUIDE)
    world.learn()
    assert (built(world).fresh, built(world).unindexed) == (1, ())
    index(world.plane)
    assert (built(world).fresh, built(world).unindexed) == (0, ())
    world.write("b.md", "B\n")
    world.learn()
    assert (built(world).fresh, built(world).unindexed) == (1, ())


def test_a_chunk_that_the_index_lacks_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By topic."""
    world.write("a.md", GUIDE)
    world.write("b.md", "B\n")
    world.learn()
    index(world.plane)
    from context_plane.retrieval.text import documents

    key = documents.event_key
    monkeypatch.setattr(documents, "event_key", lambda source, id_: key(source, "other" if id_ == "b#1/0" else id_))
    assert built(world).unindexed == ("b",)


def test_a_version_that_is_not_whole_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By topic, and nothing of it gets into the table."""
    world.write("a.md", GUIDE)
    world.write("b.md", "B\n")
    world.learn()
    whole = building.is_whole
    monkeypatch.setattr(building, "is_whole", lambda topic: topic.name != "b" and whole(topic))
    done = built(world)
    assert (done.broken, done.written) == (("b",), 0)
    assert [info.name for info in done.topics] == ["a", "b"]
