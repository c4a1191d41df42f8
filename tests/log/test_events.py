"""Normalisation of events: what is accepted, in which form, and what is refused with which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import InputError
from context_plane.instants import format_instant, parse_instant
from context_plane.log.events import COLUMNS, Limits, Normaliser, row, text_of


def event(**changes: Any) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "specversion": "1.0",
        "id": "42",
        "source": "crm",
        "type": "crm.note",
        "subject": "customer/acme",
        "time": "2026-03-01T09:30:00Z",
        "data": {"text": "Asked about SSO", "stage": "trial"},
    }
    raw.update(changes)
    return {name: value for name, value in raw.items() if value is not ...}


def test_the_line_is_canonical_and_in_utc() -> None:
    """Key order and offset of the input leave no trace in the stored line."""
    a = Normaliser()(event(time="2026-03-01T10:30:00+01:00"))
    b = Normaliser()(dict(reversed(event().items())))
    assert a == b
    assert json.loads(a.line)["time"] == "2026-03-01T09:30:00Z"


def test_the_same_identity_with_other_content_has_another_digest() -> None:
    """Identity is source and id alone; content is everything."""
    a, b = Normaliser()(event()), Normaliser()(event(data={"text": "Asked about SAML"}))
    assert a.identity == b.identity
    assert a.digest != b.digest
    assert a.identity != Normaliser()(event(source="support")).identity


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": ...}, "id is missing"),
        ({"id": ""}, "id is missing"),
        ({"id": 42}, "id is int, not text"),
        ({"id": "a\0b"}, "control character"),
        ({"id": "x" * 1_025}, "1025 characters"),
        ({"source": ...}, "source is missing"),
        ({"type": ...}, "type is missing"),
        ({"type": "cortex.receipt"}, "reserved"),
        ({"subject": ...}, "subject is missing"),
        ({"subject": "acme"}, "not an entity"),
        ({"subject": "/acme"}, "not an entity"),
        ({"subject": "customer/"}, "not an entity"),
        ({"subject": "customer/a\nb"}, "control character"),
        ({"time": ...}, "no time"),
        ({"time": 1_772_000_000}, "no time"),
        ({"time": "2026-03-01T09:30:00"}, "offset"),
        ({"time": "2026-02-30T09:30:00Z"}, "does not exist"),
        ({"time": "1700-01-01T00:00:00Z"}, "outside"),
        ({"time": "2200-01-01T00:00:00Z"}, "outside"),
        ({"specversion": "0.3"}, "specversion"),
        ({"data": {"a": float("nan")}}, "NaN"),
        ({"data": {"a": float("inf")}}, "NaN"),
        ({"data": {"text": "a\0b"}}, "NUL"),
        ({"data": {"text": "\ud800"}}, "surrogate"),
        ({"data": {"text": "x" * 5_000_000}}, "max_event_bytes"),
        ({"labels": "pii"}, "labels"),
        ({"labels": [1]}, "labels"),
        ({"Bad-Name": "x"}, "CloudEvents name"),
        ({"traceparent": {"a": 1}}, "extension attributes"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(changes: dict[str, Any], words: str) -> None:
    """Each kind of bad event is refused with a reason that names it, and with a remedy."""
    with pytest.raises(InputError, match=words) as caught:
        Normaliser()(event(**changes))
    assert caught.value.remedy


def test_deep_json_is_refused() -> None:
    """Nesting beyond 64 is an error and not a crash of the interpreter."""
    data: Any = 1
    for _ in range(100_000):
        data = [data]
    with pytest.raises(InputError, match="nested"):
        Normaliser()(event(data=data))


def test_something_that_is_no_object_is_refused() -> None:
    """A number where an event should be."""
    with pytest.raises(InputError, match="not a JSON object"):
        Normaliser()(7)


@pytest.mark.parametrize(
    "subject", ["customer/a/b", "customer/..", "customer/%", "a|b/c,d", "👩‍🚀/🚀", "c/" + "x" * 1_022]
)
def test_unusual_entities_are_kept_as_they_are(subject: str) -> None:
    """Any Unicode without control characters names an entity."""
    assert Normaliser()(event(subject=subject)).entity == subject


def test_a_backslash_u0000_in_text_is_not_a_nul() -> None:
    """Text that spells the escape is fine; only the character is refused."""
    assert Normaliser()(event(data={"text": "write \\u0000 in JSON"})).line


def test_big_integers_and_extension_attributes_survive() -> None:
    """Integers beyond 2^53 are not rounded; unknown lower-case attributes are kept."""
    line = Normaliser()(
        event(data={"n": 12345678901234567890123}, traceparent="00-ab", labels=["pii", "a", "pii"])
    ).line
    stored = dict(zip(COLUMNS, row(line), strict=True))
    assert stored["data"] == '{"n":12345678901234567890123}'
    assert stored["attributes"] == '{"traceparent":"00-ab"}'
    assert stored["labels"] == ["a", "pii"]


def test_limits_are_settable() -> None:
    """A home may widen the span of years."""
    normalise = Normaliser(Limits(earliest="1600-01-01T00:00:00Z"))
    assert normalise(event(time="1700-01-01T00:00:00Z")).at < 0


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"text": "hello", "a": 1}, "hello"),
        ({"text": "", "b": 2, "a": {"z": [1, "x"], "y": None}}, "a.z: 1, x; b: 2"),
        ([1, 2], "1, 2"),
        ("plain", "plain"),
        ({}, None),
        (None, None),
    ],
)
def test_text_is_data_text_or_rendered(data: Any, text: str | None) -> None:
    """Without `data.text` the text is made of the data, in key order."""
    assert text_of(data) == text


@given(st.integers(min_value=-2_208_988_800_000_000, max_value=4_102_444_799_999_999))
def test_a_row_has_the_instant_of_its_line(at: int) -> None:
    """The fast path for whole seconds agrees with the parser on every instant."""
    line = Normaliser()(event(time=format_instant(at))).line
    assert row(line)[1] == at == parse_instant(format_instant(at))
