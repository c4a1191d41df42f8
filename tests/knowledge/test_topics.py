"""Topics at a view: the current version, those gone by, and references that mean none."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from context_plane import ContextPlane, InputError, NotFound
from context_plane.errors import Corrupt
from context_plane.knowledge.catalog import Catalog
from context_plane.knowledge.events import topic_in, version_of
from context_plane.knowledge.names import SUFFIXES
from context_plane.log.history import History
from context_plane.log.segments import read_segment
from tests.knowledge.conftest import GUIDE, Clock, World
from tests.knowledge.log import erase, rewrite


@pytest.fixture
def three(world: World, clock: Clock) -> World:
    """A topic that was learned, changed and removed on three days, beside one that stays."""
    path = world.write("ci/pipeline.md", "one\n")
    world.write("testing.md", GUIDE)
    for day, text in ((1, "one\n"), (2, "two\n"), (3, None)):
        clock.set(f"2026-03-0{day}T09:00:00Z")
        path.unlink() if text is None else path.write_text(text)
        world.learn()
    return world


def test_a_topic_is_its_file(world: World) -> None:
    """Bytes, hash, tokens, chunks with their headings and the events that hold them."""
    world.write("ci/guide.md", GUIDE.encode() + "\r\nü\ufeff".encode())
    world.learn()
    topic = world.plane.topic("acme", "ci/guide")
    body = (world.folder / "ci/guide.md").read_bytes()
    assert topic.text.encode() == body
    assert topic.version == version_of(body)
    assert (topic.name, topic.entity, topic.title) == ("ci/guide", "knowledge/ci/guide", "Guide")
    assert (topic.info.bytes, topic.info.chunks, topic.info.file) == (len(body), len(topic.chunks), "ci/guide.md")
    assert [chunk.event_id for chunk in topic.chunks] == [f"ci/guide#1/{n}" for n in range(len(topic.chunks))]
    assert topic.time == topic.info.time


def test_the_current_version_is_the_newest_of_the_view(three: World) -> None:
    """By time, and by what the log knew."""
    plane = three.plane
    assert three.names() == ["testing"]
    assert three.names(as_of="2026-03-02") == ["ci/pipeline", "testing"]
    assert plane.topic("acme", "ci/pipeline", as_of="2026-03-01").text == "one\n"
    assert plane.topic("acme", "ci/pipeline", as_of="2026-03-02T09:00:00Z").text == "one\n"
    assert plane.topic("acme", "ci/pipeline", as_of="2026-03-02T09:00:01Z").text == "two\n"
    assert plane.topic("acme", "ci/pipeline", known_at=1).text == "one\n"
    assert three.names(known_at=2) == ["ci/pipeline", "testing"]
    assert three.names(as_of="2026-02-28") == []


def test_a_removed_topic_says_when(three: World) -> None:
    """And how to read it nevertheless; the remedy works."""
    with pytest.raises(NotFound, match="was removed at 2026-03-03T09:00:00Z") as caught:
        three.plane.topic("acme", "ci/pipeline")
    assert "as of 2026-03-03T09:00:00Z" in caught.value.remedy
    assert three.plane.topic("acme", "ci/pipeline", as_of="2026-03-03T09:00:00Z").text == "two\n"


def test_versions_gone_by_are_had_by_their_beginning(three: World) -> None:
    """Of those that the view sees; enough of it to tell one from others."""
    one, two = version_of(b"one\n"), version_of(b"two\n")
    topic = three.plane.topic
    assert topic("acme", "ci/pipeline", version=one).text == "one\n"
    assert topic("acme", "ci/pipeline", version=two.removeprefix("sha256:")[:8]).text == "two\n"
    with pytest.raises(NotFound, match="never had a version"):
        topic("acme", "ci/pipeline", version=two, known_at=1)
    with pytest.raises(NotFound, match="never had"):
        topic("acme", "ci/pipeline", version="ffffffff")
    with pytest.raises(InputError, match="any of 2"):
        topic("acme", "ci/pipeline", version="sha256:")


@pytest.mark.parametrize(
    ("reference", "near"),
    [("ci/pipelin", "ci/pipeline"), ("CI.Pipeline", "ci/pipeline"), ("tests", "testing"), ("zzz", "knowledge list")],
)
def test_a_reference_to_nothing_names_what_looks_like_it(three: World, reference: str, near: str) -> None:
    """Or where to see what there is."""
    with pytest.raises(NotFound, match="there is no topic") as caught:
        three.plane.topic("acme", reference, known_at=2)
    assert near in caught.value.remedy


def test_a_dot_may_stand_for_a_slash(world: World) -> None:
    """As processes write references; a topic that has the name as it is written comes first."""
    world.write("engineering/testing.md", "slash\n")
    world.write("v1.2.md", "dot\n")
    world.learn()
    assert world.plane.topic("acme", "engineering.testing").name == "engineering/testing"
    assert world.plane.topic("acme", "v1.2").text == "dot\n"
    with pytest.raises(NotFound):
        world.plane.topic("acme", "engineering/testing.md")


def test_a_tenant_that_knows_nothing(world: World) -> None:
    """There are no topics; without events there is no tenant."""
    with pytest.raises(NotFound, match="no events"):
        world.plane.topics("acme")
    note = {"id": "1", "source": "crm", "type": "crm.note", "subject": "customer/a", "time": "2026-03-01T00:00:00Z"}
    world.plane.ingest("acme", [note])
    assert world.plane.topics("acme") == []
    with pytest.raises(NotFound, match="there is no topic 'a'"):
        world.plane.topic("acme", "a")


def test_tenants_know_each_their_own(world: World) -> None:
    """The same folder in two tenants is two histories."""
    world.write("a.md", "A\n")
    world.learn()
    world.write("a.md", "B\n")
    world.plane.learn("beta")
    assert world.plane.topic("acme", "a").text == "A\n"
    assert world.plane.topic("beta", "a").info.revision == 1


def test_other_planes_see_a_sync_at_once(world: World) -> None:
    """Also those that have read the topic before."""
    world.write("a.md", "A\n")
    world.learn()
    with world.other() as other:
        assert other.topic("acme", "a").text == "A\n"
        world.write("a.md", "B\n")
        world.learn()
        assert other.topic("acme", "a").text == "B\n"
        assert [info.revision for info in other.topics("acme")] == [2]


def test_what_was_erased_is_not_known(three: World) -> None:
    """Not at any view that knows of it; a sync begins anew, with numbers that were never used."""
    erase(three.plane.store, "acme", "knowledge/testing")
    assert three.names() == []
    assert three.names(as_of="2026-03-02") == ["ci/pipeline"]
    assert three.names(known_at=3) == ["testing"]
    with pytest.raises(NotFound, match="there is no topic"):
        three.plane.topic("acme", "testing")
    assert three.learn().new == ("testing",)
    assert three.plane.topic("acme", "testing").info.revision == 2


def test_segments_may_be_put_together(world: World, clock: Clock) -> None:
    """A rewrite stands in for what it replaces, although it holds several changes."""
    for hour, text in (("09", GUIDE), ("10", "two\n"), ("11", "three\n")):
        clock.set(f"2026-03-01T{hour}:00:00Z")
        world.write("ci/pipeline.md", text)
        world.learn()
    cuts = [f"2026-03-01T{hour}:30:00Z" for hour in ("09", "10", "11")]
    before = [world.plane.topic("acme", "ci/pipeline", as_of=cut).to_json() for cut in cuts]
    rewrite(world.plane.store, "acme", "knowledge/ci/pipeline")
    with world.other() as other:
        for plane in (world.plane, other):
            assert [plane.topic("acme", "ci/pipeline", as_of=cut).to_json() for cut in cuts] == before
            assert [info.revision for info in plane.topics("acme")] == [3]
    assert world.learn().unchanged == ("ci/pipeline",)


def test_segments_may_be_taken_back(three: World) -> None:
    """What an operator does about one that is wrong; views from before still see it."""
    rewrite(three.plane.store, "acme", "knowledge/testing", keep=False)
    assert three.names() == []
    assert three.names(known_at=3) == ["testing"]
    assert three.learn().new == ("testing",)


def test_a_version_without_all_its_chunks_is_damaged(world: World) -> None:
    """It is never shown as if it were all there."""
    world.write("a.md", GUIDE + "".join(f"## Part {n}\n\n{'word ' * 90}\n\n" for n in range(3)))
    world.learn()
    topic = world.plane.topic("acme", "a")
    history = world.plane._tenant("acme").history
    (ref,) = history.segments(history.record(1))
    lines = read_segment(world.plane.store, "acme", ref)
    assert topic_in(topic.info, lines).text == topic.text
    with pytest.raises(Corrupt, match=f"{len(topic.chunks) - 1} chunks of {len(topic.chunks)}"):
        topic_in(topic.info, lines[:-1])


def test_a_damaged_segment_is_an_error_that_names_it(world: World) -> None:
    """Never a topic with something missing."""
    world.write("a.md", GUIDE)
    world.learn()
    (segment,) = (world.home / "store").rglob("*.jsonl.zst")
    segment.write_bytes(segment.read_bytes()[:-1] + b"x")
    with world.other() as other, pytest.raises(Corrupt) as caught:
        other.topic("acme", "a")
    assert segment.name in caught.value.where


def test_remote_reads_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cold process reads one segment a topic, and nothing again."""
    world = World(tmp_path / "home", store=f"memory://{uuid4().hex}", max_staleness=0)
    for number in range(20):
        world.write(f"t{number}.md", f"{number}\n")
    world.learn()
    read: list[str] = []
    with world.other() as other:
        get = type(other.store).get
        monkeypatch.setattr(type(other.store), "get", lambda store, key: (read.append(key), get(store, key))[1])
        assert len(other.topics("acme")) == 20
        assert other.topic("acme", "t3").text == "3\n"
        other.topics("acme")
        other.topic("acme", "t3")
    assert len([key for key in read if "/segments/" in key]) == 21


