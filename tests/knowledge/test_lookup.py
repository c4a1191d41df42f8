"""Looking up: chunks of what is known now, of some topics or all, at any view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane, InputError, NotFound
from context_plane.retrieval.searcher import Searcher
from tests.knowledge.conftest import Clock, World

PIPELINE = "# Pipeline\n\n" + "".join(
    f"## {title}\n\n{text} {'Plain words that say nothing. ' * 12}\n\n"
    for title, text in (
        ("Retries", "A job that failed runs twice more."),
        ("Caches", "The cache is keyed by the lock file."),
        ("Secrets", "Tokens come from the vault."),
    )
)


def materialize(plane: ContextPlane) -> None:
    builder = plane.builder("acme")
    for window in builder.stale().windows("day"):
        builder.timeline(window)
        builder.search(window)
    builder.publish()


def found(world: World, query: str, **options: Any) -> list[tuple[str, str]]:
    """Topic and own heading of what is found."""
    return [
        (each.topic, each.heading[-1] if each.heading else "") for each in world.plane.lookup("acme", query, **options)
    ]


@pytest.mark.parametrize("published", [False, True])
def test_finds_the_chunk_that_answers(world: World, published: bool) -> None:
    """With everything that tells where it is from, before it is materialized and after."""
    world.write("ci/pipeline.md", PIPELINE)
    world.write("style.md", "# Style\n\nWrite tests.\n")
    world.learn()
    if published:
        materialize(world.plane)
    (hit, *_) = world.plane.lookup("acme", "lock file cache", k=2)
    topic = world.plane.topic("acme", "ci/pipeline")
    assert hit.chunk in topic.chunks
    assert (hit.topic, hit.entity, hit.version) == ("ci/pipeline", "knowledge/ci/pipeline", topic.version)
    assert hit.heading == ("Pipeline", "Caches")
    assert "keyed by the lock file" in hit.text
    assert (hit.source, hit.event_id) == ("cortex/knowledge", f"ci/pipeline#1/{hit.chunk.n}")
    assert hit.time == topic.time
    assert hit.scores.bm25 is not None
    assert hit.to_json()["score"] == hit.score > 0
    (event,) = world.plane.search("acme", "lock file cache", type="cortex.knowledge.chunk", k=1)
    assert (event.event_id, event.score) == (hit.event_id, hit.score)


def test_headings_above_are_searched_too(world: World) -> None:
    """A chunk is found by the words of its headings, wherever in the section it stands."""
    body = "".join(f"Paragraph {number}. {'Nothing of note. ' * 40}\n\n" for number in range(4))
    world.write("a.md", f"# Kubernetes\n\n## Rollback\n\n{body}")
    world.write("b.md", f"# Other\n\n## Things\n\n{body}")
    world.learn()
    hits = world.plane.lookup("acme", "kubernetes rollback", mode="bm25")
    assert len(hits) > 1
    assert {hit.topic for hit in hits} == {"a"}


def test_versions_gone_by_are_not_found(world: World, clock: Clock) -> None:
    """Not even where there are many of them and they fit better; at a view that knew them, they are."""
    for number in range(30):
        clock.set(f"2026-03-{number + 1:02d}T09:00:00Z")
        world.write("a.md", f"# A\n\nZebra zebra zebra, revision {number}.\n")
        world.learn()
    world.write("a.md", f"# A\n\nOne zebra. {'Many other words. ' * 40}\n")
    world.write("b.md", f"# B\n\nA zebra too. {'Many other words. ' * 40}\n")
    clock.set("2026-03-31T09:00:00Z")
    world.learn()
    for published in (False, True):
        if published:
            materialize(world.plane)
        hits = world.plane.lookup("acme", "zebra", k=2)
        assert {hit.topic for hit in hits} == {"a", "b"}
        assert len(world.plane.lookup("acme", "zebra", k=10)) == len(hits)
        (old,) = world.plane.lookup("acme", "zebra", as_of="2026-03-05")
        assert "revision 4" in old.text
        (known,) = world.plane.lookup("acme", "zebra", known_at=2)
        assert "revision 1" in known.text
    assert len(world.plane.search("acme", "zebra", type="cortex.knowledge.chunk", k=100)) == 32


def test_removed_topics_are_not_found(world: World) -> None:
    """Their chunks stay in the log."""
    path = world.write("a.md", "# A\n\nzebra\n")
    world.write("b.md", "# B\n\nzebra\n")
    world.learn()
    path.unlink()
    world.learn()
    assert found(world, "zebra") == [("b", "B")]


def test_of_some_topics_only(world: World) -> None:
    """By references; one to nothing is an error, not an empty answer."""
    for name in ("a/x.md", "b.md", "c.md"):
        world.write(name, "# T\n\nzebra\n")
    world.learn()
    assert {topic for topic, _ in found(world, "zebra", topics=["a.x", "c"])} == {"a/x", "c"}
    assert found(world, "zebra", topics="b") == [("b", "T")]
    assert found(world, "zebra", topics=[]) == []
    with pytest.raises(NotFound, match="there is no topic 'd'"):
        found(world, "zebra", topics=["b", "d"])


def test_events_of_the_world_are_not_found(world: World) -> None:
    """Nor are chunks found by a search that does not ask for them."""
    world.write("a.md", "zebra\n")
    world.learn()
    note = {"id": "1", "source": "crm", "type": "crm.note", "subject": "knowledge/a", "time": "2026-03-01T00:00:00Z"}
    world.plane.ingest("acme", [{**note, "data": {"text": "zebra"}}])
    assert len(found(world, "zebra")) == 1
    assert [hit.source for hit in world.plane.search("acme", "zebra")] == ["crm"]


def test_what_cannot_be_asked_is_refused(world: World) -> None:
    """As of any search."""
    world.write("a.md", "zebra\n")
    world.learn()
    assert world.plane.lookup("acme", "zebra", k=0) == []
    with pytest.raises(InputError, match="k is -1"):
        world.plane.lookup("acme", "zebra", k=-1)
    with pytest.raises(InputError, match="no mode"):
        world.plane.lookup("acme", "zebra", mode="best")  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="no events"):
        world.plane.lookup("nobody", "zebra")


def test_no_more_is_asked_for_than_is_needed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One search, as long as what it finds is current."""
    for number in range(30):
        world.write(f"t{number}.md", f"zebra {number}\n")
    world.learn()
    asked: list[int] = []
    search = Searcher.search
    monkeypatch.setattr(
        Searcher, "search", lambda self, view, query: (asked.append(query.k), search(self, view, query))[1]
    )
    assert len(world.plane.lookup("acme", "zebra", k=10)) == 10
    assert asked == [10]


def test_by_meaning(tmp_path: Path) -> None:
    """With an embedder chunks have vectors, and are found without a word of the question."""
    world = World(tmp_path / "home", embedder="wordllama")
    world.write("pets.md", "# Pets\n\nCats and dogs sleep on the couch.\n")
    world.write("cars.md", "# Cars\n\nThe engine needs oil every spring.\n")
    world.learn()
    assert found(world, "a kitten and a puppy", mode="vector", k=1) == [("pets", "Pets")]
    materialize(world.plane)
    assert found(world, "a kitten and a puppy", k=1) == [("pets", "Pets")]
    world.plane.close()
