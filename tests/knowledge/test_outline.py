"""Outlines: sections, headings and titles of Markdown, plain text, RFCs, reStructuredText and data."""

from __future__ import annotations

from context_plane.knowledge.outline import MAX_HEADING, Form, outline


def headings(text: str, form: Form = "prose") -> list[tuple[str, ...]]:
    return [section.heading for section in outline(text, form).sections]


def lines(text: str, form: Form = "prose") -> list[int]:
    """The line at which each section begins."""
    return [section.places[0].line for section in outline(text, form).sections]


def test_headings_nest_by_their_level() -> None:
    """A deeper level that is skipped is none; going back up leaves what is deeper."""
    text = "before\n\n# A\n\n### B\n\n## C\n\n# D\n"
    assert headings(text) == [(), ("A",), ("A", "B"), ("A", "C"), ("D",)]
    assert lines(text) == [0, 2, 4, 6, 8]


def test_underlines_and_numbers_are_headings_too() -> None:
    """As plain text and RFCs have them."""
    assert headings("Guide\n=====\n\nSetup\n-----\n\nx\n") == [("Guide",), ("Guide", "Setup")]
    text = "1.  Introduction\n\n   Some text of it.\n\n1.1.  Terms\n\n   More.\n\nAppendix A.  Keys\n\n   x\n"
    assert headings(text) == [
        ("1. Introduction",), ("1. Introduction", "1.1. Terms"), ("Appendix A. Keys",),
    ]  # fmt: skip


def test_what_looks_like_a_heading_inside_of_something_is_none() -> None:
    """In code, in quotations."""
    assert headings("# A\n\n```\n# no\n```\n\n> # no\n\n    # no\n") == [("A",)]


def test_front_matter_is_no_text_and_may_state_the_title() -> None:
    """Its lines belong to the first section."""
    text = '---\ntitle: "How we work"\ntags: [a]\n---\n\n# Guide\n\nx\n'
    found = outline(text, "prose")
    assert (found.title, headings(text), lines(text)) == ("How we work", [("Guide",)], [0])
    assert outline("---\nx: 1\n...\n# Guide\n", "prose").title == "Guide"
    assert headings("---\n\n# A\n") == [(), ("A",)]  # a rule that nothing ends


def test_the_title_is_the_first_heading_unless_that_is_a_chapter() -> None:
    """A numbered heading is the title of a part."""
    assert outline("x\n\n## Guide\n", "prose").title == "Guide"
    assert outline("1.  Introduction\n\n   x\n\n2.  Terms\n\n   x\n", "prose").title is None
    assert outline("no headings\n", "prose").title is None
    assert outline("", "prose").title is None


def test_a_mark_of_byte_order_hides_no_heading() -> None:
    """Editors on Windows write one."""
    assert headings("\ufeff# A\n\nx\n") == [("A",)]


def test_a_heading_as_long_as_a_page_is_kept_in_part() -> None:
    """It is stored with every chunk below it."""
    assert len(headings(f"# {'word ' * 500}\n")[0][0]) == MAX_HEADING


RST = """\
=====
Guide
=====

Intro.

Setup
=====

x

Details
-------

A table::

    =====  =====
    a      b
    =====  =====

Run
===

y
"""


def test_levels_of_restructuredtext_are_those_in_which_signs_come_first() -> None:
    """A line above a title is part of it, and makes it another sign."""
    assert headings(RST, "rst") == [("Guide",), ("Guide", "Setup"), ("Guide", "Setup", "Details"), ("Guide", "Run")]
    assert lines(RST, "rst") == [0, 6, 11, 20]
    assert outline(RST, "rst").title == "Guide"


def test_any_sign_lines_a_title() -> None:
    """Not only those that Markdown knows, and in any order."""
    assert headings("A\n***\n\nB\n...\n\nC\n===\n\nD\n***\n", "rst") == [("A",), ("A", "B"), ("A", "B", "C"), ("D",)]


def test_a_line_below_text_is_no_title() -> None:
    """A title stands alone, or below a line like the one under it."""
    assert headings("A\n===\n\nsome text\nmore text\n---------\n\nx\n", "rst") == [("A",)]


def test_data_has_no_headings() -> None:
    """A comment of YAML is no title; what is indented least is the best place for a cut."""
    found = outline("# settings\na:\n  b: 1\n\nc: 2\n", "data")
    assert found.title is None
    assert [(place.line, place.cost) for place in found.sections[0].places] == [(0, 0), (1, 0), (2, 1), (4, 0)]
