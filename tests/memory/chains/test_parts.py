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
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context_plane import ContextPlane
from context_plane.errors import Corrupt
from context_plane.instants import DAY, format_instant
from context_plane.log.commits import CommitRecord
from context_plane.memory.chains import loading, part
from context_plane.memory.chains.graph import Edge, Graph, Thing, of_events
from context_plane.memory.links.declared import Declared, Linking
from context_plane.parts.daily import chosen
from context_plane.parts.part import DAILY, LINKS, MONTHS, YEARS, Part, day_number
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
        what = draw(st.sampled_from(["nothing", "build", "build", "some", "publish", "erase"]))
        first = draw(st.integers(0, 6))
        steps.append(
            (what, (START // DAY + first, START // DAY + draw(st.integers(first, 6))), draw(st.sampled_from(ENTITIES)))
        )
    return steps


@given(steps=histories(), data=st.data())
@settings(max_examples=60)
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
            elif what == "publish":
                plane.builder("acme").publish()
        check(plane)
        head = plane.builder("acme").history.head
        for _ in range(3):
            cut = START + data.draw(st.integers(-1, 8 * 4)) * (DAY // 4) + data.draw(st.integers(0, 1))
            check(plane, as_of=cut, known_at=data.draw(st.integers(1, head)))
