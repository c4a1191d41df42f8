"""docs/links.md says what happens: its tables of texts and links, its code, and its lists of kinds and placeholders."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from context_plane.memory.links.link import KINDS
from context_plane.memory.links.notations import PLACES
from tests.memory.links.telling import told

DOCUMENT = (Path(__file__).parents[3] / "docs" / "links.md").read_text("utf-8")
ROW = re.compile(r"^\| ([^|\n]*)\| (`[^|\n]+`) \| ?([^|`\n]*)\|$", re.M)


def cases() -> list[tuple[str, str]]:
    """Text and links of every row that shows them."""
    return [(match[2].strip("`").strip(), match[3].strip()) for match in ROW.finditer(DOCUMENT)]


def shown(links: str) -> str:
    """As the tests write them."""
    spelt = (re.sub(r"^(← )?(\w+) (acme/other)", r"\1\2 issue/\3", link) for link in links.split(", "))
    return ", ".join(sorted(link.replace("← ", "<") for link in spelt))


@pytest.mark.parametrize(("text", "links"), cases())
def test_a_row_of_a_table_is_true(text: str, links: str) -> None:
    """The links shown are the links found; code spans in the text are as the page writes them."""
    given = f"`{text}`" if text == "fixes #5" and not links else text
    assert told(given) == shown(links)


def test_the_tables_were_found() -> None:
    """All of them, with every kind."""
    assert len(cases()) == 43
    assert set(re.findall(r"\w+(?= [#a-z0-9])", " ".join(links for _, links in cases()))) >= set(KINDS)


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", DOCUMENT, re.S))
def test_the_code_prints_what_is_shown(block: tuple[str, str]) -> None:
    """Each block by itself."""
    code, output = block
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert printed.getvalue() == output


def test_every_placeholder_is_explained() -> None:
    """And no other."""
    table = DOCUMENT.split("| placeholder |")[1].split("\n\n")[0]
    explained = [name for line in table.splitlines()[2:] for name in re.findall(r"`\{(\w+)\}`", line.split("|")[1])]
    assert explained == [*PLACES, "type", "prefix"]


def test_links_of_the_page_lead_somewhere() -> None:
    """Every file that it links to exists."""
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)\)", DOCUMENT):
        assert (Path(__file__).parents[3] / "docs" / target).exists(), target
