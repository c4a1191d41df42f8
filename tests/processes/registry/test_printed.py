"""What is kept of a stream, and what of a value the log can hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from context_plane.canonical import canonical
from context_plane.log.events import Normaliser
from context_plane.processes.registry.printed import KEEP, Printed, clean, keep_of

PIECES = st.lists(st.binary(max_size=60) | st.text(max_size=20).map(lambda t: t.encode(errors="replace")), max_size=20)


def printed(raw: bytes, keep: int, chunk: int = 7) -> Printed:
    found = Printed(keep)
    for at in range(0, len(raw), chunk):
        found.add(raw[at : at + chunk])
    return found


@given(PIECES, st.integers(1, 100))
@example([b"\x01" * 30, "éab".encode()], 31)
@example([b"x" * 100], 7)
def test_what_fits_is_whole_and_the_rest_is_bounded(pieces: list[bytes], keep: int) -> None:
    """However it comes in pieces."""
    raw = b"".join(pieces)
    found = printed(raw, keep)
    assert found.head == raw[:keep]
    assert found.whole == (len(raw) <= 2 * keep)
    assert len(found._tail) <= keep
    text = found.text
    assert len(canonical(text)) <= 2 * keep + 120
    whole = raw.decode(errors="replace").replace("\0", "")
    if "bytes left out" not in text:
        assert text == whole
    else:
        first, _, last = text.partition("\n[… ")
        assert whole.startswith(first)
        assert whole.endswith(last.partition("left out …]\n")[2])


@given(st.text(alphabet="é日🎉", min_size=100), st.integers(4, 40))
def test_a_cut_is_between_characters(text: str, keep: int) -> None:
    """What is left of a character is dropped."""
    assert "�" not in printed(text.encode(), keep).text


def test_how_much_is_kept_follows_from_the_output() -> None:
    """Four ends of two streams, and some room for the rest."""
    assert keep_of(256) == KEEP == 32_768
    assert keep_of(100) == 20_480
    assert keep_of(1) == 204


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_is_clean_is_taken_by_the_log(value: object) -> None:
    """And what was before is as it was."""
    made = clean(value)
    canonical(made)
    event = {
        "specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": "a/b", "time": "2026-01-01T00:00:00Z",
        "data": {"value": made},
    }  # fmt: skip
    Normaliser()(event)
    assert clean(made) == made


def test_what_others_say_is_cleaned() -> None:
    """As JSON readers let it through."""
    raw = '{"a\\u0000": ["\\ud800x", 1e999, -1e999, NaN, true, 7]}'
    assert clean(json.loads(raw)) == {"a": ["�x", "inf", "-inf", "nan", True, 7]}


@pytest.mark.parametrize("before", range(90, 120))
def test_a_cut_leaves_no_part_of_a_secret(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    """At either end of what is left out."""
    monkeypatch.setenv("ACME_SECRET", "0123456789ABCDEFGHIJ")
    printed = Printed(110)
    printed.add(b"x" * before + b"0123456789ABCDEFGHIJ" + b"y" * 500 + b"0123456789ABCDEFGHIJ" + b"z" * before)
    left = printed.text.replace("bytes left out", "")
    assert "bytes left out" in printed.text
    assert "0123" not in left
    assert "GHIJ" not in left
