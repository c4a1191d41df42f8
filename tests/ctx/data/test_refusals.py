"""What is no JSON value, and what is no CTX: refused with place and remedy."""

from __future__ import annotations

import contextlib
import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.ctx.data.decoding import decode
from context_plane.ctx.data.encoding import encode
from context_plane.ctx.data.equality import difference
from context_plane.errors import InputError
from tests.ctx.data.test_forms import ORDERS


@pytest.mark.parametrize(
    "value",
    [math.nan, [math.inf], {"a": {1, 2}}, {1: "a"}, date(2025, 1, 1), b"a", [{"a": object()}], {"a": {None: 1}}],
)
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    """Also keys that are no text, which `json` would turn into one."""
    with pytest.raises(InputError) as error:
        encode(value)
    assert error.value.remedy


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "line 1"),
        ("a", None),
        ("a:1\na:2", "line 2"),
        ("a[2]{x}:\n1", "line 2"),
        ("a[2]{x}:\n1\n2\n3", "line 4"),
        ("a[1]{x,y}:\n1", "line 3"),
        ("a[1]{x,y}:\n1,2,3", "line 3"),
        ("a[1]{x}:\n\"1", "line 3"),
        ("a[1]{x:\n1", "line 1"),
        ("a[1]{x<2025>}:\n1", "line 1"),
        ("a[1]{x<202501DD>}:\n1", "line 3"),
        ("a[1]{x(A=b)}:\nB", "line 3"),
        ("a[1]{x,y@z(1=2)}:\n1", "line 3"),
        ("a[1]{x,y@x(1=2)}:\n3", "line 3"),
        ('a[1]{x<"{}-{}"/>}:\n1', "line 3"),
        ("a[2:]{x}:\nk,1\nk,2", "line 4"),
        ("a[1]<t>\nn{x}:\nm,1", "line 4"),
        ("a[1]<t>\nn{x}", "line 3"),
        ("a[2]:\n-x:1", "line 3"),
        ("a:1\r\nb:2\r", "line 1"),
        ("{a:1", "line 1"),
        ("{a:1}}", "line 1"),
        ("[1,2", "line 1"),
        ('"a', "line 1"),
        ("a:\n  b:1", "line 2"),
        ("a[1]{x<202501DDThhmmssZ>}:\n01x000000", "line 3"),
        ("a:*1", "line 2"),
        ("&1:x\na:*2", "line 3"),
        ("&1:x\n&1:y\na:*1", "line 2"),
        ("&1:x", "line 2"),
        ("&1:[x]\na:*1", "line 1"),
    ],
)  # fmt: skip
def test_what_is_no_ctx_is_refused_with_its_line(text: str, place: str | None) -> None:
    """Cut, changed, or never CTX."""
    if place is None:
        assert decode(text) == text
        return
    with pytest.raises(InputError) as error:
        decode(text)
    assert error.value.where == place
    assert "encode the original again" in error.value.remedy


@given(data=st.data())
def test_a_changed_text_is_refused_or_means_something_else(data: st.DataObject) -> None:
    """Never an error of another kind; and never silently the same where a row or a cell is gone."""
    mode: Any = data.draw(st.sampled_from(["verbatim", "compact", "dense"]))
    lines = encode(ORDERS, mode).split("\n")
    at = data.draw(st.integers(1, len(lines) - 1))
    change = data.draw(st.sampled_from(["drop", "twice", "cut", "swap"]))
    if change == "drop":
        del lines[at]
    elif change == "twice":
        lines.insert(at, lines[at])
    elif change == "cut":
        lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at]) - 1))]
    else:
        other = data.draw(st.integers(1, len(lines) - 1).filter(lambda n: lines[n] != lines[at]))
        lines[at], lines[other] = lines[other], lines[at]
    try:
        found = decode("\n".join(lines))
    except InputError:
        return
    assert difference(found, ORDERS) is not None


@given(text=st.text() | st.text('[]{}:,;|"<>@#()=-\n\t 1a', max_size=40))
def test_any_text_is_a_value_or_an_input_error(text: str) -> None:
    """No other error, and no endless reading."""
    with contextlib.suppress(InputError):
        decode(text)


@pytest.mark.parametrize("opening", ["[", '{"a":', "[[", "a:\n", '{"a":['])
def test_depth_is_no_reason_to_crash(opening: str) -> None:
    """A hundred thousand brackets that never close."""
    with pytest.raises(InputError):
        decode(opening * 100_000)


def test_a_deep_value_is_refused_or_comes_back() -> None:
    """As deep as Python's own JSON allows."""
    value: Any = 1
    for _ in range(300):
        value = [{"a": value}]
    assert difference(decode(encode(value)), value) is None
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InputError, match="deep"):
        encode(value)
