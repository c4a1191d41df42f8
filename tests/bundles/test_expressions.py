"""Conditions, types and expressions in fields: what their SQL sees, and that no entity's values can stop the others."""

from __future__ import annotations

import json
from math import fsum
from typing import Any

import pytest

from context_plane.bundles.evaluate import Evaluator
from context_plane.bundles.spec import parse_spec
from context_plane.errors import InputError
from tests.bundles.events import SECOND, event, table
from tests.bundles.oracle import Event


def bodies(written: dict[str, Any], events: list[Event]) -> list[bytes]:
    """The bodies of all bundles after all events."""
    spec = parse_spec(json.dumps({"context": "x", "entity": "c", "fields": written}, ensure_ascii=False))
    with Evaluator(spec, "acme", threads=1) as evaluator:
        evaluator.load(table(events))
        return [found.body for found in evaluator.evaluate(1_000 * SECOND)]


def fields(written: dict[str, Any], events: list[Event], entity: str = "c/1") -> dict[str, Any]:
    """The fields of an entity's bundle after all events."""
    spec = parse_spec(json.dumps({"context": "x", "entity": "c", "fields": written}, ensure_ascii=False))
    with Evaluator(spec, "acme", threads=1) as evaluator:
        evaluator.load(table(events))
        found: dict[str, Any] = json.loads(b"{" + next(evaluator.evaluate(1_000 * SECOND, [entity])).body)["fields"]
        return found


def one(field: dict[str, Any], *data: Any, **more: dict[str, Any]) -> Any:
    """A field's value over events with these data, one a second."""
    return fields({"f": field, **more}, [event("c/1", second, each) for second, each in enumerate(data)])["f"]


@pytest.mark.parametrize(
    ("where", "counted"),
    [
        ("amount > 10", ["big"]),
        ("plan = 'pro'", ["pro", "pro_off"]),
        ("plan = 'pro' AND NOT active", ["pro_off"]),
        ("labels LIKE '%\"bug\"%'", ["bug"]),
        ("address.city = 'Oslo'", ["oslo"]),
        ("http.status = 500", ["status"]),
        ("data.time = 'noon'", ["noon"]),
        ("type = 'a' AND time < '1970-01-01T00:00:02Z'", ["big", "pro"]),
        ("id IN ('000003')", ["bug"]),
        ("hour(time) = 0 AND amount IS NOT NULL", ["big", "text"]),
        ("TRUE", None),
        ("NULL", []),
    ],
)
def test_conditions_read_data_by_use(where: str, counted: list[str] | None) -> None:
    """A data field is a number, a boolean or text in `where` as it is used there; strings are no numbers."""
    data = {
        "big": {"amount": 11},
        "pro": {"plan": "pro", "active": True},
        "pro_off": {"plan": "pro", "active": False},
        "bug": {"labels": ["bug", "ui"]},
        "oslo": {"address": {"city": "Oslo"}},
        "status": {"http.status": 500},
        "noon": {"time": "noon"},
        "text": {"amount": "99"},
    }
    rows = [{"name": name, **item} for name, item in data.items()]
    expected = list(data) if counted is None else counted
    assert one({"list": "name", "last": 100, "where": where}, *rows) == expected


def test_a_type_reads_strings() -> None:
    """`type` reads numbers, booleans and times from strings, for the value and for `where`; the rest is absent."""
    data = [{"v": "12.50"}, {"v": 7}, {"v": "none"}, {"v": None}, {"v": True}]
    assert one({"sum": "v"}, *data) == 7
    assert one({"sum": "v", "type": "number"}, *data) == 19.5
    assert one({"latest": "v", "type": "number"}, *data) == 7
    assert one({"latest": "v"}, *data) is True
    assert one({"count_distinct": "v", "type": "number"}, {"v": "1.50"}, {"v": 1.5}, {"v": "01.5"}) == 1
    assert one({"count_distinct": "v"}, {"v": "1.5"}, {"v": 1.5}) == 2
    same = [1000, "1e3", "1000.0", "01000", -0.0, 0, "-0", "0.0"]
    assert one({"count_distinct": "v", "type": "number"}, *[{"v": v} for v in same]) == 2
    neighbours = [2**53, 2**53 + 1, str(2**53 + 1), 10**40, 10**40 + 1, "1e999", "x"]
    assert one({"count_distinct": "v", "type": "number"}, *[{"v": v} for v in neighbours]) == 4
    assert one({"latest": "v", "type": "number"}, {"v": 1}, {"v": "1e999"}) == 1
    assert one({"max": "v", "type": "number", "where": "v < 12"}, *data) == 7
    assert one({"first": "v", "type": "boolean"}, {"v": "yes"}, {"v": " TRUE "}) is True
    assert (
        one({"min": "v", "type": "time"}, {"v": "2026-01-01T01:00:00+02:00"}, {"v": "2026-01-01T00:00:00Z"})
        == "2025-12-31T23:00:00Z"
    )
    assert one({"max": "v", "type": "text"}, {"v": 9}, {"v": "10"}, {"v": [1]}) == "[1]"
    odd = ["2026-01-01T00:00:00.9999999Z", "2026-01-01", "0001-01-01T00:00:00+01:00", "2026-01-01T24:00:00Z"]
    assert one({"latest": "v", "type": "time"}, *[{"v": v} for v in odd]) == "2026-01-01T00:00:00.999999Z"


