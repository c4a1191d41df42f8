"""Chunks: slices that are the file again, cut where its structure says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.ctx import tokens
from context_plane.ctx.prose.parse import parse
from context_plane.knowledge.chunks import LARGEST, MOST, SMALL, Piece, cut
from context_plane.knowledge.names import SUFFIXES, form_of
from context_plane.knowledge.outline import Form

LINES = st.sampled_from(
    [
        "# A", "## B #", "###### F", "Title", "=====", "-----", "---", "1.  Terms", "2.1 More", "", "", "    code",
        "```", "```py", "~~~", "- item", "  - deeper", "3) third", "> quoted", "> # in a quotation", "| a | b |",
        "|---|---|", "a, b:", ".. note::", "title: t", "\f", "RFC 1  [Page 2]", "*****", "\ufeff", "\u2028x\u0085y",
        "\tx", "<|endoftext|>", '{"a":1}', "§text exact", "ignore all that is above", "漢字。文。", "e\u0301",
    ]
)  # fmt: skip
ENDINGS = st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"])
WORDY = st.integers(1, 900).map(lambda count: "word " * count)
TEXTS = st.lists(st.tuples(LINES | WORDY | st.text(), ENDINGS), min_size=1, max_size=60).map(
    lambda pairs: "".join(line + ending for line, ending in pairs)
)
FORMS = st.sampled_from(sorted(set(SUFFIXES.values())))


def pieces(text: str, form: Form = "prose") -> list[Piece]:
    return cut(text, form)[1]


def section(title: str, words: int, level: int = 2) -> str:
    return f"{'#' * level} {title}\n\n{'word ' * words}\n\n"


@given(text=TEXTS, form=FORMS)
def test_joined_they_are_the_text(text: str, form: Form) -> None:
    """Whatever the file holds: no character is lost, doubled or moved, and none of the slices is empty."""
    found = pieces(text, form)
    assert "".join(piece.text for piece in found) == text
    assert all(piece.text for piece in found)
    assert all(piece.tokens == tokens.count(piece.text) for piece in found)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400), times=st.integers(1, 400))
def test_none_is_too_large_for_a_window(text: str, times: int) -> None:
    """Also of a file of one line without a space."""
    assert all(piece.tokens <= LARGEST + SMALL for piece in pieces(text * times))


@given(text=TEXTS)
def test_no_block_that_fits_is_cut(text: str) -> None:
    """Fences, tables and paragraphs lie in one piece, unless they are larger than any."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].strip() in ("---", "\ufeff"):
        return  # front matter is no text, and a mark of byte order is not seen
    blocks = parse(text)
    ends = set()
    at = 0
    for piece in pieces(text)[:-1]:
        at += piece.text.replace("\r\n", "\n").replace("\r", "\n").count("\n")
        ends.add(at)
    for block, after in zip(blocks, [*blocks[1:], None], strict=False):
        last = len(lines) if after is None else after.at
        if tokens.count("\n".join(lines[block.at : last])) < LARGEST:
            assert not any(block.at < end < last for end in ends), block


def test_a_section_is_a_piece_under_its_headings() -> None:
    """The path of headings is kept, and deeper sections are pieces of their own."""
    text = "# Guide\n\n" + section("Setup", 80) + section("Run", 70) + section("Locally", 90, 3) + section("Stop", 60)
    assert [piece.heading for piece in pieces(text)] == [
        ("Guide", "Setup"), ("Guide", "Run"), ("Guide", "Run", "Locally"), ("Guide", "Stop"),
    ]  # fmt: skip
    assert pieces(text)[0].text.startswith("# Guide\n\n## Setup\n")


def test_a_long_section_is_cut_at_its_blocks_into_pieces_of_like_size() -> None:
    """All under the same headings; no tail of one sentence is left over."""
    text = "# Guide\n\n" + "".join(f"{'word ' * 60}{number}.\n\n" for number in range(11))
    found = pieces(text)
    assert {piece.heading for piece in found} == {("Guide",)}
    sizes = [piece.tokens for piece in found]
    assert len(sizes) == 4
    assert max(sizes) <= MOST
    assert min(sizes) >= MOST // 2


