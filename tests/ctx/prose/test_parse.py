"""The block model: what of a text it keeps, and what it leaves out."""

from __future__ import annotations

import pytest

from bench.ctx_documents import paged
from context_plane.ctx.prose.parse import parse


def kinds(text: str) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(block.kind, block.mark, block.lines) for block in parse(text)]


WRAPPED = """\
The runtime keeps a log of every event that it has seen, and rebuilds
everything else from that log when it is asked to do so by a person.
Nothing that was acknowledged is lost, and nothing that was not is
half visible to anybody. Whoever reads the log up to a number has seen
everything that came before that number, whoever wrote it, and when.
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n\n### Three #", [("heading", "#", ("One",)), ("heading", "###", ("Three #",))]),
        ("One\n===\n\nTwo\n---", [("heading", "#", ("One",)), ("heading", "##", ("Two",))]),
        ("Title\n~~~~~", [("heading", "###", ("Title",))]),
        ("1.2.  Terms\n\n   Text.", [("heading", "##", ("1.2. Terms",)), ("para", "", ("Text.",))]),
        ("5.2 The Format\n\nText.", [("heading", "##", ("5.2 The Format",)), ("para", "", ("Text.",))]),
        ("1.  Terms\n\n   Text.", [("heading", "#", ("1. Terms",)), ("para", "", ("Text.",))]),
        ("1.  First\n\n2.  Second", [("heading", "#", ("1. First",)), ("item", "2.", ("Second",))]),
        ("Appendix A.  Terms\n\ntext", [("heading", "#", ("Appendix A. Terms",)), ("para", "", ("text",))]),
        ("* a\n- b\n• c\n3) d", [("item", "-", (x,)) for x in "abc"] + [("item", "3)", ("d",))]),
        ("-\n\n- a", [("item", "-", ()), ("item", "-", ("a",))]),
        ("a\n* * *\nb", [("para", "", ("a",)), ("rule", "", ()), ("para", "", ("b",))]),
        ("```py x\n  a\n\tb\n```", [("code", "py x", ("  a", "\tb"))]),
        ("~~~\n```\n~~~", [("code", "", ("```",))]),
        ("````\n```\n````", [("code", "", ("```",))]),
        ("```\nno end", [("code", "", ("no end",))]),
        ("a\n\n    b\n      c\n\n    d", [("para", "", ("a",)), ("code", "", ("b", "  c", "", "d"))]),
        ("+---+\n|  a|\n+---+", [("code", "", ("+---+", "|  a|", "+---+"))]),
        ("name     age\nann      3", [("code", "", ("name     age", "ann      3"))]),
        ("def f():\n    return 1", [("para", "", ("def f():", "    return 1"))]),
        (" a\u2028b c\u00a0d", [("para", "", ("a\u2028b c\u00a0d",))]),
        ("one.  Two", [("para", "", ("one. Two",))]),
        ("[a]: http://x\n[b]: http://y", [("para", "", ("[a]: http://x", "[b]: http://y"))]),
        ("", []),
        (" \n\t\n\f", []),
    ],
)
def test_blocks(text: str, expected: list[tuple[str, str, tuple[str, ...]]]) -> None:
    """Kind, mark and lines of each block."""
    assert kinds(text) == expected


def test_wrapped_lines_are_one() -> None:
    """A break that the width explains is a space; one that it does not explain stays."""
    (block,) = parse(WRAPPED)
    assert block.lines == (" ".join(WRAPPED.split()),)
    (block,) = parse(WRAPPED.replace("half visible", "half of it is\nhalf visible"))
    assert [line[-2:] for line in block.lines] == ["is", "n."]


def test_short_lines_are_not_joined() -> None:
    """Lines of a poem, a list of names or an address are nobody's wrapping."""
    (block,) = parse("Ann Example\n12 Some Street\nSpringfield\nUnited States\n")
    assert len(block.lines) == 4


@pytest.mark.parametrize("hard", ["  \n", "\\\n"])
def test_hard_breaks_stay(hard: str) -> None:
    """Two spaces or a backslash before a line ending are Markdown's line break, however long the line is."""
    (block,) = parse(WRAPPED.replace("rebuilds\n", f"rebuilds{hard}"))
    assert len(block.lines) == 2


def test_depth_of_lists() -> None:
    """Items and paragraphs stand in the items whose sign is to the left of them."""
    text = "1. a\n   - b\n\n     text of b\n\n   text of a\n2. c\n\ntext\n"
    found = [(block.kind, block.mark, block.depth) for block in parse(text)]
    assert found == [
        ("item", "1.", 0),
        ("item", "-", 1),
        ("para", "", 2),
        ("para", "", 1),
        ("item", "2.", 0),
        ("para", "", 0),
    ]


def test_quotations() -> None:
    """Depth of the signs, where the quotation stands, and what is in it."""
    found = [(block.kind, block.quote, block.lines) for block in parse("- a\n\n  > b\n  > > c\n  > - d\n\ne")]
    assert found == [
        ("item", (0, 0), ("a",)),
        ("para", (1, 1), ("b",)),
        ("para", (1, 2), ("c",)),
        ("item", (1, 1), ("d",)),
        ("para", (0, 0), ("e",)),
    ]


def test_tables() -> None:
    """Cells without padding, alignments, rows of another length, pipes that are part of a cell."""
    (block,) = parse("| a | b  c |\n|:--|--:|\n| 1 \\| 2 | |\nx | y | z\n")
    assert (block.kind, block.mark) == ("table", "lr")
    assert block.rows == [("a", "b c"), ("1 \\| 2", ""), ("x", "y", "z")]


def test_definitions_are_set_in() -> None:
    """Text that stands further in than the text before it is not the same as text beside it."""
    inner, outer = parse("term\n\n  what it means\n"), parse("term\n\nwhat it means\n")
    assert [block.mark for block in inner] == ["", ">"]
    assert inner != outer
    assert parse("term\n\n what it means\n") == outer


def test_line_endings_are_layout() -> None:
    """LF, CR LF and CR make the same lines."""
    text = "# a\n\n- b\n- c\n\ntext\nmore\n"
    assert parse(text) == parse(text.replace("\n", "\r\n")) == parse(text.replace("\n", "\r"))


def test_page_furniture_is_left_out_after_the_first() -> None:
    """A paragraph goes on over a page break, and footers and headers stand once."""
    text = paged()
    words = " ".join(" ".join(block.lines) for block in parse(text))
    assert text.count("[Page ") == 6
    assert words.count("[Page ") == 1
    torn = text.replace("the peer it is", "the\n\n\nAuthor  Kind  [Page 3]\n\fRFC 1\n\n   peer it is")
    assert "to the peer it is" in " ".join(" ".join(block.lines) for block in parse(torn))


def test_blocks_know_their_line() -> None:
    """For messages: the number of the line they begin at, page furniture counted."""
    text = paged()
    lines = text.split("\n")
    for block in parse(text):
        if block.kind == "para":
            assert lines[block.at].split() == block.lines[0].split()[: len(lines[block.at].split())]