def test_values_are_written_canonically() -> None:
    """Whatever way a value takes through the engine, its JSON is that of RFC 8785."""
    value = [1e21, 1e-7, 1e16, 0.1, -0.0, 10**30, '\x1f\u2028"', {"é": 1, "😀": 2, "￮": 3}]
    events = [event("c/1", 1, {"v": value, "n": 12_345_678.1}), event("c/1", 2, {"n": 1e-10})]
    (body,) = bodies({"v": {"latest": "v"}, "l": {"list": "v"}, "n": {"sum": "n"}, "e": {"expr": "n * 1e30"}}, events)
    written = (
        '[1e+21,1e-7,10000000000000000,0.1,0,1000000000000000000000000000000,"\\u001f\u2028\\"",{"é":1,"😀":2,"￮":3}]'
    )
    assert f'"fields":{{"e":1.23456781e+37,"l":[{written}],"n":12345678.1,"v":{written}}}'.encode() in body


def test_ties_break_by_source_and_id() -> None:
    """Of events at one instant the last is that with the greatest source, then the greatest id."""
    rows = [("t", "1"), ("s", "3"), ("t", "0"), ("s", "2")]
    events = [Event("c/1", SECOND, source, name, "a", None, {"v": source + name}) for source, name in rows]
    expected = {"f": "s2", "l": "t1", "all": ["s2", "s3", "t0", "t1"]}
    assert fields({"f": {"first": "v"}, "l": {"latest": "v"}, "all": {"list": "v"}}, events) == expected


def test_sums_are_decimal_as_far_as_documented() -> None:
    """Up to 18 digits before and 10 behind the point a sum is that of decimals, beyond that one of doubles."""
    assert one({"sum": "v"}, {"v": 10**18 - 1}, {"v": 10**18 - 1}) == 2 * 10**18 - 2
    assert one({"sum": "v"}, {"v": 10**18}, {"v": 1}) == 10**18
    assert one({"sum": "v"}, {"v": 0.12345678901}) == 0.12345678901
    for small, copies, total in [(1.2e-07, 3, 3.6e-07), (1.1e-08, 5, 5.5e-08), (1e-09, 3, 3e-09), (1e-10, 7, 7e-10)]:
        assert fsum([small] * copies) != total
        assert one({"sum": "v"}, *[{"v": small}] * copies) == total
    assert one({"sum": "v"}, *[{"v": 1e-11}] * 3) == fsum([1e-11] * 3)


def test_numbers_stay_exact() -> None:
    """Integers of any size are kept, decimals add up as written, and extremes tell neighbours apart."""
    assert one({"latest": "v"}, {"v": 2**63 + 1}) == 2**63 + 1
    assert one({"latest": "v"}, {"v": {"deep": [10**40]}}) == {"deep": [10**40]}
    assert one({"sum": "v"}, *[{"v": 0.1}] * 3) == 0.3
    assert one({"sum": "v"}, {"v": 10**17}, {"v": 10**17 + 1}, {"v": 0.5}, {"v": 0.5}) == 2 * 10**17 + 2
    assert one({"sum": "v"}, {"v": 1e300}, {"v": 1}, {"v": -1e300}) == 1
    assert one({"sum": "v"}, {"v": 1.7e308}, {"v": 1.7e308}) is None
    assert one({"avg": "v"}, {"v": 1}, {"v": 1}, {"v": 0}) == 0.666666666667
    assert one({"max": "v"}, {"v": 2**53 + 1}, {"v": 2**53}) == 2**53 + 1
    assert one({"min": "v"}, {"v": 2**53 + 1}, {"v": 2**53 + 2}) == 2**53 + 1
    assert one({"max": "v"}, {"v": 9_999_999_999_999_999}, {"v": 10**16}) == 10**16
    assert one({"max": "v"}, {"v": 3}, {"v": "z"}) == 3
    assert one({"min": "v"}, {"v": "b"}, {"v": "a"}, {"v": [0]}) == "a"


