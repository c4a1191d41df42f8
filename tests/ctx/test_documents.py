"""Documents: what they are, what is promised of them, and what verification says."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.ctx import tokens
from context_plane.ctx.documents import MODES, decode, encode, kind_of, parse, verify
from context_plane.errors import InputError
from tests.ctx.data.values import VALUES

ROWS = [{"id": n, "name": f"Customer {n}", "since": f"2025-01-{n % 28 + 1:02}"} for n in range(30)]
PAGE = """# Exports

The export is stopped at 10,000 rows, and it is not restarted. There is a limit that must not be raised.

* rows: 10,000
* seats: 40

| plan | price |
|------|-------|
| free | 0     |
| pro  | 40    |
"""


@pytest.mark.parametrize(
    ("original", "kind"),
    [
        ('{"a": 1}', "data"), (" \n[1, 2]\n", "data"), ('{"a": 1}\n{"a": 2}\n', "data"), ("", "text"), ("1", "text"),
        ('"a"', "text"), ("{not json}", "text"), ("# Title", "text"), ("[link](x)", "text"), ('{"a": 1}\n{"a"', "text"),
        ("[" * 100_000, "text"),
    ],
)  # fmt: skip
def test_what_a_document_is(original: str, kind: str) -> None:
    """Data is an object, a list, or lines of them."""
    assert kind_of(original) == kind


@pytest.mark.parametrize("mode", MODES["data"])
def test_data_comes_back(mode: Any) -> None:
    """With what it saved, and the hash under which the original stays."""
    original = json.dumps({"rows": ROWS})
    made = encode(original, mode)
    assert (made.kind, made.mode) == ("data", mode)
    assert made.tokens == tokens.count(made.text) < made.original_tokens == tokens.count(original)
    assert 0 < made.saved < 1
    assert made.sha256 == hashlib.sha256(original.encode()).hexdigest()
    kind, value = decode(made.text)
    assert value == original if kind == "text" else value == {"rows": ROWS}
    assert verify(original, made.text).level == made.level == ("L0" if mode == "exact" else "L1")


@pytest.mark.parametrize("mode", MODES["text"][:-1])
def test_text_comes_back(mode: Any) -> None:
    """As much of it as the mode promises."""
    made = encode(PAGE, mode)
    assert made.kind == "text"
    assert made.tokens <= made.original_tokens
    kind, text = decode(made.text, "text")
    assert kind == "text"
    found = verify(PAGE, made.text).level
    assert found is not None
    assert found <= made.level
    assert "10,000" in text


def test_lines_of_json_are_a_list() -> None:
    """One table of them."""
    original = "\n".join(map(json.dumps, ROWS)) + "\n"
    made = encode(original)
    assert made.text.startswith("[30]{id,name,since}:\n")
    assert decode(made.text) == ("data", ROWS)
    assert verify(original, made.text).level == "L1"


@pytest.mark.parametrize(("original", "mode"), [("[1]", "semantic"), ("words", "dense"), ("words", "summary")])
def test_a_mode_that_there_is_not_is_refused(original: str, mode: Any) -> None:
    """With those that there are."""
    with pytest.raises(InputError, match="there is no mode") as error:
        encode(original, mode)
    assert "exact, verbatim, compact" in error.value.remedy


def test_what_is_no_json_is_refused_with_its_place() -> None:
    """Where it is said to be data."""
    with pytest.raises(InputError) as error:
        encode('{"a": 1,\n "b"', kind="data")
    assert error.value.where.startswith("line 2, column ")
    with pytest.raises(InputError, match="deep"):
        parse("[" * 100_000 + "]" * 100_000)


def test_a_word_is_text_unless_it_is_said_to_be_data() -> None:
    """A text that nothing was gained on has no head."""
    assert decode("plain words") == ("text", "plain words")
    assert decode("17", "data") == ("data", 17)
    assert decode("a:1") == ("data", {"a": 1})
    with pytest.raises(InputError):
        decode("a:1\nb", "data")


def test_verification_names_the_first_difference() -> None:
    """By its path."""
    original = json.dumps({"rows": ROWS})
    text = encode(original, "verbatim").text
    found = verify(original, text.replace("Customer 7,", "Customer 8,"))
    assert found.level is None
    assert found.differences[0][0] == "rows[7].name"
    assert verify(original, original).level == "L0"
    assert verify(original, json.dumps({"rows": ROWS}, indent=1)).level == "L1"


@given(value=VALUES.filter(lambda value: isinstance(value, (dict, list))), mode=st.sampled_from(MODES["data"]))
def test_any_json_text(value: Any, mode: Any) -> None:
    """As a file would hold it."""
    original = json.dumps(value)
    made = encode(original, mode)
    assert verify(original, made.text).level in ("L0", "L1")
    assert made.tokens <= tokens.count(original) + (4 if mode == "exact" else 0)
