"""The fold: rows in, links out, whatever the order; and their JSON form."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.instants import format_instant
from context_plane.memory.links.declared import Declared, Linking
from context_plane.memory.links.fold import fold
from context_plane.memory.links.link import KINDS, Evidence, Link, Target
from tests.bundles.events import event, table

LINKING = Linking(
    sources={
        "test": Declared.of(
            {"parent": "parent"}, [{"written": "AUTH-{number}", "entity": "issue/AUTH-{number}"}], ("title", "text")
        )
    }
)
TEXTS = st.sampled_from(
    ["fixes #5", "see #5 and #6", "AUTH-7", "superseded by acme/other#1", "nothing", "", "reverts 12ab34c"]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "entity": st.sampled_from(["issue/acme/shop#12", "issue/acme/shop#5", "customer/acme"]),
            "time": st.integers(0, 3).map(lambda second: second * 1_000_000),
            "source": st.sampled_from(["test", "other"]),
            "id": st.sampled_from("abc"),
            "type": st.just("t"),
            "data": st.one_of(st.none(), st.fixed_dictionaries({"text": TEXTS, "title": TEXTS, "parent": TEXTS})),
        }
    ),
    max_size=6,
)


def row(id_: str = "1", **data: Any) -> dict[str, Any]:
    """An event of an issue."""
    return {"entity": "issue/acme/shop#12", "time": 0, "source": "test", "id": id_, "type": "t", "data": data}


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(rows: list[dict[str, Any]], random: Any) -> None:
    """Nor does an event that comes twice, nor how the events are parted."""
    links = fold(rows, LINKING)
    shuffled = rows + rows[:2]
    random.shuffle(shuffled)
    assert fold(shuffled, LINKING) == links == sorted(set(links))
    assert sorted({*fold(rows[:3], LINKING), *fold(rows[3:], LINKING)}) == links


@given(ROWS)
def test_data_is_an_object_or_its_json_and_time_a_number_or_its_text(rows: list[dict[str, Any]]) -> None:
    """As the log and the timeline have them."""
    written = [{**each, "data": json.dumps(each["data"]), "time": format_instant(each["time"])} for each in rows]
    assert fold(written, LINKING) == fold(rows, LINKING)


def test_a_table_of_the_timeline() -> None:
    """Its columns are what the fold reads."""
    data = {"text": "fixes #5", "parent": "#1"}
    events = [event("issue/acme/shop#12", 3, data), event("customer/acme", 4, {"text": "#5"}), event("a/b#1", 5)]
    links = fold(table(events), LINKING)
    assert [(link.time, link.id, *link.edge) for link in links] == [
        (3_000_000, "000003", "issue/acme/shop#12", "closes", "issue/acme/shop#5"),
        (3_000_000, "000003", "issue/acme/shop#12", "parent", "issue/acme/shop#1"),
    ]
    assert fold(table([]), LINKING) == []


@pytest.mark.parametrize(
    "data", [None, 5, "[]", '"#5"', "#5", {"text": 5}, {"text": None}, {"note": "#5"}, {"text": ["#5"]}]
)
def test_events_without_text_have_no_links(data: Any) -> None:
    """Text is what is declared as such: `data.text`, if nothing is."""
    assert fold([{**row(), "data": data}]) == []


def test_fields_that_are_declared_are_read() -> None:
    """In their order: the first that says a thing is its evidence."""
    links = fold([row(title="Fix #5", text="Fix #5, see #6", refs=["#7"])], LINKING)
    assert [(link.kind, link.evidence.field, link.target.written) for link in links] == [
        ("closes", "title", "#5"),
        ("refs", "text", "#6"),
    ]


def test_the_direction_of_an_edge() -> None:
    """What is superseded says so; the edge begins at what supersedes it."""
    links = fold([row(text="Superseded by #9. It reverts 12ab34c.")])
    assert [link.edge for link in links] == [
        ("issue/acme/shop#12", "reverts", "12ab34c"),
        ("issue/acme/shop#9", "supersedes", "issue/acme/shop#12"),
    ]


def test_links_are_frozen_and_ordered_by_event() -> None:
    """Time, source, id: the order of everything else."""
    links = fold([{**row("b", text="#1"), "time": 5}, row("b", text="#2"), {**row("a", text="#3"), "source": "a"}])
    assert [(link.time, link.source, link.id) for link in links] == [(0, "a", "a"), (0, "test", "b"), (5, "test", "b")]
    with pytest.raises(FrozenInstanceError):
        links[0].kind = "closes"  # type: ignore[misc]


LINKS = st.builds(
    Link, st.integers(0, 2**50), st.text(), st.text(), st.text(), st.sampled_from(KINDS),
    st.builds(Target, st.text(min_size=1), st.text(), st.text()), st.booleans(), st.text(),
    st.one_of(st.builds(Evidence, st.text()), st.builds(Evidence, st.text(), st.integers(0, 9), st.integers(10, 99))),
)  # fmt: skip


@given(LINKS)
def test_json_is_read_back(link: Link) -> None:
    """As it was, also through text."""
    assert Link.from_json(json.loads(json.dumps(link.to_json()))) == link


def test_json_of_a_link() -> None:
    """The form that is documented."""
    (link,) = fold([row(text="Superseded by #9.")])
    assert link.to_json() == {
        "time": "1970-01-01T00:00:00Z",
        "source": "test",
        "id": "1",
        "entity": "issue/acme/shop#12",
        "kind": "supersedes",
        "target": {"written": "#9", "entity": "issue/acme/shop#9"},
        "inverse": True,
        "rule": "superseded-by",
        "evidence": {"field": "text", "span": [0, 16]},
    }


def test_json_of_a_declaration() -> None:
    """What is recorded is what was declared, in one order."""
    raw = json.loads(json.dumps(LINKING.to_json()))
    assert Linking.from_json(raw) == LINKING
    assert raw == {
        "extractor": "rules",
        "sources": {
            "test": {
                "links": {"parent": "parent"},
                "references": [{"written": "AUTH-{number}", "entity": "issue/AUTH-{number}"}],
                "fields": ["title", "text"],
            }
        },
    }
