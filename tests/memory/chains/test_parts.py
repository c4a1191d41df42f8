"""Links as parts: whatever is materialized, compacted or fresh, a chain is what all events of the view state."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context_plane import ContextPlane
from context_plane.errors import Corrupt
from context_plane.instants import DAY, format_instant
from context_plane.log.commits import CommitRecord
from context_plane.memory.chains import loading, part
from context_plane.memory.chains.graph import Edge, Graph, Thing, of_events
from context_plane.memory.links.declared import Linking
from context_plane.memory.links.link import Evidence, Found, Target
from context_plane.parts.daily import chosen
from context_plane.parts.part import LINKS, MONTHS, YEARS, Part, day_number
from context_plane.store import keys

START = day_number("2025-12-29") * DAY
EVERYTHING = (0, 1 << 20)
ENTITIES = [f"issue/a/b#{number}" for number in range(1, 5)]
TEXTS = ["See #1 and #2", "Fixes #3", "Superseded by #4, see a/c#9", "Nothing of note", "Reverts commit 12ab34c", ""]
MAPPING = "source: issues\nformat: cloudevents\nlinks: {parent: parent}\n"


def event(number: int, at: int, entity: str, text: str, source: str = "issues", **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": str(number), "source": source, "type": "note", "subject": entity,
        "time": format_instant(at), "data": {"text": text, **data},
    }  # fmt: skip


def plane_of(home: Path) -> ContextPlane:
    """A plane in memory of which one source declares a column of links."""
    (home / "sources").mkdir(parents=True, exist_ok=True)
    (home / "sources" / "issues.yaml").write_text(MAPPING, "utf-8")
    return ContextPlane.open(home, store=f"memory://{uuid4().hex}", max_staleness=0, embedder="none")


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ContextPlane]:
    with plane_of(tmp_path) as made:
        yield made


def materialize(plane: ContextPlane, days: tuple[int, int] = EVERYTHING) -> None:
    builder = plane.builder("acme")
    builder.build(days)
    builder.publish()


def seen(graph: Graph, ids: Sequence[str]) -> list[tuple[Thing, list[Edge], list[Edge], list[Any]]]:
    """All that a graph says of some things, with the links and the words."""
    return [
        (
            graph.thing(id_), graph.before(id_), graph.after(id_),
            [(edge.link, edge.quote) for edge in (*graph.before(id_), *graph.after(id_))],
        )
        for id_ in ids
    ]  # fmt: skip


def check(plane: ContextPlane, **cut: Any) -> Graph:
    """The graph of a view is the one of all its events."""
    view = plane._known("acme").view(**cut)
    found, told = plane._graph(view), of_events(view.events(), plane.home.linking())
    assert found.entities() == told.entities()
    edges = list(told.edges())
    assert list(found.edges()) == edges
    ids = sorted({*ENTITIES, *found.entities(), *(end for edge in edges for end in (edge.actor, edge.target))})
    assert seen(found, ids) == seen(told, ids)
    return found


def parts(plane: ContextPlane, name: str = LINKS) -> dict[int, Part]:
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    return dict(snapshot.catalog.of(name))


def erase(plane: ContextPlane, *entities: str, replaces: Sequence[str] = ()) -> None:
    """A tombstone, or where segments are given the removal of these, as the log records it."""
    history = plane.builder("acme").history
    number = history.refresh() + 1
    record = CommitRecord(
        number=number, kind="rewrite" if replaces else "tombstone", put_id=f"erase {number}", prev=history.tip,
        time=format_instant(0), events=0, ranges=(), first_day=None, last_day=None, segments=(), ids=(),
        entities=entities, replaces=tuple(replaces),
    )  # fmt: skip
    assert plane.store.create(keys.commit("acme", number), record.encode())


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    """Commits, builds of some days, publications, tombstones, in any order."""
    steps: list[Any] = []
    count = 0
    for _ in range(draw(st.integers(1, 6))):
        rows = draw(
            st.lists(
                st.tuples(
                    st.integers(0, 6), st.sampled_from([0, 1, DAY // 2, DAY - 1]), st.sampled_from(ENTITIES),
                    st.sampled_from(TEXTS), st.sampled_from(["issues", "chat"]), st.sampled_from([None, "#1", "#4"]),
                ),
                min_size=1, max_size=5,
            )
        )  # fmt: skip
        batch = []
        for day, at, entity, text, source, parent in rows:
            data = {} if parent is None else {"parent": parent}
            batch.append(event(count, START + day * DAY + at, entity, text, source, **data))
            count += 1
        steps.append(("ingest", batch))
        what = draw(st.sampled_from(["nothing", "build", "build", "some", "timeline", "publish", "erase"]))
        first = draw(st.integers(0, 6))
        steps.append(
            (what, (START // DAY + first, START // DAY + draw(st.integers(first, 6))), draw(st.sampled_from(ENTITIES)))
        )
    return steps


@given(steps=histories(), data=st.data())
@settings(max_examples=40)
def test_parts_and_tail_are_all_events(steps: list[Any], data: st.DataObject) -> None:
    """Of any history, materialized in part or whole, whatever was taken away, cut at any instant and log number."""
    with tempfile.TemporaryDirectory() as folder, plane_of(Path(folder)) as plane:
        for what, *given_ in steps:
            if what == "ingest":
                plane.ingest("acme", given_[0])
            elif what == "erase":
                erase(plane, given_[1])
            elif what in ("build", "some"):
                builder = plane.builder("acme")
                builder.build(EVERYTHING if what == "build" else given_[0])
                builder.publish()
            elif what == "timeline":  # as where a run is killed before the links, and another publishes
                builder = plane.builder("acme")
                builder.timeline(EVERYTHING)
                builder.publish()
            elif what == "publish":
                plane.builder("acme").publish()
        check(plane)
        head = plane.builder("acme").history.head
        for _ in range(3):
            cut = START + data.draw(st.integers(-1, 8 * 4)) * (DAY // 4) + data.draw(st.integers(0, 1))
            check(plane, as_of=cut, known_at=data.draw(st.integers(1, head)))


def test_of_two_who_say_the_same_at_once_the_first_is_shown(plane: ContextPlane) -> None:
    """By source and id, whichever of them is in a part; and so it is with titles."""
    said = [event(n, START, ENTITIES[0], f"Fixes #3\n\n{n}", source) for n, source in ((2, "issues"), (1, "issues"))]
    plane.ingest("acme", said[:1])
    materialize(plane)
    plane.ingest("acme", said[1:])
    (edge,) = check(plane).edges()
    assert edge.link.id == "1"
    plane.ingest("acme", [event(9, START, ENTITIES[0], "Reverts #3, fixes #3", "chat")])
    assert check(plane).thing(ENTITIES[0]).title == "Reverts #3, fixes #3"
    assert {edge.link.source for edge in check(plane).edges()} == {"chat"}


def story(days: Sequence[int], seed: int = 1) -> list[dict[str, Any]]:
    """Two or three events of each day."""
    chance = Random(seed)
    found = []
    for day in days:
        for _ in range(chance.randint(2, 3)):
            at = START + day * DAY + chance.choice([0, DAY // 3, DAY - 1])
            data = chance.choice([{}, {"parent": "#1"}])
            found.append(event(seed * 1_000 + len(found), at, chance.choice(ENTITIES), chance.choice(TEXTS), **data))
    return found


def read(plane: ContextPlane) -> list[int | None]:
    """Of the parts that a reader reads: how many days lie before the last one of compacted ones, `None` for a day's."""
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    return [None if part.last is None else part.last - START // DAY for part in chosen(LINKS, snapshot.catalog)]


def test_months_and_years_are_one_part_each(plane: ContextPlane) -> None:
    """A year that is over, a month that is over, the running month but for its newest day."""
    plane.ingest("acme", story([*range(-40, -38), *range(3), *range(10, 14), *range(35, 39)]))
    materialize(plane)
    assert read(plane) == [2, 33, 37, None]
    assert len(parts(plane)) == 13
    assert (len(parts(plane, LINKS + MONTHS)), len(parts(plane, LINKS + YEARS))) == (4, 1)
    check(plane)
    for day in (0, 1, 2, 5, 12, 36):
        check(plane, as_of=START + day * DAY + DAY // 2)
    plane.ingest("acme", [event(1, START + DAY, ENTITIES[0], "Fixes #4")])
    check(plane)
    materialize(plane)
    assert read(plane) == [2, 33, 37, None]
    check(plane)


def test_bytes_do_not_depend_on_how_it_came_about(plane: ContextPlane, tmp_path: Path) -> None:
    """All at once, or in another order and materialized in between: the same parts."""
    events = story(range(28, 36))
    plane.ingest("acme", events)
    materialize(plane)
    with plane_of(tmp_path / "other") as other:
        for at in (2, 0, 1):
            other.ingest("acme", list(reversed(events[at::3])))
            materialize(other)
        for name in (LINKS, LINKS + MONTHS):
            assert [each.version for each in parts(plane, name).values()] == [
                each.version for each in parts(other, name).values()
            ]


def test_the_order_of_rows_changes_no_bytes(plane: ContextPlane) -> None:
    """A part is a function of the set of its events."""
    plane.ingest("acme", story(range(5)))
    rows = plane._known("acme").view().events()
    shuffled = rows.take(Random(3).sample(range(len(rows)), len(rows)))
    linking = plane.home.linking()
    told, body = part.rows_of(rows, linking), part.encode(part.rows_of(rows, linking), {})
    assert part.encode(part.rows_of(shuffled, linking), {}) == body
    assert part.decode(memoryview(body), "x").equals(told)
    empty = part.rows_of(rows.slice(0, 0), linking)
    assert part.decode(memoryview(part.encode(empty, {})), "x").equals(empty)


def test_the_first_event_of_several_parts_is_the_first_of_all() -> None:
    """Whichever part it is in, and of the same instant by source and id."""
    told = [
        [(5, "a", "2", "x", "later"), (1, "b", "1", "y", "y")],
        [(5, "a", "1", "x", "first")],
        [(7, "a", "0", "x", "")],
    ]
    rows = pa.concat_tables([part.table([], firsts) for firsts in (told[2], told[0], told[1])])
    assert part.firsts_of(rows)["title"].to_pylist() == ["first", "y"]


def test_what_is_no_part_is_refused(plane: ContextPlane) -> None:
    """With the key that it lies under."""
    plane.ingest("acme", story([0]))
    whole = part.encode(part.rows_of(plane._known("acme").view().events(), Linking()), {})
    for body in (b"", whole[:-9], b"PAR1" + whole[4:-8] + b"\0" * 8, pq_of(pa.table({"a": [1]}))):
        with pytest.raises(Corrupt) as error:
            part.decode(memoryview(body), "a key")
        assert error.value.where == "a key"


def pq_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def test_nothing_is_built_where_nothing_is_new(plane: ContextPlane) -> None:
    """Neither a part nor a note; and one event rebuilds one day."""
    plane.ingest("acme", story(range(5)))
    materialize(plane)
    stored = list(plane.store.list("tenants/acme/"))
    built = plane.builder("acme").links(EVERYTHING)
    assert (built.parts, built.unchanged) == ((), 5)
    assert plane.builder("acme").publish() is None
    assert list(plane.store.list("tenants/acme/")) == stored
    plane.ingest("acme", [event(1, START + DAY, ENTITIES[0], "Fixes #4")])
    builder = plane.builder("acme")
    builder.timeline(EVERYTHING)
    assert [each.day - START // DAY for each in builder.links(EVERYTHING).parts] == [1]


def test_another_declaration_is_a_backfill_and_the_old_one_serves(plane: ContextPlane) -> None:
    """Until all days are there; what readers see is what is declared now, from the events."""
    plane.ingest("acme", story(range(6)))
    materialize(plane)
    old = parts(plane)
    (plane.settings.sources / "issues.yaml").write_text(MAPPING.replace("parent: parent", "made_of: parent"), "utf-8")
    assert {edge.kind for edge in check(plane).edges()} > {"made_of"}
    days = START // DAY, START // DAY + 2
    builder = plane.builder("acme")
    assert builder.stale().memory[LINKS] == tuple(range(days[0], days[0] + 6))
    builder.links(days)
    assert builder.publish() is None
    assert parts(plane) == old
    check(plane)
    materialize(plane)
    assert parts(plane).keys() == old.keys()
    assert not plane.builder("acme").stale()
    assert {edge.kind for edge in check(plane).edges()} > {"made_of"}


def test_the_first_parts_are_taken_together(plane: ContextPlane) -> None:
    """A home that was published before there were such parts goes on while they are built."""
    plane.ingest("acme", story(range(4)))
    builder = plane.builder("acme")
    builder._memory = None
    assert not builder.stale().memory
    builder.build(EVERYTHING)
    before = builder.publish()
    assert before is not None
    assert not {*before.catalog.parts} & {LINKS}
    check(plane)
    plane.ingest("acme", story([9], seed=2))
    builder = plane.builder("acme")
    builder.build((START // DAY + 9, START // DAY + 9))
    now = builder.publish()
    assert now is not None
    assert (now.log, {*now.catalog.parts} & {LINKS}) == (2, set())
    assert not builder.unpublished()
    check(plane)
    materialize(plane)
    assert len(parts(plane)) == 5
    check(plane)


def test_a_builder_without_a_home_goes_on_with_what_is_published(plane: ContextPlane, tmp_path: Path) -> None:
    """And so does a reader: both were given the store alone."""
    plane.ingest("acme", story(range(4)))
    materialize(plane)
    with ContextPlane(replace(plane.settings, home=tmp_path / "none")) as worker:
        worker._store = plane.store
        assert worker.builder("acme").linking == plane.home.linking()
        assert not worker.builder("acme").stale()
        found, told = worker._graph(worker._known("acme").view()), plane._graph(plane._known("acme").view())
        assert list(found.edges()) == list(told.edges())


def test_a_part_is_read_once(plane: ContextPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a commit nor another instant makes a reader read the parts again."""
    plane.ingest("acme", story(range(4)))
    materialize(plane)
    check(plane)
    monkeypatch.setattr(loading, "open_part", None)
    plane.ingest("acme", [event(1, START + DAY, ENTITIES[0], "Fixes #4")])
    check(plane)
    check(plane, as_of=START + DAY)


def test_what_was_erased_is_in_no_chain(plane: ContextPlane) -> None:
    """At once, also where it is published before it is built anew; other days keep their parts."""
    plane.ingest("acme", [*story(range(4)), event(1, START, "issue/a/b#77", "Fixes #1")])
    materialize(plane)
    before = parts(plane)
    erase(plane, "issue/a/b#77")
    for act in (lambda: None, plane.builder("acme").publish, lambda: materialize(plane)):
        act()
        graph = check(plane)
        assert "issue/a/b#77" not in graph
        assert "issue/a/b#77" not in {edge.actor for edge in graph.edges()}
    changed = [day - START // DAY for day, each in parts(plane).items() if each.version != before[day].version]
    assert changed == [0]


def test_a_plugin_is_part_of_what_a_part_is_made_by(plane: ContextPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links of another version of it are built anew; a reader that has another folds the events."""

    class Guess:
        def __init__(self, version: int) -> None:
            self.id = f"guess/{version}"
            self.asked = 0

        def extract(self, said: Any) -> Iterator[Found]:
            self.asked += 1
            yield Found(Evidence("text"), f"led_to_{self.id[-1]}", Target("idea/x", entity="idea/x"), rule="guess")

    plane.ingest("acme", story(range(3)))
    opened = Guess(1)
    monkeypatch.setattr("context_plane.memory.links.extractor.open_extractor", lambda _: opened)
    monkeypatch.setattr(loading, "open_extractor", lambda _: opened)
    monkeypatch.setattr(plane.home, "linking", lambda: Linking("guess"))
    materialize(plane)
    asked = opened.asked
    assert {edge.kind for edge in plane._graph(plane._known("acme").view()).edges()} == {"led_to_1"}
    assert opened.asked == asked
    opened = Guess(2)
    assert len(plane.builder("acme").stale().memory[LINKS]) == 3
    plane._graphs.clear()
    assert {edge.kind for edge in plane._graph(plane._known("acme").view()).edges()} == {"led_to_2"}
    assert opened.asked == len(story(range(3)))


def test_a_model_that_says_one_thing_and_then_another_fails_its_check(
    plane: ContextPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such links are not published."""

    class Moody:
        id = "moody"
        asked = 0

        def extract(self, said: Any) -> Iterator[Found]:
            self.asked += 1
            yield Found(Evidence("text"), f"kind_{self.asked}", Target("x"), rule="moody")

    moody = Moody()
    monkeypatch.setattr("context_plane.memory.links.extractor.open_extractor", lambda _: moody)
    plane.ingest("acme", story(range(2)))
    builder = plane.builder("acme")
    builder.timeline(EVERYTHING)
    for each in builder.links(EVERYTHING).parts:
        assert each.checks == {"row_count": True, "stated": True, "deterministic": False}
    builder.publish()
    assert parts(plane) == {}
