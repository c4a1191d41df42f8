"""Links from the columns that a source declares."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.memory.links.columns import targets
from context_plane.memory.links.declared import Declared
from context_plane.memory.links.extractor import Said
from context_plane.memory.links.notations import notation, own
from context_plane.memory.links.rules import Rules

ME = own("issue/acme/shop#12")


def entities(value: Any, entity: str = "issue/acme/shop#12", *references: dict[str, str]) -> list[str]:
    """What a value leads to."""
    return [each.entity for each in targets(value, own(entity), list(map(notation, references)))]


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("#5", ["acme/shop#5"]),
        ("5", ["acme/shop#5"]),
        (5, ["acme/shop#5"]),
        (5.0, ["acme/shop#5"]),
        ("acme/other#5", ["acme/other#5"]),
        ("issue/acme/shop#5", ["acme/shop#5"]),
        ("https://h.example/acme/shop/pull/5", ["acme/shop#5"]),
        (["#5", "#6"], ["acme/shop#5", "acme/shop#6"]),
        ('["#5", 6]', ["acme/shop#5", "acme/shop#6"]),
        ("[5, [6]]", ["acme/shop#5", "acme/shop#6"]),
        ([{"ref": "acme/shop#5"}], ["acme/shop#5"]),
        ({"number": 5, "title": "x"}, ["acme/shop#5"]),
        ('[{"id": "#5"}]', ["acme/shop#5"]),
        ("#5, #6; 7", ["acme/shop#5", "acme/shop#6", "acme/shop#7"]),
        ("#5, unknown", ["#5, unknown"]),
        ("[broken", ["[broken"]),
        ("EPIC", ["EPIC"]),
        (" #5 ", ["acme/shop#5"]),
    ],
)
def test_values(value: Any, ids: list[str]) -> None:
    """One reference, a list, JSON, objects; what is in no notation is an id of the same type."""
    assert entities(value) == [f"issue/{id_}" for id_ in ids]


@pytest.mark.parametrize(
    "value", [None, "", " ", [], {}, True, 1.5, "[]", [None], {"x": 1}, {"ref": ["#5"]}, "a\x00b", "x" * 1_025]
)
def test_what_is_no_reference(value: Any) -> None:
    """Nothing comes of it."""
    assert entities(value) == []


def test_ids_without_a_number_sign() -> None:
    """A bare number takes the place of one's own."""
    assert entities("4712", "ticket/4711") == ["ticket/4712"]
    assert entities("13", "issue/AUTH-12") == ["issue/AUTH-13"]
    assert entities("T-17", "ticket/4711") == ["ticket/T-17"]
    assert entities("c-7", "customer/acme") == ["customer/c-7"]
    assert entities("7", "customer/acme") == ["customer/7"]
    assert entities("ticket/7", "ticket/4711") == ["ticket/7"]


def test_declared_notations_come_first() -> None:
    """As in a text."""
    jira = {"written": "AUTH-{number}", "entity": "story/AUTH-{number}"}
    assert entities("AUTH-5,AUTH-6", "issue/AUTH-12", jira) == ["story/AUTH-5", "story/AUTH-6"]


def test_the_evidence_is_the_column() -> None:
    """Any kind may be declared; a thing is no target of itself."""
    declared = Declared.of({"closes": "fixed", "parent": "epic", "blocks": "absent"})
    said = Said(
        "issue/acme/shop#12", 0, "s", "1", "t", {"fixed": ["#5", "#12"], "epic": "#7", "text": "see #8"}, declared
    )
    links = Rules().extract(said)
    assert [(x.kind, x.target.written, x.rule, x.evidence.field, x.evidence.span) for x in links] == [
        ("closes", "#5", "column", "fixed", None),
        ("parent", "#7", "column", "epic", None),
        ("refs", "#8", "number", "text", (4, 6)),
    ]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["#5", "[", '["#5"]'])),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.sampled_from(["ref", "id", "x"]), inner)),
)


@given(JSON)
def test_no_value_is_an_error(value: Any) -> None:
    """And every target is an entity."""
    for target in targets(value, ME):
        assert target.written
        assert all(target.entity.partition("/"))
