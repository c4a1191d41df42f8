"""The mode exact: wrapping, page furniture and references give every character back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ctx_documents import paged
from context_plane.ctx import tokens
from context_plane.ctx.prose import Mode, decode, encode
from context_plane.ctx.prose.exact import compressed, restored
from context_plane.ctx.prose.legend import refer, resolve
from context_plane.ctx.prose.wrapping import Layout, layout_of
from tests.ctx.prose.documents import anything, markup

RFC = """\
2.  Packet Protection

   An endpoint that receives a frame it does not know MUST close the
   connection.  It does so with an error of type PROTOCOL_VIOLATION, and
   sends no further frames.  The peer drains the connection, and non-
   zero counters are kept.

   *  A path that was abandoned is not used again: its identifier stays
      reserved, and packets that arrive on it are dropped without a
      trace in the log.

   [QUIC]  Iyengar, J., Ed. and M. Thomson, Ed., "QUIC: A UDP-Based
           Multiplexed and Secure Transport", RFC 9000, May 2021.

   short lines
   stay as they are
"""


def test_a_wrapped_text_is_put_together_and_broken_again() -> None:
    """Width, indentation, hanging lines, two spaces after sentences and breaks at hyphens are found in the text."""
    lines = RFC.split("\n")
    layout = layout_of(lines)
    assert layout == Layout(72, 3, ".", hyphens=True)
    short = compressed(lines, layout)
    assert [line for line in short if "non-zero" in line and "does so with" in line]
    assert [line[:20] for line in short if line.startswith(("*", "["))] == [
        "*  A path that was a",
        "[QUIC]  Iyengar, J.,",
    ]
    assert restored(short, layout) == lines


def test_page_breaks_are_said_once() -> None:
    """Later ones are a sign; numbers count up and their column stays, from one digit to two as well."""
    lines = paged(paragraphs=48).split("\n")
    layout = layout_of(lines)
    short = compressed(lines, layout)
    assert sum("[Page " in line for line in short) == 1
    assert short.count("§p") == 11
    assert restored(short, layout) == lines
    assert any("[Page 12]" in line for line in lines)
    assert decode(encode("\n".join(lines), Mode.EXACT)) == "\n".join(lines)


def test_a_page_break_of_another_height_has_its_number_of_lines() -> None:
    """Blank lines before a footer differ from page to page."""
    text = paged().replace("\n\n\n\nAuthor", "\n\nAuthor", 2).replace("[Page 5]", "[Page 7]")
    lines = text.split("\n")
    short = compressed(lines, layout_of(lines))
    assert {line for line in short if line.startswith("§p")} == {"§p", "§p3"}
    assert sum("[Page " in line for line in short) == 3
    assert restored(short, layout_of(lines)) == lines


def test_page_breaks_may_touch() -> None:
    """Blank lines between two belong to the first."""
    lines = ("\n\nAuthor                 [Page 3]\n\fRFC 1\n\n" * 3).split("\n")
    assert restored(compressed(lines, Layout()), Layout()) == lines


@given(
    st.one_of(markup, anything), st.integers(0, 80), st.integers(0, 4), st.sampled_from(["", ".", ".:"]), st.booleans()
)
def test_any_layout_gives_any_text_back(text: str, width: int, indent: int, ends: str, hyphens: bool) -> None:
    """Whatever width and indentation are assumed, what does not fit them is written as it is."""
    layout = Layout(width, min(indent, width), ends, hyphens)
    lines = text.split("\n")
    assert restored(compressed(lines, layout), layout) == lines


@given(st.one_of(markup, anything), st.integers(1, 6))
def test_references_give_any_text_back(text: str, times: int) -> None:
    """Resolving what was referred to is the text, and the legend has no entry that is not used."""
    text = text * times
    entries, rest = refer(text, tokens.count)
    assert (resolve(entries, rest) if entries else rest) == text
    assert all(f"§{number}" in rest for number in range(1, len(entries) + 1))


def test_addresses_share_their_beginning() -> None:
    """An entry of the legend ends at a slash or a space, and the text behind it stays readable."""
    text = "".join(f"* [Part {name}](https://example.org/documents/of/a/project/{name}.md)\n" for name in "abcdefgh")
    entries, rest = refer(text, tokens.count)
    assert entries == ["example.org/documents/of/a/project/"]
    assert "[Part a](https://§1a.md)" in rest


def test_no_reference_swallows_a_digit() -> None:
    """What begins with a digit does not follow a reference."""
    text = "".join(f"https://example.org/documents/of/a/project/{number}/x\n" for number in range(8))
    entries, rest = refer(text, tokens.count)
    assert (resolve(entries, rest) if entries else rest) == text


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\u2028", "\f", "\x0b\n"])
def test_line_endings_come_back(ending: str) -> None:
    """Exact means the endings too, mixed and at the end."""
    text = ending.join(RFC.split("\n")) + "last" + ending + "x\n"
    assert decode(encode(text, Mode.EXACT)) == text
