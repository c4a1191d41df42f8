"""Which parts of a text are its writer's own words."""

from __future__ import annotations

import pytest

from context_plane.memory.links.markdown import HIDDEN, OWN, QUOTED, Zones
from tests.memory.links.telling import told


def shown(text: str) -> str:
    """Of every letter between ``a`` and ``z`` what it is part of: itself, ``>`` or ``-``."""
    zones = Zones(text)
    return "".join({OWN: c, QUOTED: ">", HIDDEN: "-"}[zones.kind(at)] for at, c in enumerate(text) if c.isalpha())


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("a `b` c", "a-c"),
        ("a ``b ` c`` d", "a--d"),
        ("a ` b", "ab"),
        ("a `b\nc` d", "a--d"),
        ("a `b\n\nc` d", "abcd"),
        ("a `b `` c", "abc"),
        ("a\n```\nb\n```\nc", "a-c"),
        ("a\n``` x\nb", "a--"),
        ("a\n~~~~\nb\n~~~\nc\n~~~~~ \nd", "a--d"),
        ("- ```\n  a\n  ```\nb", "-b"),
        ("a\n```b``` c", "a-c"),
        ("> a\nb", ">b"),
        ("a > b\n  >> c", "ab>"),
        ("> a\n> ```\n> b\n> ```\n> c\nd", ">->d"),
        ("> ```\n> a\nb", "-b"),
        ("a <!-- b\n\nc --> d", "a--d"),
        ("a <!-- b", "ab"),
        ("<!-- x ` -->\n\n<!-- y ` --> a `b` c", "--a-c"),
        ("<pre>\n", "pre"),
        ("5 < 6 > 7 a", "a"),
        ("a\r\n> b\r\n\r\nc", "a>c"),
        ("`a` ```b` c", "-bc"),
    ],
)
def test_zones(text: str, letters: str) -> None:
    """Code spans within a paragraph, fences, comments, quotations; what is not closed is text, but for fences."""
    assert shown(text) == letters


@pytest.mark.parametrize("tag", ["pre", "CODE", "script", "style"])
def test_elements_that_hold_code(tag: str) -> None:
    """As HTML within Markdown has them."""
    assert told(f"<{tag} class='x'>fixes #5</{tag}> see #6") == "refs #6"


def test_what_is_quoted_is_a_reference_and_no_statement() -> None:
    """Somebody else said it, of something else."""
    assert told("> fixes #5, superseded by #6\n\nI agree.") == "refs #5, refs #6"
    assert told("> fixes #5\nFixes #5") == "closes #5"
    assert told("> #4\n, #5") == "refs #4, refs #5"


def test_code_is_not_read() -> None:
    """Neither are templates of pull requests, which explain themselves in comments."""
    text = "`fixes #1`\n\n```\nfixes #2\n```\n<!-- Write: Fixes #3 -->\nFixes #4\n~~~\nfixes #5"
    assert told(text) == "closes #4"
    assert told("`revert 12ab34c`, but reverts `12ab34d`") == "reverts 12ab34d"
