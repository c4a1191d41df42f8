"""Canonical JSON against the published library, and the departure from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from context_plane.canonical import canonical, digest
from context_plane.errors import InputError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(values)
def test_the_bytes_are_those_of_rfc_8785(value: Any) -> None:
    """The reference library writes the same bytes."""
    assert canonical(value) == rfc8785.dumps(value)


@given(values)
def test_reading_and_writing_again_changes_nothing(value: Any) -> None:
    """Canonical bytes are a fixed point."""
    once = canonical(value)
    assert canonical(json.loads(once)) == once


@pytest.mark.parametrize(
    "number", [1e21, 1e16, 5e-324, 0.1, -0.0, 1e-7, 123456789012345680000.0, 4.5, 9007199254740993.0]
)
def test_floats_are_written_as_ecmascript_does(number: float) -> None:
    """The cases in which Python's own writer differs."""
    assert canonical(number) == rfc8785.dumps(number)


def test_integers_beyond_2_53_are_written_in_full() -> None:
    """The departure: ids of that size are common, and rounding would lose them."""
    assert canonical({"id": 2**64 + 1}) == b'{"id":18446744073709551617}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1: 2}, {"a": object()}, {"é": float("nan")}])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    """NaN, infinities, lone surrogates, keys that are not text, foreign objects."""
    with pytest.raises(InputError):
        canonical(value)


def test_nesting_is_limited_on_both_paths() -> None:
    """Deep values are refused by the fast and by the slow writer."""
    for leaf in (1, 1e300):
        value: Any = {"é": leaf}
        for _ in range(80):
            value = [value]
        with pytest.raises(InputError, match="nested"):
            canonical(value)


def test_digest_does_not_depend_on_key_order() -> None:
    """What versions rest on."""
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1.0})
