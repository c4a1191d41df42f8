"""Summaries: whole sentences of recent events, never over budget, chosen for what they add."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.bundles.sentences import MAX_CHARS, sentences
from context_plane.bundles.summary import Source, shorten, summarize
from context_plane.ctx import tokens


def day(number: int, text: str, type: str = "note") -> Source:
    return Source(f"2026-03-{number:02d}", type, text)


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in sentences(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One thing. Another thing! A third?", ["One thing.", "Another thing!", "A third?"]),
        ("Version 1.5.2 costs 12.50 EUR, e.g. for Dr. Smith. Fine with me.", None),
        ('He said "it works." Then it broke.', ['He said "it works."', "Then it broke."]),
        ("# A title\nBody goes here,\nover two lines.\n\n- first item\n- second item", None),
        ("Broken.\n```python\nprint('x')\n```\nFixed.", ["Broken.", "Fixed."]),
        ("> quoted mail text\nMy answer.", ["My answer."]),
        ("See [the docs](https://x.y/z) ![logo](l.png) now.", ["See the docs now."]),
        ("Visible <!-- hidden\nnote --> text.", ["Visible text."]),
        ("支払いが失敗しました。再試行します。", ["支払いが失敗しました。", "再試行します。"]),
        ("amount_usd: 11.77; quantity: 1", ["amount_usd: 11.77; quantity: 1"]),
        ("| name | plan |\n|---|---|\n| Ann | pro |", ["name | plan", "Ann | pro"]),
        ("... the and of ...", []),
        ("no capital. follows here", ["no capital. follows here"]),
        ("", []),
    ],
)
def test_sentences_of_what_people_write(text: str, found: list[str] | None) -> None:
    """Prose, Markdown, mail, tables and rendered data fall into sentences on one line each."""
    expected = {
        "V": ["Version 1.5.2 costs 12.50 EUR, e.g. for Dr. Smith.", "Fine with me."],
        "#": ["A title", "Body goes here, over two lines.", "first item", "second item"],
    }
    assert texts(text) == (expected[text[0]] if found is None else found)


def test_what_is_new_is_quoted() -> None:
    """A sentence that repeats what a newer one says is left out, and what is quoted is in time order."""
    events = [
        day(1, "Asked about SSO for the whole team."),
        day(2, "Weekly sync held."),
        day(3, "Weekly sync held."),
        day(4, "Weekly sync held. Wants annual billing."),
    ]
    assert summarize(events, 100) == (
        "2026-03-01 note: Asked about SSO for the whole team.\n2026-03-04 note: Weekly sync held. Wants annual billing."
    )


def test_recent_events_win_where_the_budget_is_small() -> None:
    """Of sentences that say equally much the newest is kept."""
    events = [day(number, f"Topic{number} was discussed.") for number in range(1, 10)]
    assert summarize(events, 20) == "2026-03-09 note: Topic9 was discussed."


def test_one_sentence_that_is_too_long_is_cut_at_a_word() -> None:
    """Where no sentence fits, the newest event's first one is cut and ends in an ellipsis; else nothing is cut."""
    long = day(2, "The customer " + "really " * 50 + "wants more seats")
    assert summarize([day(1, long.text), long], 20).endswith(" really…")
    assert tokens.count(summarize([long], 20)) <= 20
    assert "…" not in summarize([day(1, "Short and good."), long], 20)
    assert tokens.count(summarize([day(1, "あ" * 500)], 30)) <= 30
    assert summarize([day(1, "あ" * 500)], 30).endswith("あ…")


@pytest.mark.parametrize("events", [[], [day(1, "the and of")], [day(1, "```\nonly code\n```")]])
def test_nothing_to_quote_is_an_empty_summary(events: list[Source]) -> None:
    """Without an informative sentence, or without room for one, the summary is empty."""
    assert summarize(events, 100) == ""
    assert summarize([day(1, "Something.")], 3) == ""


@given(
    st.lists(
        st.one_of(
            st.text(max_size=200),
            st.text("ab. \nA!", max_size=200),
            st.lists(st.sampled_from("plan seats SSO billing error 42 the. asked? wants".split()), max_size=40).map(
                " ".join
            ),
        ),
        max_size=8,
    ),
    st.integers(1, 200),
)
def test_the_budget_is_never_exceeded(written: list[str], budget: int) -> None:
    """Whatever the texts, a summary fits its budget and every line quotes one event in time order."""
    events = [day(index + 1, text.encode(errors="replace").decode()) for index, text in enumerate(written)]
    found = summarize(events, budget)
    assert tokens.count(found) <= budget
    assert summarize(events, budget) == found
    days = [line[:10] for line in found.split("\n")] if found else []
    assert days == sorted(set(days))
    assert all(re.match(r"2026-03-\d\d note: .", line) for line in found.split("\n") if found)


def test_huge_texts_cost_little() -> None:
    """Only the beginning of a text is read: a text of 20 MB is summarized as quickly as a short one."""
    events = [day(index + 1, "Something happened here. " * 800_000) for index in range(2)]
    assert len(events[0].text) > 10_000 * MAX_CHARS // 2_000
    start = time.perf_counter()
    assert summarize(events, 50) == "2026-03-02 note: Something happened here."
    assert time.perf_counter() - start < 1


def test_shortening_keeps_words() -> None:
    """A text is cut at the end of a word, at the limit where it has none, and not at all where it fits."""
    assert shorten("short", 5) == "short"
    assert shorten("some words here", 10) == "some words…"
    assert shorten("some words here", 9) == "some…"
    assert shorten("x" * 20, 10) == "x" * 10 + "…"
