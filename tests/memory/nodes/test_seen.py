"""What a view shows: current, superseded, in conflict, in a chain; at any instant and log number what a model shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import InputError, NotFound
from context_plane.memory.nodes.checks import check
from context_plane.memory.nodes.memory import Memory
from context_plane.memory.nodes.node import Edge, Kept
from context_plane.memory.nodes.part import Rows
from context_plane.memory.nodes.seen import Seen
from tests.memory.nodes.world import INSTANTS, NAMES, Model, edges, kept, kinds, link, memory_of, said, seen_of

Commit = tuple[list[Kept], list[Edge], dict[str, int]]


@st.composite
def logs(draw: st.DrawFn) -> list[Commit]:
    """Commits as the log would take them: each of one new node with edges, of a link, or of a receipt."""
    memory, commits = Memory(), list[Commit]()
    names = list(NAMES)
    for what in draw(st.lists(st.sampled_from("nnnllr"), max_size=16)):
        rows = Rows()
        if what == "n" and names:
            name, entity = names.pop(0), draw(st.sampled_from(["customer/a", "customer/b"]))
            near = draw(st.lists(st.tuples(kinds, st.sampled_from(sorted(memory.nodes))), max_size=2)) if memory else []
            links = dict.fromkeys(near)
            node = kept(name, draw(INSTANTS), *links, entity=entity, about=draw(st.sampled_from([(), ("customer/c",)])))
            rows = Rows((node,))
        elif what == "l" and len(memory) > 1:
            edge = draw(edges("".join(memory.nodes)))
            rows = Rows((), (edge,) if edge not in memory.by_actor.get(edge.actor, ()) else ())
        elif what == "r" and memory:
            rows = Rows((), (), {draw(st.sampled_from(sorted(memory.nodes))): draw(st.integers(1, 2))})
        try:
            check(memory, rows.nodes, rows.links)
        except (InputError, NotFound):
            continue
        memory.add(rows)
        commits.append((list(rows.nodes), list(rows.links), dict(rows.accessed)))
    return commits


def loaded(commits: list[Commit], base: int) -> Memory:
    """The first of them as parts give them, the others as they come in."""
    memory = Memory()
    for number, (nodes, links, accessed) in enumerate(commits, 1):
        memory.add(Rows(tuple(nodes), tuple(links), accessed), None if number <= base else number)
    return memory


@given(commits=logs(), data=st.data())
def test_a_view_shows_what_its_events_alone_state(commits: list[Commit], data: st.DataObject) -> None:
    """Whatever came later, in the log or in time: a memory of only these events, and a model, say the same."""
    base = data.draw(st.integers(0, len(commits)), "of the parts")
    number, cut = data.draw(st.integers(base, len(commits)), "known_at"), data.draw(st.integers(0, 8), "as_of")
    found = Seen(loaded(commits, base), cut, number)
    model, alone = Model(), Memory()
    for at, (nodes, links, accessed) in enumerate(commits, 1):
        model.tell(at, nodes, links)
        if at <= number:
            alone.add(Rows(tuple(n for n in nodes if n.at < cut), tuple(e for e in links if e.at < cut), accessed))
    assert said(map(found.described, found.all())) == model.shown(cut, number)
    only = Seen(alone, 1 << 62, 0)
    assert [found.described(k).to_json() for k in found.all()] == [only.described(k).to_json() for k in only.all()]
    for entity in ("customer/a", "customer/b", "customer/c", "customer/d"):
        assert found.about(entity) == [k for k in found.all() if entity in k.entities] == only.about(entity)
    for name in NAMES:
        assert (name in found) == (name in only) == any(name == k.id for k in found.all())
        if name in found:
            assert found.chain(name) == only.chain(name)
            assert [*found.edges_from(name), *found.edges_to(name)] == [*only.edges_from(name), *only.edges_to(name)]


@given(commits=logs(), seed=st.randoms(use_true_random=False))
def test_what_is_shown_does_not_depend_on_the_order_of_commits(commits: list[Commit], seed: Any) -> None:
    """Nor on what parts they were loaded from."""
    shuffled = list(commits)
    seed.shuffle(shuffled)
    told, other = (Seen(loaded(each, len(each)), 5, 1) for each in (commits, shuffled))
    assert [told.described(k).to_json() for k in told.all()] == [other.described(k).to_json() for k in other.all()]


def test_two_that_supersede_one_are_in_conflict() -> None:
    """Both are current, and each names the other; the first who did stands first."""
    seen = seen_of([kept("a"), kept("c", 1, ("supersedes", "a")), kept("b", 2, ("supersedes", "a"))])
    assert seen.superseded_by("a") == ("c", "b")
    assert (seen.node("b").conflicts, seen.node("c").conflicts, seen.node("a").conflicts) == (("c",), ("b",), ())
    assert (seen.node("a").current, seen.node("b").current) == (False, True)


def test_a_conflict_lasts_until_something_supersedes_both() -> None:
    """To say more of one side does not settle it."""
    both = [kept("a"), kept("b", 1, ("supersedes", "a")), kept("c", 2, ("supersedes", "a"))]
    one_side = seen_of([*both, kept("d", 3, ("supersedes", "b")), kept("e", 4, ("supersedes", "d"))])
    assert (one_side.node("e").conflicts, one_side.node("c").conflicts) == (("c",), ("e",))
    settled = seen_of([*both, kept("d", 3, ("supersedes", "b"), ("supersedes", "c"))])
    assert settled.node("d").conflicts == ()
    preferred = seen_of(both, [link("b", "supersedes", "c", 3)])
    assert (preferred.node("b").conflicts, preferred.node("c").superseded_by) == ((), ("b",))


def test_contradicting_nodes_are_in_conflict_while_both_are_current() -> None:
    """In whichever direction it was said."""
    seen = seen_of([kept("a"), kept("b", 1, ("contradicts", "a")), kept("c", 2, ("contradicts", "b"))])
    assert [seen.node(each).conflicts for each in "abc"] == [("b",), ("a", "c"), ("b",)]
    after = seen_of([kept("a"), kept("b", 1, ("contradicts", "a")), kept("c", 2, ("supersedes", "a"))])
    assert [after.node(each).conflicts for each in "abc"] == [(), (), ()]


def test_a_node_is_seen_from_when_on_it_holds() -> None:
    """And an edge from when on it was said, once both ends are seen."""
    nodes = [kept("a", 2), kept("b", 5, ("supersedes", "a"))]
    assert [k.id for k in seen_of(nodes, cut=5).all()] == ["a"]
    assert seen_of(nodes, cut=5).node("a").current
    assert not seen_of(nodes, cut=6).node("a").current
    early = [link("b", "refines", "a", 1)]
    assert [list(seen_of(nodes, early, cut=cut).edges_to("a")) for cut in (2, 5)] == [[], []]
    assert [e.kind for e in seen_of(nodes, early, cut=6).edges_to("a")] == ["refines", "supersedes"]
    late = [link("b", "refines", "a", 7)]
    assert [len(list(seen_of(nodes, late, cut=cut).edges_to("a"))) for cut in (5, 6, 7, 8)] == [0, 1, 1, 2]


def test_what_is_not_seen_says_why() -> None:
    """It holds later, or there is no such node; one that is not known yet does not show that it will be."""
    seen = seen_of([kept("a", 86_400_000_000)], cut=5)
    with pytest.raises(NotFound, match="memory a holds from 1970-01-02T00:00:00Z on"):
        seen.node("a")
    memory = memory_of([])
    memory.add(Rows((kept("late", 1),)), 7)
    for id_ in ("late", "b", "", 5, None, ["a"]):
        with pytest.raises(NotFound, match="there is no memory"):
            Seen(memory, 99, 6).node(id_)  # type: ignore[arg-type]
    assert Seen(memory, 99, 7).node("late")


def test_of_one_id_the_first_stays() -> None:
    """As of one identity in the log; its edges are not doubled."""
    memory = memory_of([kept("a"), kept("b", 1, ("refines", "a"))])
    memory.add(Rows((kept("b", 9, text="other"),), (link("b", "refines", "a", 3),)), 3)
    seen = Seen(memory, 99, 9)
    assert (len(memory), seen.node("b").text, len(seen.node("b").edges)) == (2, "about b", 2)


def test_accesses_are_those_up_to_the_number() -> None:
    """Of the parts all, of later answers those that the view knows."""
    memory = memory_of([kept("a")], accessed={"a": 2})
    memory.add(Rows((), (), {"a": 1}), 5)
    memory.add(Rows((), (), {"a": 2}), 6)
    assert [Seen(memory, 9, number).node("a").accesses for number in (4, 5, 6)] == [2, 3, 5]


def test_ten_thousand_that_supersede_one_another() -> None:
    """One after the other, and all the same one: without recursion, and each asked once."""
    chain = [kept(f"n{n}", n, *([("supersedes", f"n{n - 1}")] if n else [])) for n in range(10_000)]
    fan = [kept(f"f{n}", 10_000 + n, ("supersedes", "n9999")) for n in range(300)]
    seen = seen_of([*chain, *fan])
    nodes = [seen.described(each) for each in seen.all()]
    assert {node.chain for node in nodes} == {"n0"}
    assert sum(node.current for node in nodes) == 300
    assert {len(node.conflicts) for node in nodes[10_000:]} == {299}
    assert len(seen.chain("n5")) == 10_300