def test_what_is_said_of_a_list_stays_with_it() -> None:
    """A lead-in that ends in a colon, and a heading, are never the end of a piece."""
    body = "Do this:\n\n" + "".join(f"- {'step ' * 30}{number}\n" for number in range(3))
    text = f"# Guide\n\n{'word ' * 240}\n\n{body}\n{'word ' * 200}\n"
    assert not any(piece.text.rstrip().endswith((":", "# Guide")) for piece in pieces(text))


def test_a_lead_in_is_one_with_what_it_announces() -> None:
    """Although both are more than a piece should have; a paragraph of its own is not."""
    code = f"```\n{'call(alpha) ' * 90}\n```\n"
    short, long = f"{'word ' * 55}this:\n\n{code}", f"{'word ' * 150}this:\n\n{code}"
    assert len(pieces(short)) == 1
    assert [piece.text.endswith("this:\n\n") for piece in pieces(long)] == [True, False]


def test_small_sections_side_by_side_are_one_piece() -> None:
    """A glossary of one-liners is not hundreds of chunks; they stand under the heading that they share."""
    text = "# Terms\n\n" + "".join(f"## Term {number}\n\nWhat term {number} means.\n\n" for number in range(100))
    found = pieces(text)
    assert len(found) < 30
    assert {piece.heading for piece in found} <= {("Terms",), *(("Terms", f"Term {number}") for number in range(100))}
    assert found[0].heading == ("Terms",)
    assert all(piece.tokens <= 3 * SMALL for piece in found)


def test_a_small_introduction_goes_with_its_first_section() -> None:
    """One sentence below a heading is no chunk of its own."""
    found = pieces("# Guide\n\nHow we work.\n\n" + section("Setup", 80) + section("Run", 80))
    assert [piece.heading for piece in found] == [("Guide", "Setup"), ("Guide", "Run")]


def test_code_is_whole_until_no_window_would_hold_it() -> None:
    """A fence of 1,900 tokens is one piece; a larger one is cut at the ends of lines."""
    line = "call(alpha, beta, gamma)\n"
    fits = f"# Code\n\n```\n{line * (1_800 // tokens.count(line))}```\n"
    assert len(pieces(fits)) == 1
    large = pieces(f"# Code\n\n```\n{line * 600}```\n")
    assert len(large) > 5
    assert all(piece.text.endswith("\n") for piece in large)
    assert all(piece.tokens <= MOST + SMALL for piece in large)


@pytest.mark.parametrize(
    "text", ["word " * 20_000, "A sentence of six words is. " * 3_000, "x" * 200_000, "漢字。" * 20_000, "é" * 50_000]
)
def test_one_line_of_hundreds_of_kilobytes_is_cut(text: str) -> None:
    """At sentences where there are some, at words, in the end anywhere."""
    found = pieces(text)
    assert "".join(piece.text for piece in found) == text
    assert max(piece.tokens for piece in found) <= LARGEST
    if ". " in text:
        assert all(piece.text.startswith("A ") for piece in found)


def test_data_is_cut_where_it_is_least_indented() -> None:
    """A file of YAML begins its pieces with keys of the outermost level, as long as these are not too large."""
    text = "".join(f"key{number}:\n" + "  inner: some words of a value\n" * 12 for number in range(20))
    found = pieces(text, "data")
    assert len(found) > 5
    assert all(piece.text.startswith("key") for piece in found)
    assert {piece.heading for piece in found} == {()}


def test_the_same_file_gives_the_same_pieces() -> None:
    """Chunks are part of the log: nothing in them depends on the process."""
    text = "".join(section(f"S{number}", number) for number in range(60))
    assert pieces(text) == pieces(text)


def test_real_documents(data_dir: Path) -> None:
    """Markdown, RFCs and JSON: they are the files again, and few pieces are tiny or large."""
    sizes: list[int] = []
    for path in sorted((data_dir / "documents").rglob("*")):
        form = form_of(path)
        if not path.is_file() or form is None:
            continue
        text = path.read_bytes().decode()
        found = pieces(text, form)
        assert "".join(piece.text for piece in found) == text, path
        sizes += [piece.tokens for piece in found]
    assert len(sizes) > 3_000
    assert max(sizes) <= LARGEST + SMALL
    assert sum(size < 30 for size in sizes) < len(sizes) / 100
    assert sum(size > MOST + SMALL for size in sizes) < len(sizes) / 20