def test_a_topic_is_had_in_microseconds(world: World) -> None:
    """Once it was read, whatever else the tenant knows or has lived through."""
    for number in range(200):
        world.write(f"t{number}.md", GUIDE)
    world.learn()
    world.plane.topic("acme", "t7")
    times = []
    for _ in range(50):
        start = perf_counter()
        world.plane.topic("acme", "t7")
        times.append(perf_counter() - start)
    assert sorted(times)[25] < 0.001


def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that were not asked for lately are read again."""
    monkeypatch.setattr("context_plane.knowledge.catalog._KEPT", 100_000)
    for number in range(20):
        world.write(f"t{number}.md", f"{number}\n{'word ' * 4_000}")
    world.learn()
    for number in range(20):
        assert world.plane.topic("acme", f"t{number}").text.startswith(f"{number}\n")
    catalog: Catalog = world.plane._catalog(world.plane._tenant("acme"))
    assert catalog._size <= 100_000
    assert 0 < len(catalog._topics) < 5


FILES = st.dictionaries(
    st.sampled_from([f"{name}{suffix}" for name in ("a", "b/c", "d") for suffix in (".md", ".rst", ".json")]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300),
    max_size=4,
)


@given(looks=st.lists(FILES, min_size=1, max_size=5))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_every_look_can_be_read_again(looks: list[dict[str, str]], tmp_path: Path) -> None:
    """Whatever files come, change and go: at each commit the topics are what was in the folder, byte for byte."""
    world = World(tmp_path / uuid4().hex, store=f"memory://{uuid4().hex}", max_staleness=0)
    expected: dict[str, str] = {}
    seen: list[tuple[int, dict[str, str]]] = []
    for files in looks:
        for path in [path for path in world.folder.rglob("*") if path.is_file()]:
            path.unlink()
        for name, text in files.items():
            world.write(name, text)
        learned = world.learn()
        refused = {each.path.rpartition(".")[0] for each in learned.refused}
        found = {name.rpartition(".")[0]: text for name, text in files.items()}
        expected = {
            **{name: text for name, text in expected.items() if name in refused},
            **{name: text for name, text in found.items() if name not in refused},
        }
        if learned.commit is not None:
            seen.append((learned.commit, expected))
    with world.other() as other:
        for number, texts in seen:
            names = [info.name for info in other.topics("acme", known_at=number)]
            assert {name: other.topic("acme", name, known_at=number).text for name in names} == texts
    world.plane.close()


def test_suffixes_are_what_the_docs_say() -> None:
    """docs/knowledge.md lists them."""
    page = (Path(__file__).parents[2] / "docs" / "knowledge.md").read_text()
    assert all(f"`{suffix}`" in page for suffix in SUFFIXES)


def test_a_catalog_reads_no_commit_of_the_world(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their segment lists may be long."""
    notes: list[dict[str, Any]] = [
        {"id": f"{n}", "source": "crm", "type": "crm.note", "subject": f"customer/{n}", "time": "2026-03-01T00:00:00Z"}
        for n in range(50)
    ]
    world.plane.ingest("acme", notes)
    world.write("a.md", "A\n")
    world.learn()
    asked: list[int] = []
    segments = History.segments
    monkeypatch.setattr(
        History, "segments", lambda self, record: (asked.append(record.number), segments(self, record))[1]
    )
    plane = ContextPlane.open(world.home)
    catalog, view = Catalog(), plane._tenant("acme").view()
    asked.clear()
    assert list(catalog.current(view)) == ["a"]
    assert asked == [2]
    plane.close()
