"""Facts and pieces: what a reader is shown of each kind of source, and that CTX gives the facts back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.bundles.packages.facts import COLUMNS, Fact, Piece, fact_of, piece_of
from context_plane.ctx import documents
from context_plane.ctx.tokens import count

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80),
    st.sampled_from(
        ["[2]{a,b}:\n1,2\n3,4", "§text compact\nx", "&1:x\n*1", "nodes[1]{day}:\n2026-01-01", "</x>", "a. " * 30]
    ),
)


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    """A piece of any kind."""
    kind = draw(st.sampled_from(["memory", "chain", "events", "knowledge"]))
    ids = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1, max_size=6))
    facts = []
    for id_ in ids:
        says = {"text": draw(TEXTS)}
        if kind != "knowledge":
            says |= {name: draw(TEXTS) for name in draw(st.sets(st.sampled_from(COLUMNS[:-1])))}
        edges = st.tuples(st.sampled_from(["refines", "led_to"]), st.sampled_from([*ids, "elsewhere"]))
        links = draw(st.lists(edges, max_size=2)) if kind == "memory" else []
        facts.append(Fact("s", id_, says, tuple(links), draw(st.sampled_from(["", "a/b"]))))
    return Piece(kind, f"{kind} x", "a/b", tuple(facts), draw(st.booleans()), draw(st.booleans()))


@given(piece=pieces())
def test_ctx_gives_the_facts_back_in_fewer_tokens(piece: Piece) -> None:
    """Data as equal values, text as the same blocks or facts; never more tokens than uncompiled."""
    for data, text in (("verbatim", "verbatim"), ("compact", "compact"), ("dense", "semantic")):
        made = piece.encoded(data, text)
        assert made.tokens == count(made.text) <= count(piece.raw)
        if piece.kind == "knowledge":
            assert documents.verify(piece.value, made.text, "text").level is not None
        else:
            assert documents.decode(made.text, "data") == ("data", piece.value)


@given(piece=pieces())
def test_a_piece_comes_back_from_its_json(piece: Piece) -> None:
    """With its order and everything that its text depends on."""
    again = piece_of(json.loads(json.dumps(piece.to_json(), sort_keys=True)))
    assert again.encoded("compact", "compact") == piece.encoded("compact", "compact")
    assert [fact.key for fact in again.facts] == [fact.key for fact in piece.facts]
    assert again.to_json() == piece.to_json()


def test_nodes_are_numbered_where_they_are_linked() -> None:
    """Links to nodes that are not there are not shown, though they are kept."""
    one = Fact("m", "n1", {"text": "a"}, (("supersedes", "n0"),))
    two = Fact("m", "n2", {"text": "b"}, (("refines", "n1"), ("caused_by", "n0")))
    assert Piece("memory", "chain n1", "a/b", (one, two)).value == {
        "memory": "a/b", "nodes": [{"#": 1, "text": "a"}, {"#": 2, "text": "b", "links": "refines 1"}],
    }  # fmt: skip
    assert Piece("memory", "chain n1", "a/b", (one,)).value == {"memory": "a/b", "nodes": [{"text": "a"}]}


def test_a_text_that_looks_like_ctx_is_marked_as_none() -> None:
    """Else a program would take a topic's words for its form; the mark counts as uncompiled too."""
    piece = Piece("knowledge", "topic a", "a", (Fact("k", "1", {"text": "§text compact\n[1] x"}),))
    made = piece.encoded("verbatim", "verbatim")
    assert made.text.startswith("§text\n")
    assert documents.decode(made.text, "text") == ("text", "§text compact\n[1] x")
    assert made.tokens <= count(piece.raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"source": "a", "id": "b", "says": {"password": "x"}},
        {"source": "a", "id": 1, "says": {}},
        {"source": "a", "id": "b", "says": []},
        {"source": "a", "id": "b", "says": {}, "links": [["refines", 1]]},
    ],
)
def test_what_no_fact_says_is_refused(raw: dict[str, object]) -> None:
    """Packages come from elsewhere too."""
    with pytest.raises((ValueError, TypeError)):
        fact_of(raw)


def test_what_is_no_piece_is_refused() -> None:
    """A kind that there is not, knowledge without words."""
    good = {"kind": "knowledge", "id": "a", "of": "a", "facts": [{"source": "k", "id": "1", "says": {"text": "x"}}]}
    assert piece_of(good).value == "x"
    for bad in ({**good, "kind": "instructions"}, {**good, "facts": [{"source": "k", "id": "1", "says": {}}]}):
        with pytest.raises(ValueError, match=r"kind|text"):
            piece_of(bad)
