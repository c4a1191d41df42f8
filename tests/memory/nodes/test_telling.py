"""Telling: from arguments to nodes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from context_plane.errors import InputError
from context_plane.memory.nodes import telling
from context_plane.memory.nodes.telling import told, told_many

NOW = 1_772_000_000_000_000


@pytest.fixture(autouse=True)
def _stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "now", lambda: NOW)


def test_what_is_told_holds_from_now_on() -> None:
    """Unless it says since when."""
    node = told("customer/a", "Prefers annual")
    assert (node.at, node.recorded, node.confidence, node.about, node.links) == (NOW, NOW, 1.0, (), ())
    assert node.id.startswith("m-")
    assert told("customer/a", "x", at="2026-03-01").at == 1_772_323_200_000_000
    assert told("customer/a", "x", at=datetime(2026, 3, 1, tzinfo=UTC)).at == 1_772_323_200_000_000
    assert told("customer/a", "x", at="2026-03-01T01:00:00+01:00").at == 1_772_323_200_000_000


def test_one_or_several() -> None:
    """Of entities and of links, each once, and not the entity itself."""
    node = told("customer/a", "x", about=["customer/b", "customer/a", "customer/b"], refines="m-1", supersedes=["m-2"])
    assert node.about == ("customer/b",)
    assert sorted(node.links) == [("refines", "m-1"), ("supersedes", "m-2")]
    assert told("customer/a", "x", about="customer/b", led_to=(), caused_by=None).links == ()


def test_an_id_of_ones_own_is_kept() -> None:
    """And without one the same call is the same node."""
    assert told("customer/a", "x", id="mine").id == "mine"
    assert told("customer/a", "x", at=1).id == told("customer/a", "x", at=1).id != told("customer/a", "y", at=1).id


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"entity": None}, "entity"),
        ({"content": 5}, "content"),
        ({"id": ""}, "id"),
        ({"id": 5}, "id"),
        ({"about": 5}, "about"),
        ({"about": [["customer/b"]]}, "about"),
        ({"supersedes": 5}, "supersedes"),
        ({"supersedes": [None]}, "supersedes"),
        ({"led_to": {"a": 1, 2: 3}}, "led_to"),
        ({"refines": ""}, "refines"),
        ({"at": "yesterday"}, "at"),
        ({"at": 1.5}, "at"),
        ({"at": datetime(2026, 1, 1)}, "at"),  # noqa: DTZ001 - the point of it
        ({"at": 1 << 62}, "at"),
        ({"at": -(1 << 70)}, "at"),
    ],
)
def test_arguments_that_cannot_be_meant(changed: dict[str, Any], where: str) -> None:
    """Are named."""
    with pytest.raises(InputError) as error:
        told(**{"entity": "customer/a", "content": "x", **changed})
    assert error.value.where == where


@pytest.mark.parametrize(
    ("node", "message", "where"),
    [
        ("abc", "is not a mapping", "node 2"),
        (5, "is not a mapping", "node 2"),
        ({"entity": "customer/a", "content": "x", "text": "x"}, "there is no field 'text'", "node 2"),
        ({"entity": "customer/a"}, "content is missing", "node 2"),
        ({"entity": "a", "content": "x"}, "is not an entity", "node 2, entity"),
        ({"entity": "customer/a", "content": "x", 5: 1, "zz": 2}, "there is no field", "node 2"),
    ],
)
def test_of_many_the_one_that_is_wrong_is_named(node: Any, message: str, where: str) -> None:
    """By its number."""
    with pytest.raises(InputError, match=message) as error:
        told_many([{"entity": "customer/a", "content": "good"}, node])
    assert error.value.where == where
