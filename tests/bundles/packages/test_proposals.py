"""Proposals and receipts: what is drawn on together is proposed, what only happens to be is not."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.bundles.packages.declaration import Chain
from context_plane.bundles.packages.proposals import propose
from context_plane.bundles.packages.reading import parse_package
from context_plane.bundles.packages.receipts import accesses, together


def sets(*chains: str) -> list[frozenset[str]]:
    """Answers, each of one-letter chains."""
    return [frozenset(each) for each in chains]


def test_chains_that_come_together_are_proposed() -> None:
    """As one package of all that fit each other, with how often and how much more often than by chance."""
    (found,) = propose(sets(*["abc"] * 6, *["d"] * 10, *["a"] * 2))
    assert found.chains == ("a", "b", "c")
    assert (found.answers, round(found.lift, 2)) == (6, 2.25)


def test_what_is_in_every_answer_belongs_to_nothing() -> None:
    """`z` comes with everything, so that it comes with `a` says nothing; `a` and `b` come only together."""
    found = propose(sets(*["zab"] * 6, *["z"] * 30, *["zc"] * 6))
    assert [each.chains for each in found] == [("a", "b")]


def test_chains_that_never_part_are_proposed_though_there_is_nothing_else() -> None:
    """Of a tenant with one topic of talk chance says nothing."""
    (found,) = propose(sets(*["ab"] * 5))
    assert (found.chains, found.lift) == (("a", "b"), 1.0)


def test_too_few_answers_are_no_proposal() -> None:
    """Nor with a higher limit."""
    assert propose(sets(*["ab"] * 4, *["c"] * 9)) == []
    assert propose(sets(*["ab"] * 9, *["c"] * 9), least=10) == []
    assert propose(sets(*["ab"] * 9, *["a"] * 9, *["b"] * 9), lift=2.0) == []
    assert propose([]) == []


def test_what_a_package_holds_already_is_not_proposed() -> None:
    """What reaches beyond it is."""
    answers = sets(*["abc"] * 6, *["x"] * 20)
    assert propose(answers, known=[frozenset("abcd")]) == []
    assert propose(answers, known=[frozenset("ab")])[0].chains == ("a", "b", "c")


def test_a_proposal_is_a_declaration() -> None:
    """Whatever the ids of its chains are."""
    ids = ["m-1", 'say "no": {x}', "#", "back\\slash"]
    (found,) = propose([frozenset(ids)] * 5)
    declared = parse_package(found.yaml)
    assert declared.entries == tuple(Chain(id_) for id_ in sorted(ids))
    assert declared.name == found.name
    assert propose([frozenset(ids)] * 9)[0].name == found.name
    assert found.to_dict()["yaml"] == found.yaml


@given(answers=st.lists(st.frozensets(st.sampled_from("abcdef"), max_size=5), max_size=40), least=st.integers(2, 6))
def test_any_answers(answers: list[frozenset[str]], least: int) -> None:
    """In any order the same; each proposal was drawn on as a whole often enough, and none lies within another."""
    found = propose(answers, least=least)
    assert found == propose(answers[::-1], least=least)
    for each in found:
        assert each.answers == sum(set(each.chains) <= chains for chains in answers) >= least
        assert len(each.chains) > 1
    assert not any(set(a.chains) <= set(b.chains) for a, b in combinations(found, 2))


def receipt(*items: Any) -> dict[str, Any]:
    """The data of a receipt."""
    return {"items": list(items)}


def test_receipts_tell_of_packages_and_chains() -> None:
    """A package counts once an answer; chains are those of memory; an answer without any counts too."""
    receipts = [
        receipt(
            {"section": "memory", "kind": "memory", "id": "n1", "chain": "a"},
            {"section": "memory", "kind": "memory", "id": "n2", "chain": "b"},
            {"section": "package", "kind": "package", "package": "team/x", "version": "sha256:1"},
            {"section": "package", "kind": "package", "package": "team/x", "version": "sha256:1"},
        ),
        receipt({"kind": "package", "name": "team/x"}, {"kind": "event", "chain": "c", "package": "team/y"}),
        receipt(),
    ]
    assert accesses(receipts) == {"team/x": 2}
    assert list(together(receipts)) == [frozenset("ab"), frozenset(), frozenset()]


ODD = [
    {}, {"items": None}, {"items": "x"}, {"items": [None, 7, "x", {}]},
    {"items": [{"kind": "package", "package": ["a"]}, {"kind": "memory", "chain": 7}]},
]  # fmt: skip


@pytest.mark.parametrize("data", ODD)
def test_receipts_of_another_form_say_nothing(data: Any) -> None:
    """They come from the log, where other versions may have written them."""
    assert accesses([data]) == {}
    assert list(together([data])) == [frozenset()]