@pytest.mark.parametrize(
    ("expr", "value"),
    [
        ("n", 3),
        ("n > 2 AND total < 4", True),
        ("total / n", 1),
        ("n / 0", None),
        ("n % 0", None),
        ("coalesce(total / (n - 3), -1)", -1),
        ("ln(-1)", None),
        ("CAST(plan AS INTEGER)", None),
        ("plan || '!'", "pro!"),
        ("missing", None),
        ("missing IS NULL", True),
        ("CASE WHEN paid THEN 'paid' ELSE 'open' END", "paid"),
        ("amount * 2", 6),
        ("date_diff('second', first_at, last_at)", 2),
        ("last_at", "1970-01-01T00:00:02Z"),
        ("last_at + INTERVAL 90 MINUTE", "1970-01-01T01:30:02Z"),
        ("CAST(last_at AS DATE)", "1970-01-01"),
        ("[n, total]", [3, 3]),
        ("{'a': n}", {"a": 3}),
        ("n * 100000000000000000000000000", 300000000000000000000000000),
        ("CAST('inf' AS DOUBLE)", None),
        ("repeat(plan, 1000000000000)", None),
        ("n = count_of_pro", False),
        ('"order" + 1', 4),
        ("0.1 + 0.2", 0.3),
        ("1e0 * 0.1 + 0.2", 0.30000000000000004),
        ("chr(10) || chr(1)", "\n\x01"),
    ],
)  # fmt: skip
def test_expressions_see_what_the_bundle_shows(expr: str, value: Any) -> None:
    """Expressions compute with the other fields' values; what has no value is null."""
    events = [event("c/1", at, {"plan": "pro" if at else "free", "amount": at + 1}) for at in range(3)]
    found = fields(
        {
            "n": {"count": True},
            "order": {"count": True},
            "total": {"count": "amount"},
            "plan": {"latest": "plan"},
            "amount": {"latest": "amount", "type": "number"},
            "missing": {"latest": "absent"},
            "paid": {"exists": "amount"},
            "first_at": {"first": "time"},
            "last_at": {"latest": "time"},
            "count_of_pro": {"count": True, "where": "plan = 'pro'"},
            "result": {"expr": expr},
        },
        events,
    )
    assert found["result"] == value


def test_expressions_build_on_each_other() -> None:
    """Expressions are computed in the order in which they name each other, whatever their names."""
    written = {"a": {"expr": "b * 2"}, "b": {"expr": "c + n"}, "c": {"expr": "n + 1"}, "n": {"count": True}}
    assert fields(written, [event("c/1", 1)]) == {"a": 6, "b": 3, "c": 2, "n": 1}
    assert fields({"a": {"expr": "1 + 1"}, "b": {"expr": "a > 1"}}, []) == {"a": 2, "b": True}


def test_one_entity_cannot_fail_the_others() -> None:
    """A value on which an expression or condition fails makes it null or false for that entity alone."""
    events = [event("c/1", 1, {"v": "x"}), event("c/2", 1, {"v": "5"}, name="other")]
    written = {
        "v": {"latest": "v"},
        "w": {"expr": "CAST(v AS INTEGER) + 1"},
        "n": {"count": True, "where": "CAST(v AS INTEGER) = 5"},
    }
    assert fields(written, events) == {"n": 0, "v": "x", "w": None}
    assert fields(written, events, "c/2") == {"n": 1, "v": "5", "w": 6}


def test_own_events_need_to_be_named() -> None:
    """Events of the plane itself count only where a glob begins with `cortex.`."""
    events = [event("c/1", 1), event("c/1", 2, type="cortex.execution"), event("c/1", 3, type="cortexlike")]
    assert fields({"n": {"count": True}, "star": {"count": True, "of": "*"}}, events) == {"n": 2, "star": 2}
    named = {
        "n": {"count": True},
        "own": {"count": True, "of": "cortex.*"},
        "both": {"count": True, "of": ["cortex*", "cortex.*"]},
    }
    assert fields(named, events) == {"n": 2, "own": 1, "both": 2}


@pytest.mark.parametrize(
    ("of", "matched"),
    [
        ("a_*", ["a_b"]),
        ("a%*", ["a%b"]),
        ("*.b", ["a.b", "a.x.b"]),
        ("a.*", ["a.b", "a.x.b"]),
        ("a\\*", ["a\\b"]),
        ("A*", ["A.B"]),
        ("*", ["a_b", "a%b", "aXb", "a.b", "a.x.b", "a\\b", "A.B", "a'b"]),
        (["*'*", "a.b"], ["a.b", "a'b"]),
        ("", None),
    ],
)
def test_globs_know_one_wildcard(of: Any, matched: list[str] | None) -> None:
    """In `of` only `*` stands for something else, dots included; everything else is itself, and case matters."""
    types = ["a_b", "a%b", "aXb", "a.b", "a.x.b", "a\\b", "A.B", "a'b"]
    events = [event("c/1", at, type=kind) for at, kind in enumerate(types)]
    if matched is None:
        with pytest.raises(InputError):
            fields({"f": {"list": "type", "of": of}}, events)
    else:
        assert fields({"f": {"list": "type", "last": 9, "of": of}}, events)["f"] == matched


def test_lists_keep_their_shape() -> None:
    """Items are in time order; objects have every name, null where the event has nothing; long texts are cut."""
    events = [
        event("c/1", at, {"v": at} if at % 2 else None, text="word " * 100 if at == 3 else None) for at in range(4)
    ]
    found = fields({"some": {"list": ["v", "time"], "first": 2}, "v": {"list": "v"}, "t": {"list": "text"}}, events)
    assert found["some"] == [{"time": "1970-01-01T00:00:00Z", "v": None}, {"time": "1970-01-01T00:00:01Z", "v": 1}]
    assert found["v"] == [1, 3]
    assert found["t"] == ["word " * 47 + "word…"]
