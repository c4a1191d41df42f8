"""Staleness: what has changed is told in words, and what has not is fresh."""

from __future__ import annotations

from context_plane.bundles.packages.sources import find
from context_plane.bundles.packages.stale import changes
from tests.bundles.packages.world import World, compiled, declared, hit, kept

NODES = [kept("n1", "2026-01-01", "Uses MySQL"), kept("n2", "2026-02-01", "Pays by card", refines="n1")]


def told(declaration_text: str, before: World, after: World) -> tuple[str, ...]:
    """The changes of a package between two worlds."""
    declaration = declared(declaration_text)
    made = compiled(before, declaration)
    return changes(made, declaration, find(declaration, after), made.depends)


def test_nothing_new_is_fresh() -> None:
    """Though other things happened: another chain, another topic, another hit below the k best."""
    text = "knowledge: [a]\nchains: [n1]\nqueries: [{query: x, k: 1}]"
    before = World(NODES, {"a": ["one\n"]}, found={"x": [hit("1", "2026-01-01", "x")]})
    other = [*NODES, kept("m1", "2026-03-01", "Elsewhere")]
    hits = [hit("1", "2026-01-01", "x"), hit("2", "2026-01-02", "x x")]
    assert told(text, before, World(other, {"a": ["one\n"], "b": ["two\n"]}, found={"x": hits})) == ()


def test_each_kind_of_source_says_what_changed() -> None:
    """Nodes that came and that are superseded, steps and hits that came and went, a topic that is another."""
    chain = [*NODES, kept("n3", "2026-03-01", "Uses Postgres", supersedes="n1")]
    assert told("chains: [n1]", World(NODES), World(chain)) == ("chain n1: n1 is superseded", "chain n1: n3 is new")
    assert told("knowledge: [a]", World(texts={"a": ["x\n"]}), World(texts={"a": ["y\n"]})) == ("topic a changed",)
    one, two = [hit("1", "2026-01-01", "x")], [hit("2", "2026-01-02", "x")]
    assert told("queries: [x]", World(found={"x": one}), World(found={"x": two})) == (
        "query x (k=10, search=bm25): 2 is new", "query x (k=10, search=bm25): 1 is gone",
    )  # fmt: skip
    links = [("pull/2", "closes", "issue/1")]
    grown = [*links, ("pull/3", "refs", "pull/2")]
    found = told("chains: [{entity: issue/1, direction: forward}]", World(links=links), World(links=grown))
    assert found == ("forward issue/1 10: pull/3 refs pull/2 is new",)


def test_the_same_ids_that_say_something_else_are_a_change() -> None:
    """A hit whose text is another, though no id came or went."""
    one, two = [hit("1", "2026-01-01", "x")], [hit("1", "2026-01-01", "y")]
    assert told("queries: [x]", World(found={"x": one}), World(found={"x": two})) == (
        "query x (k=10, search=bm25) changed",
    )


def test_a_new_memory_of_an_entity_makes_its_package_stale() -> None:
    """Also where it is a chain of its own."""
    more = [*NODES, kept("m1", "2026-03-01", "Pays in EUR")]
    assert told("chains: [{memory: service/pay}]", World(NODES), World(more)) == ("memory service/pay: m1 is new",)


def test_a_declaration_that_means_something_else_is_a_change() -> None:
    """One that is only written differently is none."""
    world, before = World(NODES), declared("chains: [n1]")
    made = compiled(world, before)
    for text, expected in (
        ("chains: [n1]\nmode: dense", ("its declaration changed",)),
        ("chains:\n  # as before\n  - n1\nmode: verbatim", ()),
    ):
        after = declared(text)
        assert changes(made, after, find(after, world), ()) == expected


def test_another_version_below_is_a_change() -> None:
    """And so is one that was not there."""
    world = World(NODES, {"a": ["one\n"], "b": ["two\n"]})
    base = compiled(world, declared("knowledge: [a]", "org/base"))
    top = declared("chains: [n1]\npackages: [org/base]")
    made = compiled(world, top, base)
    other = compiled(world, declared("knowledge: [b]", "org/base"))
    assert changes(made, top, find(top, world), [(base.name, base.version)]) == ()
    assert changes(made, top, find(top, world), [(other.name, other.version)]) == ("package org/base changed",)
