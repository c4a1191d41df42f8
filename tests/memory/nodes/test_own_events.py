"""Own events beside a user's: old data is answered as before, specs see what they name, snapshots reach the head."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.instants import format_instant
from tests.memory.nodes.world import ids, materialize, opened

PLAIN = """\
context: plain_v0
entity: customer
window: 30d
fields:
  n: {count: true}
  last: {latest: time}
  recent: {list: [time, type, text], last: 5}
summary: {max_tokens: 60}
"""
NAMING = """\
context: naming_v0
entity: customer
window: 30d
fields:
  told: {count: true, of: "cortex.memory.*"}
  liked: {list: [text], last: 5, of: cortex.memory.preference}
  notes: {count: true, of: crm.note}
"""
NOTES = [
    ("1", "customer/a", "2026-03-01T10:00:00Z", "Asked about billing"),
    ("2", "customer/a", "2026-03-02T10:00:00Z", "The export stops at 10,000 rows"),
    ("3", "customer/b", "2026-03-09T10:00:00Z", "Wants an export of billing"),
]


@pytest.fixture(params=["day", "month"])
def plane(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ContextPlane]:
    """A plane with a spec that names own events and one that does not, and three notes, materialized."""
    contexts = tmp_path / "home" / "contexts"
    contexts.mkdir(parents=True)
    (contexts / "plain_v0.yaml").write_text(PLAIN)
    (contexts / "naming_v0.yaml").write_text(NAMING)
    with opened(tmp_path / "home", grain=request.param) as made:
        made.ingest(
            "acme",
            [
                {"specversion": "1.0", "id": id_, "source": "crm", "type": "crm.note", "subject": entity, "time": time,
                 "data": {"text": text}}
                for id_, entity, time, text in NOTES
            ],
        )  # fmt: skip
        materialize(made)
        yield made


def answers(plane: ContextPlane, **cut: Any) -> dict[str, Any]:
    """What is answered of old data."""
    return {
        "bundles": {each.entity: each.json for each in plane.bundles("acme", "plain_v0", **cut)},
        "one": plane.bundle("acme", "customer/a", "plain_v0", **cut).json,
        "hits": [hit.to_json() for hit in plane.search("acme", "billing export", **cut)],
        "entities": plane.entities("acme", **cut),
        "links": plane.chain("acme", "customer/a", **cut).to_dict(),
    }


def answer(plane: ContextPlane, times: int = 1) -> None:
    """Answers, which leaves a receipt each."""
    for _ in range(times):
        plane.context("acme", "customer/a", "billing", spec="plain_v0", max_tokens=500)


def reaches_the_head(plane: ContextPlane) -> None:
    """Everything is built, and nothing is left in the tail."""
    materialize(plane)
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    assert snapshot.log == plane._tenant("acme").history.refresh()
    assert not plane.builder("acme").stale()
    assert plane.builder("acme").publish() is None


def test_remembering_moves_no_clock(plane: ContextPlane) -> None:
    """What is told today of customers leaves their bundles byte for byte, and at the clock all that is searched."""
    before = answers(plane)
    clock = plane._tenant("acme").view().clock
    assert format_instant(clock) == "2026-03-10T00:00:00Z"
    at_clock = answers(plane, as_of=clock)
    for at in (None, "2026-03-03"):
        plane.remember("acme", "customer/a", "Prefers billing once a year", type="preference", at=at)
    plane.remember("acme", "supplier/only", "Exports billing", about="customer/b")
    for _ in range(2):
        view = plane._tenant("acme").view()
        assert (view.clock, view.as_of) == (clock, clock)
        after = answers(plane)
        assert {name: after[name] for name in before if name != "hits"} == {
            name: before[name] for name in before if name != "hits"
        }
        assert {hit["event_id"] for hit in after["hits"]} == {hit["event_id"] for hit in before["hits"]}
        reaches_the_head(plane)
    plane.remember("acme", "customer/a", "Today", at=None)
    assert answers(plane, as_of=clock)["bundles"] == at_clock["bundles"]


def test_telling_today_changes_no_search_of_the_past(plane: ContextPlane) -> None:
    """Scores at an instant are those of what there was by then."""
    before = answers(plane, as_of="2026-03-09")
    plane.remember("acme", "customer/a", "Prefers billing, billing and billing")
    for _ in range(2):
        assert answers(plane, as_of="2026-03-09") == before
        materialize(plane)


@pytest.mark.parametrize("remembered", [False, True])
def test_answers_change_no_answer(plane: ContextPlane, remembered: bool) -> None:
    """However many there were: not a score, not an entity, not a document; fresh and materialized."""
    if remembered:
        plane.remember("acme", "customer/a", "Prefers billing once a year", type="preference", id="liked")
    before, recalled = answers(plane), [each.score for each in plane.recall("acme", "billing")]
    answer(plane, 5)
    for _ in range(2):
        assert answers(plane) == before
        assert [each.score for each in plane.recall("acme", "billing")] == recalled
        assert not any(name.startswith("receipt/") for name in plane.entities("acme"))
        assert plane.search("acme", "billing", type="cortex.receipt") == []
        reaches_the_head(plane)
    assert len(plane.entities("acme", "receipt")) == 5


def test_answers_count_how_often_a_node_was_in_one(plane: ContextPlane) -> None:
    """Up to the log number that is asked, by who answered and by who comes later, fresh and materialized."""
    plane.remember("acme", "customer/a", "Prefers billing once a year", type="preference", id="liked")
    number = plane._tenant("acme").history.refresh()
    answer(plane, 3)
    for _ in range(2):
        for each in (plane, opened(plane.settings.home, store=plane.settings.store)):
            assert each.node("acme", "liked").accesses == 3
            assert [each.node("acme", "liked", known_at=number + more).accesses for more in range(4)] == [0, 1, 2, 3]
        materialize(plane)


def test_own_events_are_found_by_who_names_them(plane: ContextPlane) -> None:
    """Search leaves them out otherwise."""
    node = plane.remember("acme", "customer/a", "Prefers billing once a year", type="preference")
    for _ in range(2):
        assert node.id not in [hit.event_id for hit in plane.search("acme", "billing")]
        assert node.id not in [hit.event_id for hit in plane.search("acme", "billing", type="*")]
        for glob in ("cortex.memory.*", "cortex.*", "cortex.memory.preference"):
            assert [hit.event_id for hit in plane.search("acme", "billing", type=glob)] == [node.id]
        assert ids(plane.recall("acme", "billing")) == [node.id]
        materialize(plane)


def test_specs_see_the_own_events_that_they_name(plane: ContextPlane) -> None:
    """Those before the clock, fresh and materialized; and the snapshot reaches the head by own commits alone."""
    plane.remember("acme", "customer/a", "Likes March", type="preference", at="2026-03-03")
    plane.remember("acme", "customer/a", "Asked twice", at="2026-03-04")
    plane.remember("acme", "customer/a", "Likes today", type="preference")
    for _ in range(2):
        bundle = plane.bundle("acme", "customer/a", "naming_v0")
        assert bundle.fields == {"told": 2, "liked": [{"text": "Likes March"}], "notes": 2}
        assert plane.bundle("acme", "customer/a", "plain_v0").fields["n"] == 2
        assert plane.bundle("acme", "customer/a", "naming_v0", as_of="2026-03-03").fields["told"] == 1
        assert plane.bundle("acme", "customer/a", "naming_v0", known_at=1).fields["told"] == 0
        reaches_the_head(plane)


def test_packs_that_lack_own_events_are_not_taken_for_whole(plane: ContextPlane) -> None:
    """Of a spec that names them; a spec that does not is whole without. Readers see them meanwhile."""
    plane.remember("acme", "customer/a", "Likes March", type="preference", at="2026-03-03")
    days, builder = (0, 1 << 20), plane.builder("acme")
    builder.timeline(days)
    builder.search(days)
    builder.remember(days)
    builder.contexts("plain_v0", days)
    builder.publish()
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    assert snapshot.log == 1
    assert plane.bundle("acme", "customer/a", "naming_v0").fields["told"] == 1
    builder.contexts("naming_v0", days)
    published = builder.publish()
    assert published is not None
    assert published.log == 2
    assert plane.bundle("acme", "customer/a", "naming_v0").fields["told"] == 1


def test_a_snapshot_reaches_own_commits_of_any_kind(plane: ContextPlane) -> None:
    """Nodes, links and receipts, one after the other, also on days before the user's and after."""
    first = plane.remember("acme", "customer/a", "first", at="2026-02-01")
    reaches_the_head(plane)
    second = plane.remember("acme", "customer/a", "second", supersedes=first.id)
    reaches_the_head(plane)
    plane.link("acme", second.id, "refines", first.id)
    reaches_the_head(plane)
    answer(plane)
    reaches_the_head(plane)
    assert ids(plane.nodes("acme")) == [second.id]


def test_a_tenant_of_own_events_alone(tmp_path: Path) -> None:
    """Has a clock by these until users' events come, and answers before and after."""
    with opened(tmp_path / "home") as plane:
        node = plane.remember("acme", "customer/a", "Prefers billing once a year")
        assert plane._tenant("acme").view().clock > node.at
        reaches_the_head(plane)
        assert (plane.entities("acme"), ids(plane.recall("acme", "billing"))) == ([], [node.id])
        plane.ingest(
            "acme",
            [{"id": "1", "source": "crm", "type": "n", "subject": "customer/b", "time": "2026-03-01T00:00:00Z"}],
        )
        assert format_instant(plane._tenant("acme").view().clock) == "2026-03-02T00:00:00Z"
        assert (plane.entities("acme"), ids(plane.recall("acme", "billing"))) == (["customer/b"], [node.id])
