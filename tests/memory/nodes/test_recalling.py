"""Recalling: what is dropped of the hits of a search, and how far it is looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import InputError
from context_plane.memory.nodes import recalling
from context_plane.memory.nodes.node import PREFIX, Kept
from context_plane.memory.nodes.recalling import Searching, Wanted, listed, recall
from context_plane.retrieval.hit import Hit, Scores
from tests.memory.nodes.world import kept, seen_of


class Ranked:
    """A search that gives its nodes in the order of their scores."""

    def __init__(self, nodes: Sequence[tuple[Kept, float]]) -> None:
        self.nodes = sorted(nodes, key=lambda each: (-each[1], each[0].entity, each[0].order))
        self.asked: list[int] = []

    def __call__(self, entities: tuple[str, ...] | None, count: int) -> list[Hit]:
        return self.within(-(1 << 62), 1 << 62)(entities, count)

    def within(self, start: int, end: int) -> Searching:
        def search(entities: tuple[str, ...] | None, count: int) -> list[Hit]:
            self.asked.append(count)
            fitting = [
                (n, s) for n, s in self.nodes if start <= n.at < end and (entities is None or n.entity in entities)
            ]
            return [
                Hit("acme", n.id, n.entity, n.at, PREFIX + n.type, n.text, s, Scores(s, None), "cortex/memory")
                for n, s in fitting[:count]
            ]  # fmt: skip

        return search


def ids(found: Any) -> list[str]:
    return [each.id for each in found]


NODES = [
    kept("old", 1), kept("new", 2, ("supersedes", "old")), kept("two", 3, about=("customer/b",)),
    kept("other", 4, entity="customer/c"), kept("choice", 5, type="decision", session="s-1"),
    kept("doubt", 6, confidence=0.2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["new", "two", "other", "choice", "doubt"]),
        ({"superseded": True}, ["old", "new", "two", "other", "choice", "doubt"]),
        ({"entities": ("customer/b",)}, ["two"]),
        ({"entities": ("customer/b", "customer/c")}, ["two", "other"]),
        ({"entities": ("customer/z",)}, []),
        ({"entities": ()}, []),
        ({"types": ("decision",)}, ["choice"]),
        ({"types": ()}, []),
        ({"session": "s-1"}, ["choice"]),
        ({"session": ""}, ["new", "two", "other", "doubt"]),
        ({"least": 0.2}, ["new", "two", "other", "choice", "doubt"]),
        ({"least": 0.21}, ["new", "two", "other", "choice"]),
    ],
)
def test_what_is_wanted(wanted: dict[str, Any], expected: list[str]) -> None:
    """The same of a search and of a list."""
    seen, asked = seen_of(NODES), Wanted(**wanted).checked()
    search = Ranked([(node, 1.0 - node.at / 10) for node in NODES])
    assert sorted(ids(recall(seen, search, asked, 9))) == sorted(ids(listed(seen, asked))) == sorted(expected)
    assert ids(listed(seen, asked)) == expected


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        ({"types": ("link",)}, "type"),
        ({"session": 5}, "session"),
        ({"least": "x"}, "min_confidence"),
        ({"least": float("nan")}, "min_confidence"),
        ({"least": 2}, "min_confidence"),
    ],
)
def test_what_cannot_be_wanted(wanted: dict[str, Any], where: str) -> None:
    """Is named."""
    with pytest.raises(InputError) as error:
        Wanted(**wanted).checked()
    assert error.value.where == where


@pytest.mark.parametrize("k", [-1, -20, 10_001, True, None, "5", 2.0])
def test_a_k_that_cannot_be_meant(k: Any) -> None:
    """Is refused as search does."""
    with pytest.raises(InputError) as error:
        recall(seen_of(NODES), Ranked([]), Wanted(), k)
    assert error.value.where == "k"


def test_as_much_is_asked_for_as_is_needed() -> None:
    """A few more than wanted, and more where that was not enough."""
    many = [kept(f"n{n}", n, *([("supersedes", f"n{n - 1}")] if n else [])) for n in range(200)]
    search = Ranked([(node, 1.0) for node in many])
    assert ids(recall(seen_of(many), search, Wanted(), 2)) == ["n199"]
    assert search.asked == [10, 40, 160, 640]
    none = Ranked([(node, 1.0) for node in many])
    assert recall(seen_of(many), none, Wanted(), 0) == []
    assert none.asked == [8]


@given(
    times=st.lists(st.integers(0, 20), min_size=1, max_size=40),
    scores=st.lists(st.sampled_from([0.2, 0.5, 0.9]), min_size=40, max_size=40),
    gone=st.lists(st.booleans(), min_size=40, max_size=40),
    k=st.integers(0, 6),
)
def test_nothing_is_lost_behind_what_is_not_wanted(
    times: list[int], scores: list[float], gone: list[bool], k: int
) -> None:
    """However many better hits are superseded: spans of time are searched apart, and the best of all are returned."""
    nodes = [
        kept(f"n{n:02}", at, confidence=0.1 if lost else 1)
        for n, (at, lost) in enumerate(zip(times, gone, strict=False))
    ]
    search = Ranked(list(zip(nodes, scores, strict=False)))
    patch = pytest.MonkeyPatch()
    patch.setattr(recalling, "MOST", 6)
    try:
        found = recall(seen_of(nodes), search, Wanted(least=0.5), k, search.within)
    finally:
        patch.undo()
    best = [node.id for node, _ in search.nodes if node.confidence == 1]
    at_once = max(times.count(at) for at in times)
    assert ids(found) == best[:k] or at_once > 6
    assert len(set(ids(found))) == len(found)


def test_scores_are_printed_as_search_prints_them() -> None:
    """Six digits behind the point."""
    (found,) = recall(seen_of([kept("a")]), Ranked([(kept("a"), 1 / 3)]), Wanted(), 1)
    assert found.to_json()["scores"] == {"bm25": 0.333333, "vector": None}
    assert found.to_json().keys() > {"id", "text", "score", "conflicts"}
    assert found.text == "about a"
