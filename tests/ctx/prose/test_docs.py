"""docs/spec/ctx-text.md says what the code does: its examples are run, its lists are those of the code.

After a change of what is written, ``CONTEXT_PLANE_WRITE_DOCS=1 make test PYTEST_ARGS=tests/ctx/prose/test_docs.py``
writes the examples anew; read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from context_plane.ctx.prose import Level, Mode, check, decode, encode, words
from context_plane.ctx.prose.header import ENCODED

DOCUMENT = Path(__file__).parents[3] / "docs" / "spec" / "ctx-text.md"
TEXT = DOCUMENT.read_text("utf-8")
EXAMPLE = re.compile(r"^`(\w+)`:\n\n```text\n(.*?)^```\n\n```ctx\n(.*?)^```\n", re.M | re.S)
LEVELS = {Mode.EXACT: {Level.BYTES}, Mode.VERBATIM: {Level.BYTES, Level.STRUCTURE}, Mode.COMPACT: {Level.STRUCTURE}}


def test_there_is_an_example_of_every_mode() -> None:
    """So that none can be dropped from the page unseen."""
    assert {mode for mode, _, _ in EXAMPLE.findall(TEXT)} == set(ENCODED)


@pytest.mark.parametrize(("mode", "text", "ctx"), EXAMPLE.findall(TEXT))
def test_examples(mode: str, text: str, ctx: str) -> None:
    """The text of the page is written as the page shows it, and comes back as its mode says."""
    found = encode(text, Mode(mode))
    shown = found if found.endswith("\n") else f"{found}\n"
    if os.environ.get("CONTEXT_PLANE_WRITE_DOCS"):
        page = DOCUMENT.read_text("utf-8")
        DOCUMENT.write_text(page.replace(f"{text}```\n\n```ctx\n{ctx}```", f"{text}```\n\n```ctx\n{shown}```"))
        return
    assert shown == ctx
    assert check(text, found).level in LEVELS.get(Mode(mode), {Level.FACTS})
    if mode == "exact":
        assert decode(found) == text


def test_the_phrases_of_the_page_are_those_of_the_code() -> None:
    """In the same order: a second implementation replaces the same."""
    table = TEXT[TEXT.index("| phrase | becomes |") :].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| ([a-z ]+) \| ([a-z ]+) \|$", table, re.M)[1:]) == words.PHRASES


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("N", words._NO_NOUN),
        ("C", words._COUNTED),
        ("D", words.NEGATIONS),
        ("O", words._OPENING),
        ("G", words._GOVERNING),
        ("S", words._OBJECT),
    ],
)
def test_the_lists_of_the_page_are_those_of_the_code(name: str, listed: frozenset[str]) -> None:
    """Word for word."""
    found = re.search(rf"^\| {name} \| (.+) \|$", TEXT, re.M)
    assert found
    assert set(found[1].split()) == listed


def test_the_closed_class_of_the_page_is_that_of_the_code() -> None:
    """The words that may be missing."""
    rows = re.findall(r"^\| `([a-z ]+)`(?: \(small only\))? \| (?!what)", TEXT, re.M)
    closed = words.ARTICLES | words.COPULAS | words.LINKS | words.FILLERS | {words.EXPLETIVE}
    assert set(" ".join(rows).split()) >= closed
    assert "40 to 60 % fewer tokens on prose cannot be had losslessly" in TEXT.replace("\n", " ")
    assert "it is not lossless" in TEXT
