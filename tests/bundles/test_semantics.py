"""Operators, windows and instants: the engine computes what a plain reading of docs/context-specs.md computes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from context_plane.bundles.evaluate import Evaluator
from context_plane.bundles.spec import ContextSpec, parse_spec
from context_plane.canonical import canonical
from tests.bundles import oracle
from tests.bundles.events import SECOND, histories, table

TARGETS = ("amount", "plan", "flag", "a", "a.b", "a.c", "data.time", "ключ", "a.é😀")
PSEUDO = ("time", "type", "text", "id", "source")
WINDOWS = (None, "1s", "7s", "20s", "all")
OF = (None, "a", "a*", "*", ["b", "A"], "cortex.*", ["cortex.run", "a.*"], "*x*", "a_b%", "a.b")


@st.composite
def fields(draw: Any) -> dict[str, Any]:
    """One field that may be written, over what `histories` holds."""
    operator = draw(st.sampled_from(sorted(set(oracle_operators()))))
    target: Any = draw(st.sampled_from(TARGETS if operator in ("sum", "avg") else TARGETS + PSEUDO))
    options: dict[str, Any] = {}
    if operator == "list":
        target = draw(
            st.one_of(st.just(target), st.lists(st.sampled_from(TARGETS[:3] + PSEUDO), min_size=1, unique=True))
        )
        options[draw(st.sampled_from(["last", "first"]))] = draw(st.integers(1, 4))
    elif operator == "count_distinct":
        target = draw(st.sampled_from([target, "day", "hour"]))
    elif operator in ("count", "exists"):
        target = draw(st.sampled_from([target, True]))
    kinds = {"sum": ["number"], "avg": ["number"], "min": ["number", "time", "text"], "max": ["number", "time", "text"]}
    if target in TARGETS and operator not in ("count", "exists", "list"):
        options["type"] = draw(st.sampled_from([None, *kinds.get(operator, ["number", "boolean", "time", "text"])]))
    options["of"] = draw(st.sampled_from(OF))
    options["where"] = draw(st.sampled_from([None, None, *oracle.WHERE]))
    options["window"] = draw(st.sampled_from(WINDOWS))
    if options["where"] is not None and options.get("type"):
        options["where"] = None  # a type also changes how `where` reads its target; tested on its own
    return {operator: target, **{key: value for key, value in options.items() if value is not None}}


def oracle_operators() -> Iterator[str]:
    yield from "latest first count sum avg min max count_distinct exists list".split()


def spec_of(fields: dict[str, dict[str, Any]], **more: Any) -> ContextSpec:
    return parse_spec(json.dumps({"context": "x", "entity": "c", "fields": fields, **more}, ensure_ascii=False))


def bodies(evaluator: Evaluator, instant: int, entities: list[str] | None = None) -> dict[str, dict[str, Any]]:
    found = {e.entity: (e.body, json.loads(b"{" + e.body)) for e in evaluator.evaluate(instant, entities)}
    assert all(canonical(value) == b"{" + body for body, value in found.values())
    return {entity: value for entity, (_, value) in found.items()}


@given(
    st.lists(fields(), min_size=1, max_size=6),
    st.sampled_from(WINDOWS),
    histories(),
    st.lists(st.integers(-SECOND, 60 * SECOND), min_size=1, max_size=3),
)
def test_engine_and_oracle_agree(
    written: list[dict[str, Any]], window: str | None, events: list[oracle.Event], instants: list[int]
) -> None:
    """Random fields over random events at random instants are what plain Python computes, to the byte."""
    more = {} if window is None else {"window": window}
    spec = spec_of({f"f{index}": field for index, field in enumerate(written)}, **more)
    with Evaluator(spec, "acme", threads=1) as evaluator:
        evaluator.load(table(events))
        for instant in instants:
            found = bodies(evaluator, instant)
            known = {
                e.entity for e in events if e.time < instant and e.entity.startswith("c/") and oracle.visible(spec, e)
            }
            assert list(found) == sorted(known) == evaluator.entities(instant)
            for entity, bundle in found.items():
                bundle.pop("tokens"), bundle.pop("version")
                expected = oracle.evaluate(spec, "acme", events, entity, instant)
                assert canonical(bundle) == canonical(expected)


TIGHT = spec_of(
    {
        "last": {"latest": "v"},
        "first": {"first": "id"},
        "total": {"sum": "v"},
        "mean": {"avg": "v", "window": "2s"},
        "least": {"min": "v"},
        "greatest": {"max": "v"},
        "kinds": {"count_distinct": "v", "window": "1s"},
        "items": {"list": ["source", "id"], "first": 3, "window": "2s"},
        "numbers": {"list": "v", "last": 2},
        "read": {"sum": "v", "type": "number"},
    },
    window="3s",
)
# Numbers at the edges of decimals, doubles and integers, few enough to meet in one window.
EDGES = [
    0.1,
    0.12345678901,
    1e-7,
    3e-10,
    1e-11,
    10**18 - 1,
    10**18,
    2**53,
    2**53 + 1,
    9999999999999999,
    10**16,
    -(10**16),
    "7",
    "x",
]


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from("st"), st.sampled_from("12"), st.sampled_from(EDGES)), max_size=12
    ),
    st.integers(0, 8),
)
def test_engine_and_oracle_agree_where_it_is_tight(rows: list[tuple[Any, ...]], instant: int) -> None:
    """Equal times, and numbers that rounding would confuse, in windows of a few events."""
    unique = {(source, name, at): (at, source, name, value) for at, source, name, value in rows}.values()
    events = [
        oracle.Event("c/1", at * SECOND, source, f"{name}{number if at else ''}", "a", None, {"v": value})
        for number, (at, source, name, value) in enumerate(unique)
    ]
    with Evaluator(TIGHT, "acme", threads=1) as evaluator:
        evaluator.load(table(events))
        for bundle in bodies(evaluator, instant * SECOND).values():
            bundle.pop("tokens"), bundle.pop("version")
            assert canonical(bundle) == canonical(oracle.evaluate(TIGHT, "acme", events, "c/1", instant * SECOND))
