"""Whatever is encoded decodes to an equal value, type by type, and never takes more tokens than compact JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from context_plane.ctx.data.decoding import decode
from context_plane.ctx.data.encoding import _laid_out, compact_json, encode
from context_plane.ctx.data.equality import difference
from context_plane.ctx.data.planning import Mode
from context_plane.ctx.tokens import count
from tests.ctx.data.values import VALUES, records

MODES: tuple[Mode, ...] = ("verbatim", "compact", "dense")
both = pytest.mark.parametrize("mode", MODES)


@both
@given(value=VALUES)
def test_any_value(mode: Mode, value: Any) -> None:
    """Through the encoder, which may fall back to JSON."""
    text = encode(value, mode)
    assert difference(decode(text), value) is None
    assert count(text) <= count(compact_json(value))


@both
@given(value=VALUES | records())
def test_the_layout_itself_needs_no_fall_back(mode: Mode, value: Any) -> None:
    """What the encoder checks before it returns it holds: the check is a second line, not the first."""
    assert difference(decode(_laid_out(value, mode)), value) is None


@both
@given(value=records())
def test_records(mode: Mode, value: Any) -> None:
    """Tables, groups, lists in cells, kinds, members that are alike."""
    text = encode(value, mode)
    assert difference(decode(text), value) is None
    assert count(text) <= count(compact_json(value))


@given(value=VALUES | records())
def test_json_is_ctx(value: Any) -> None:
    """Compact, with spaces, and over many lines."""
    for text in (json.dumps(value), json.dumps(value, indent=2), json.dumps(value, ensure_ascii=False)):
        assert difference(decode(text), value) is None


@given(value=records())
def test_the_same_value_gives_the_same_text(value: Any) -> None:
    """Bytes depend on the value alone, whatever was encoded before."""
    texts = [encode(value, mode) for mode in MODES]
    assert [encode(json.loads(json.dumps(value)), mode) for mode in MODES] == texts


@both
def test_verbatim_has_every_value_in_the_text(mode: Mode) -> None:
    """Compact and dense say some in the head."""
    rows = [
        {"id": f"ORD-{n:04}", "at": f"2025-01-{n % 28 + 1:02}", "state": ("open", "closed")[n % 2]} for n in range(40)
    ]
    text = encode(rows, mode)
    there = all(value in text for row in rows for value in row.values())
    assert there == (mode == "verbatim")
