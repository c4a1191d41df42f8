"""What holds for any text: no exception, true evidence, and the same links whatever stands around."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.memory.links.link import KINDS, Found
from context_plane.memory.links.notations import notation, own
from context_plane.memory.links.rules import of_text
from tests.memory.links.telling import ENTITY

ME = own(ENTITY)
DECLARED = tuple(
    map(
        notation,
        (
            {"written": "{key}-{number}", "entity": "issue/{key}-{number}"},
            {"written": "!{number}", "entity": "merge_request/{prefix}!{number}"},
            {"written": "ticket {digits}", "entity": "ticket/{digits}"},
            {"written": "{path}!{number}", "entity": "merge_request/{path}!{number}"},
        ),
    )
)
# What rules treat in a way of its own, to be put together.
REFERENCES = "#5 #66 GH-7 acme/other#8 acme/shop#9 https://h.example/acme/shop/pull/4 AUTH-3 !2 #123456 #fff".split()
WORDS = (
    "fixes closes: resolve superseded by in favor of duplicate instead of not would if reverts commit 12ab34c issue PR "
    "and , or . ? ( ) [ ]( : - * **"
).split()
MARKS = [
    "`",
    "```",
    "~~~",
    "> ",
    "<!--",
    "-->",
    "<code>",
    "</code>",
    "\n",
    "\n\n",
    "\r\n",
    " ",
    "\t",
    "&",
    "é",
    "修",
    "\ud800",
]
TEXTS = st.lists(st.one_of(st.sampled_from([*REFERENCES, *WORDS, *MARKS, " ", " ", "\n"]), st.text(max_size=4))).map(
    "".join
)
SPACED = st.lists(st.sampled_from([*REFERENCES, *WORDS, "\n", "\n\n", "`code`", "> "])).map(" ".join)
# Text without a reference, a beginning of one, or of anything that goes on behind the paragraph.
PLAIN = st.text(st.characters(exclude_characters="#`~<>/!&-\\", exclude_categories=["Cs", "Nd"]), max_size=60)
REPEATED = [
    *("#", "fixes ", "1", "#1", "#1 ", "fixes #1 ", "fixes #1, ", "not fix #1 ", "a/", "a/b#1 ", "`", "` ", "`a` #1"),
    *("```\n", "~~~\n#1\n", "> ", ">\n", "> #1\n", "> ```\n", "> ````\n> ```\n", "\n", "\n- #1", "<!--", "<!-- #1"),
    *(
        "<pre>#1",
        "</pre>",
        "http://",
        "](#1",
        "https://h/",
        "https://h.example/acme/shop/issues/1 ",
        "GH-1",
        "ticket 1 ",
    ),
    *(
        "[#1](https://h/acme/shop/issues/1) ",
        "reverts 12ab34c ",
        'Revert "(#1',
        "in favour of #1 ",
        "the the issue #1 ",
    ),
    *(
        "is #1? ",
        "color: #123456; ",
        "#123456 ",
        "\t",
        "AUTH-",
        "A-1 ",
        "!1",
        "a.b/c!1 ",
        "ticket  ",
        "&#39;",
        "\u3001#1",
    ),
    *("**", "and ", "if ", "(", "'", "é", "\u00a0"),
]


def links(text: str) -> list[Found]:
    return list(of_text(text, "text", ME, DECLARED))


@given(st.one_of(TEXTS, SPACED, st.text()))
def test_the_evidence_holds_the_reference(text: str) -> None:
    """Whatever the text: spans lie in it, references as written lie in their spans, kinds are published ones."""
    for each in links(text):
        assert each.evidence.span is not None
        start, end = each.evidence.span
        assert 0 <= start < end <= len(text)
        assert each.target.written in text[start:end]
        assert each.kind in KINDS
        assert each.rule


@given(PLAIN, st.one_of(TEXTS, SPACED), PLAIN)
def test_paragraphs_around_a_text_change_nothing(before: str, text: str, after: str) -> None:
    """The links of the text in the middle are moved, and nothing else."""
    moved = len(before) + 2
    alone = [
        (e.evidence.start + moved, e.evidence.end + moved, e.kind, e.target, e.inverse, e.rule) for e in links(text)
    ]
    within = links(f"{before}\n\n{text}\n\n{after}")
    assert [(e.evidence.start, e.evidence.end, e.kind, e.target, e.inverse, e.rule) for e in within] == alone


@given(TEXTS)
def test_the_same_text_gives_the_same_links(text: str) -> None:
    """There is no state."""
    assert links(text) == links(text)


@pytest.mark.parametrize("unit", REPEATED)
def test_any_repetition_is_read_to_its_end(unit: str) -> None:
    """Whatever is repeated, what follows it is found; `bench links` has the times, which are linear."""
    text = f"{unit * (20_000 // len(unit))}\n\nfixes #77"
    assert len(links(text)) <= len(text)
