"""Telling on real planes: what is told is there at once, once, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.errors import Conflict, InputError, NotFound
from context_plane.log.outcome import RefusedBatch
from context_plane.memory.nodes.seen import Node
from tests.memory.nodes.world import START, ids


def test_what_is_told_is_returned_and_found_at_once(plane: ContextPlane) -> None:
    """On a tenant that has nothing else; by words, by entity, by id, in the timeline and by SQL."""
    node = plane.remember("acme", "customer/a", "Asked about SSO", session="s-1", confidence=0.5, about="customer/b")
    assert isinstance(node, Node)
    assert (node.text, node.type, node.session, node.confidence, node.current) == (
        "Asked about SSO", "observation", "s-1", 0.5, True,
    )  # fmt: skip
    assert ids(plane.recall("acme", "sso")) == [node.id]
    assert ids(plane.nodes("acme", entity="customer/b")) == ids(plane.recall("acme", "sso", entity="customer/b"))
    assert plane.node("acme", node.id).to_json() == node.to_json()
    (event,) = plane.timeline("acme", "customer/a").to_pylist()
    assert (event["type"], event["id"], event["text"]) == ("cortex.memory.observation", node.id, "Asked about SSO")
    assert plane.sql("acme", "SELECT id FROM memory").column("id").to_pylist() == [node.id]


def test_several_at_once_may_name_each_other(plane: ContextPlane) -> None:
    """All or none of them."""
    nodes: list[dict[str, Any]] = [
        {"entity": "customer/a", "content": "second", "id": "b", "supersedes": "a"},
        {"entity": "customer/b", "content": "first", "id": "a", "led_to": "c"},
        {"entity": "customer/a", "content": "third", "id": "c"},
    ]
    assert ids(plane.remember_many("acme", nodes)) == ["b", "a", "c"]
    assert plane.node("acme", "a").superseded_by == ("b",)
    with pytest.raises(InputError, match="e supersedes d would close a circle: d comes after e"):
        plane.remember_many(
            "acme",
            [
                {"entity": "customer/a", "content": "x", "id": "d", "supersedes": "e"},
                {"entity": "customer/a", "content": "y", "id": "e", "supersedes": "d"},
            ],
        )
    with pytest.raises(InputError) as error:
        plane.remember_many("acme", [*nodes, {"entity": "customer/a", "content": "x", "at": "1800-01-01"}])
    assert (error.value.where, "earliest" in error.value.remedy) == ("node 4", True)
    assert plane.remember_many("acme", []) == []
    assert (len(plane.nodes("acme", superseded=True)), plane._tenant("acme").history.refresh()) == (3, 1)


def test_a_repeated_call_is_the_same_node(plane: ContextPlane) -> None:
    """By its id, by what it says and when, and within one call; other words under an id are a conflict."""
    first = plane.remember("acme", "customer/a", "x", id="mine")
    again = plane.remember("acme", "customer/a", "x", id="mine")
    assert again.to_json() == first.to_json()
    assert (
        plane.remember("acme", "customer/a", "y", at=START).id == plane.remember("acme", "customer/a", "y", at=START).id
    )
    twice = plane.remember_many("acme", [{"entity": "customer/a", "content": "z", "id": "z"}] * 2)
    assert ids(twice) == ["z", "z"]
    assert plane._tenant("acme").history.refresh() == 3
    for other in ({"content": "other"}, {"content": "x", "confidence": 0.5}, {"content": "x", "at": START}):
        with pytest.raises(Conflict, match="memory mine says something else already"):
            plane.remember("acme", "customer/a", id="mine", **other)
    with pytest.raises(Conflict, match="memory q says something else"):
        plane.remember_many("acme", [{"entity": "customer/a", "content": t, "id": "q"} for t in "xy"])


def test_links_told_later(told: ContextPlane) -> None:
    """Once, whoever says it again; refused where it would close a circle, with the path, or where an end is missing."""
    node = told.link("acme", "offer", "refines", "monthly")
    assert [(e.kind, e.target) for e in node.edges] == [("caused_by", "annual"), ("refines", "monthly")]
    number = told._tenant("acme").history.refresh()
    assert told.link("acme", "offer", "refines", "monthly", at="2026-03-07").to_json() == node.to_json()
    assert told.link("acme", "annual", "supersedes", "monthly").edges == told.node("acme", "annual").edges
    assert told._tenant("acme").history.refresh() == number
    with pytest.raises(InputError, match="would close a circle: offer comes after monthly"):
        told.link("acme", "monthly", "caused_by", "offer")
    for actor, target in (("offer", "gone"), ("gone", "offer")):
        with pytest.raises(NotFound, match="there is no memory 'gone'"):
            told.link("acme", actor, "refines", target)
    with pytest.raises(InputError, match="refines itself"):
        told.link("acme", "offer", "refines", "offer")
    assert told._tenant("acme").history.refresh() == number


def test_a_link_from_before_its_nodes_shows_with_them(told: ContextPlane) -> None:
    """It says when it holds; it cannot be seen without its ends."""
    told.link("acme", "offer", "refines", "annual", at="2020-01-01")
    assert [e.kind for e in told.node("acme", "offer").edges] == ["refines", "caused_by"]
    assert told.node("acme", "annual", as_of="2026-03-04").superseded_by == ()
    with pytest.raises(NotFound, match="holds from 2026-03-05"):
        told.node("acme", "offer", as_of="2026-03-04")


def test_an_id_that_something_else_has(told: ContextPlane) -> None:
    """A link's event is no node; under the plane's source no user takes an id."""
    told.link("acme", "offer", "refines", "monthly")
    (taken,) = [e.event for e in told.node("acme", "offer").edges if e.kind == "refines"]
    with pytest.raises(Conflict, match="other content"):
        told.remember("acme", "customer/a", "x", id=taken)
    squat = {
        "specversion": "1.0", "id": "m-1", "source": "cortex/memory", "type": "crm.note", "subject": "customer/a",
        "time": "2026-03-01T00:00:00Z", "data": {"text": "squatting"},
    }  # fmt: skip
    with pytest.raises(RefusedBatch, match="reserved"):
        told.ingest("acme", [squat])
    assert told.remember("acme", "customer/a", "x", id="m-1").text == "x"
