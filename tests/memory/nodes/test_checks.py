"""Checks: whatever is added, nothing comes after what came of it, and only what would close a circle is refused."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import Conflict, InputError, NotFound
from context_plane.memory.nodes.checks import check, settled
from context_plane.memory.nodes.node import UNORDERED, Edge, Kept
from context_plane.memory.nodes.part import Rows
from tests.memory.nodes.world import NAMES, edges, kept, link, memory_of


def circular(told: list[Edge]) -> bool:
    """Whether edges make a circle, by the sorter of the standard library."""
    before: dict[str, set[str]] = {}
    for edge in told:
        if edge.kind not in UNORDERED:
            before.setdefault(edge.later, set()).add(edge.earlier)
    try:
        TopologicalSorter(before).prepare()
    except CycleError:
        return True
    return False


@given(told=st.lists(edges(), max_size=40))
def test_edges_told_one_by_one_never_make_a_circle(told: list[Edge]) -> None:
    """One is refused where it would close one with those before, and nowhere else."""
    memory = memory_of(kept(name) for name in NAMES)
    taken: list[Edge] = []
    for edge in told:
        try:
            check(memory, [], [edge])
        except InputError as error:
            assert circular([*taken, edge]), edge
            assert "would close a circle" in error.what  # noqa: PT017 - either is right
        else:
            assert not circular([*taken, edge]), edge
            taken.append(edge)
            memory.add(Rows((), (edge,)), len(taken))


@given(told=st.lists(edges("abcdef"), max_size=9), known=st.integers(0, 3))
def test_edges_told_at_once_never_make_a_circle(told: list[Edge], known: int) -> None:
    """Some with their nodes, some later, on top of some that are there: all or none."""
    there = [edge for n, edge in enumerate(told[:known]) if {edge.actor, edge.target} <= set("abc")]
    there = there if not circular(there) else []
    memory = memory_of((kept(name) for name in "abc"), there)
    with_nodes = [edge for edge in told[known::2] if edge.actor in "def"]
    links = [edge for edge in told[known:] if edge not in with_nodes]
    nodes = [kept(name, 0, *((e.kind, e.target) for e in with_nodes if e.actor == name)) for name in "def"]
    if circular([*there, *with_nodes, *links]):
        with pytest.raises(InputError, match="would close a circle"):
            check(memory, nodes, links)
    else:
        check(memory, nodes, links)


def test_the_path_is_told() -> None:
    """From what would be the later end back to the earlier one."""
    memory = memory_of([kept("a"), kept("b", 1, ("supersedes", "a")), kept("c", 2), kept("d", 3)])
    memory.add(Rows((), (link("b", "led_to", "c"), link("d", "caused_by", "c"))), 2)
    with pytest.raises(InputError) as error:
        check(memory, [], [link("a", "refines", "d")])
    assert error.value.what == (
        "a refines d would close a circle: d comes after c comes after b comes after a"
    )  # fmt: skip
    assert error.value.where == "refines"
    check(memory, [], [link("d", "refines", "a"), link("a", "contradicts", "d"), link("d", "contradicts", "a")])


def test_a_long_path_is_shortened() -> None:
    """Both of its ends are told."""
    memory = memory_of(kept(f"n{n}", n, *([("supersedes", f"n{n - 1}")] if n else [])) for n in range(500))
    with pytest.raises(InputError, match=r"n499 comes after n498 .* … comes after n0 ") as error:
        check(memory, [], [link("n0", "supersedes", "n499")])
    assert len(error.value.what) < 400


def test_ten_thousand_on_a_chain_are_checked_at_once() -> None:
    """Neither recursion nor a walk down the whole chain for each of them."""
    chain = [kept(f"n{n}", n, *([("supersedes", f"n{n - 1}")] if n else [])) for n in range(10_000)]
    check(memory_of([]), chain)
    check(memory_of([]), chain[::-1])
    memory = memory_of(chain)
    check(memory, [kept(f"fan{n}", n, ("supersedes", "n9999")) for n in range(5_000)])
    check(memory, [kept(f"to{n}", n, ("led_to", "n0")) for n in range(5_000)])


@pytest.mark.parametrize("end", ["actor", "target"])
def test_both_ends_must_be_there(end: str) -> None:
    """Or come with it."""
    edge = link("a", "refines", "b")
    there = kept("b" if end == "actor" else "a")
    with pytest.raises(NotFound, match="there is no memory"):
        check(memory_of([there]), [], [edge])
    check(memory_of([there]), [kept("a" if end == "actor" else "b")], [edge])
    with pytest.raises(NotFound) as error:
        check(memory_of([]), [kept("x", 0, ("supersedes", "gone"))])
    assert (error.value.where, error.value.what) == ("supersedes", "x supersedes gone, but there is no memory 'gone'")


def told(id_: str, at: int, recorded: int, text: str = "x") -> Kept:
    return Kept(id_, "customer/a", "observation", text, at, recorded)


def test_what_is_told_again_is_what_is_known() -> None:
    """With another time of telling; and where it only holds since it was told, with that too."""
    memory = memory_of([told("a", 5, 5), told("b", 3, 5)])
    again = settled(memory, [told("a", 9, 9), told("a", 5, 9), told("b", 3, 9), told("c", 9, 9)])
    assert [(node.at, node.recorded) for node in again] == [(5, 5), (5, 5), (3, 5), (9, 9)]
    assert settled(memory_of([]), [told("a", 5, 5), told("a", 6, 6)]) == [told("a", 5, 5)] * 2


@pytest.mark.parametrize(
    "other", [told("a", 4, 9), told("a", 5, 9, "y"), told("a", 9, 9, "y"), kept("a", 5, text="x", confidence=0.5)]
)
def test_an_id_says_one_thing(other: Kept) -> None:
    """In the log, and in one call."""
    with pytest.raises(Conflict, match="says something else already"):
        settled(memory_of([told("a", 5, 5)]), [other])
    with pytest.raises(Conflict, match="says something else already"):
        settled(memory_of([]), [told("a", 5, 5), other])
