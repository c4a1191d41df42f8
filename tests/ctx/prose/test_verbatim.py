"""The modes verbatim and compact: what of a document's layout goes, and that its words stay."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from bench.ctx_documents import paged
from context_plane.ctx import tokens
from context_plane.ctx.prose import Level, Mode, check, decode, encode
from context_plane.ctx.prose.parse import parse
from tests.ctx.prose.test_exact import RFC

ROOT = Path(__file__).parents[3]
MARKDOWN = """\
Title
=====

*   one
*   two

    text of two

| name   | value |
|--------|------:|
| a      |     1 |
| b      |     2 |

   1) first
   2) second

```python
def f():
    return  1
```
"""


def test_layout_goes() -> None:
    """Underlined titles, wide bullets, indentation and padding."""
    assert encode(MARKDOWN, Mode.VERBATIM).split("\n") == [
        "§text verbatim",
        "# Title",
        "",
        "- one",
        "- two",
        "",
        "  text of two",
        "",
        "name|value",
        "-|-:",
        "a|1",
        "b|2",
        "",
        "1) first",
        "2) second",
        "",
        "```python",
        "def f():",
        "    return  1",
        "```",
    ]


@pytest.mark.parametrize("text", [MARKDOWN, RFC * 3, paged()])
def test_every_word_stays(text: str) -> None:
    """In order; of page furniture the first."""
    decoded = decode(encode(text, Mode.VERBATIM))
    furniture = re.compile(r"\n*Author +Standards Track +\[Page [2-9]\]\n\fRFC 1\n*")
    words = furniture.sub("\n", text).split()
    assert re.findall(r"\w+", decoded) == re.findall(r"\w+", " ".join(words))
    assert parse(decoded) == parse(text)


def test_a_wrapped_document_saves_what_wrapping_costs() -> None:
    """A tenth of the tokens of an RFC, and no reference that a reader has to look up."""
    text = f"{RFC}\n" * 3
    ctx = encode(text, Mode.VERBATIM)
    assert tokens.count(ctx) < 0.9 * tokens.count(text)
    assert "§" not in ctx.removeprefix("§text")


def test_compact_names_what_is_repeated_once() -> None:
    """The legend stands before the text, and each entry is the text itself."""
    text = (
        "See https://example.org/documents/of/the/project/a and\n\nhttps://example.org/documents/of/the/project/b.\n\n"
        * 6
    )
    head, first, *_ = encode(text, Mode.COMPACT).split("\n")
    assert re.fullmatch(r"§text compact \d+", head)
    assert first.startswith("§1 ")
    assert first[3:] in text
    assert tokens.count(encode(text, Mode.COMPACT)) < tokens.count(encode(text, Mode.VERBATIM)) / 2


def test_a_part_that_does_not_come_back_stays_as_it_is() -> None:
    """A bullet before what would be a rule: its section keeps its lines, the others do not."""
    text = f"# One\n\n{MARKDOWN}\n# Two\n\n•    ---\n\n# Three\n\n{MARKDOWN}"
    ctx = encode(text, Mode.VERBATIM)
    assert "•    ---" in ctx
    assert ctx.count("name|value") == 2
    assert check(text, ctx).level is Level.STRUCTURE


def seen_by_another(text: str) -> list[tuple[str, ...]]:
    """What a parser of CommonMark makes of a text, with one space between words."""
    found: list[tuple[str, ...]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        is_code = token.type in ("fence", "code_block")
        content = token.content.rstrip("\n") if is_code else " ".join(token.content.split())
        found.append(("code" if is_code else token.type, token.tag, token.info.strip(), content))
    return found


def test_another_parser_sees_the_same(data_dir: Path) -> None:
    """For Markdown the decoded text is that document to anybody: CommonMark's blocks and text are the same."""
    found = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", *(data_dir / "documents").rglob("*.md")]
    for path in found:
        text = path.read_text("utf-8")
        assert seen_by_another(text) == seen_by_another(decode(encode(text, Mode.VERBATIM))), path.name
    assert len(found) > 10


@pytest.mark.parametrize("mode", [Mode.VERBATIM, Mode.COMPACT])
def test_real_documents(data_dir: Path, mode: Mode) -> None:
    """Specifications, guides and RFCs keep their blocks, and none grows."""
    for path in sorted((data_dir / "documents").rglob("*.*")):
        if path.suffix in (".md", ".txt"):
            text = path.read_text("utf-8")
            ctx = encode(text, mode)
            assert check(text, ctx).level in (Level.BYTES, Level.STRUCTURE), path.name
            assert tokens.count(ctx) <= tokens.count(text)
