"""What a text says about a reference: every phrase, and everything that keeps one from being a statement."""

from __future__ import annotations

import pytest

from tests.memory.links.telling import found, told


@pytest.mark.parametrize("verb", "close closes closed fix fixes fixed resolve resolves resolved".split())
@pytest.mark.parametrize("form", ["{}", "{}:", "**{}**", "*{}*:", "_{}_", "{} :"])
def test_every_closing_keyword_closes(verb: str, form: str) -> None:
    """The keywords that trackers act upon, in any case, with a colon, emphasised."""
    for word in (verb, verb.upper(), verb.title()):
        assert told(f"{form.format(word)} #5") == "closes #5"


@pytest.mark.parametrize(
    "reference",
    [
        *("#5", "GH-5", "acme/shop#5", "ACME/Shop#5", "[#5](https://h.example/acme/shop/issues/5)", "**#5**", '"#5"'),
        *("https://h.example/acme/shop/issues/5", "https://h.example/acme/shop/-/issues/5#note_7"),
        *("https://h.example/acme/shop/pull/5/files#r1", "<https://h.example/acme/shop/issues/5>"),
    ],
)
def test_every_writing_of_a_reference_is_closed(reference: str) -> None:
    """Number, path and address alike."""
    assert told(f"This closes {reference}.") == "closes #5"


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("fixes: #1, #2 and #3", "closes #1, closes #2, closes #3"),
        ("Fixes #1, #2, and #3.", "closes #1, closes #2, closes #3"),
        ("Fixes #1 & #2", "closes #1, closes #2"),
        ("Fixes #1/#2", "closes #1, closes #2"),
        ("Fixes #1 #2", "closes #1, closes #2"),
        ("Fixes #1,\n#2", "closes #1, closes #2"),
        ("Closes:\n- #1\n- #2\n\n- #3", "closes #1, closes #2, refs #3"),
        ("Closes #1\n- #2 is next", "closes #1, refs #2"),
        ("closes #1, closes #2. Closes #3\nCloses #4", "closes #1, closes #2, closes #3, closes #4"),
        ("Fixes [#1](https://h.example/acme/shop/issues/1), [#2](https://h.example/x)", "closes #1, closes #2"),
        ("Fixes #1, acme/other#2", "closes #1, closes issue/acme/other#2"),
        ("duplicate of #1 and #2", "duplicate_of #1, duplicate_of #2"),
        ("superseded by #1 and PR #2", "<supersedes #1, <supersedes #2"),
        ("Fixes #1, see #2", "closes #1, refs #2"),
        ("Fixes #1 but not #2", "closes #1, refs #2"),
        ("Fixes #1, not #2", "closes #1, refs #2"),
        ("Fixes #1 and may also fix #2", "closes #1, refs #2"),
        ("Fixes #1 or #2", "closes #1, refs #2"),
    ],
)
def test_lists(text: str, links: str) -> None:
    """What is said of the first holds for the others, as far as the list goes."""
    assert told(text) == links


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("fixes issue #5", "addresses #5"),
        ("Fix the issue #5", "addresses #5"),
        ("closes issues #5 and #6", "addresses #5, addresses #6"),
        ("Partially fixes #5", "addresses #5"),
        ("Addresses #5", "addresses #5"),
        ("This is an attempt to address #5", "addresses #5"),
        ("implements #5", "addresses #5"),
        ("addressed by PR #5", "<addresses #5"),
        ("Implemented in #5", "<addresses #5"),
        ("Fixed by #5", "<closes #5"),
        ("Will be resolved by pull request #5.", "<closes #5"),
        ("closing, fixed in #5", "<closes #5"),
        ("supersedes #5", "supersedes #5"),
        ("This PR supersedes PR #5", "supersedes #5"),
        ("supercedes #5", "supersedes #5"),
        ("Replaces: #5", "supersedes #5"),
        ("obsoletes #5", "supersedes #5"),
        ("a replacement for #5", "supersedes #5"),
        ("Superseded by #5", "<supersedes #5"),
        ("replaced by #5", "<supersedes #5"),
        ("obsoleted by\n#5", "<supersedes #5"),
        ("Closing in favour of #5", "<supersedes #5"),
        ("closed in favor of acme/other#5", "<supersedes issue/acme/other#5"),
        ("reverts #5", "reverts #5"),
        ("Reverts acme/shop#5", "reverts #5"),
        ("reverting the changes from #5", "reverts #5"),
        ('Revert "Read the file once (#5)"', "reverts #5"),
        ("Reverted by #5", "<reverts #5"),
        ("reverted in #5", "<reverts #5"),
        ("This reverts commit 0123456789abcdef0123456789abcdef01234567.", f"reverts {'0123456789abcdef' * 2}01234567"),
        ("reverts `12ab34c`", "reverts 12ab34c"),
        ("Reverts commit 1234567", "reverts 1234567"),
        ("duplicate of #5", "duplicate_of #5"),
        ("Closing as a duplicate of issue #5", "duplicate_of #5"),
        ("dupe of #5", "duplicate_of #5"),
        ("Duplicate: #5", "duplicate_of #5"),
        ("this duplicates #5", "duplicate_of #5"),
        ("duplicated by #5", "<duplicate_of #5"),
        ("This one instead of #5", "instead_of #5"),
        ("Let it be this, instead of\nPR #5", "instead_of #5"),
        ("Merged #5 instead.", "<instead_of #5"),
        ("Merged [#5](https://h.example/acme/shop/pull/5#top) instead.", "<instead_of #5"),
        ("duplicated in #5", "<duplicate_of #5"),
        ("Yesterday I reverted commit 12ab34c", "reverts 12ab34c"),
    ],
)  # fmt: skip
def test_phrases(text: str, links: str) -> None:
    """Every kind, and its direction."""
    assert told(text) == links


@pytest.mark.parametrize(
    "before",
    [
        *("does not close", "doesn't fix", "doesn\u2019t fix", "did not really fix", "no longer fixes", "never fixed"),
        *("would fix", "could close", "might resolve", "may fix", "can fix", "cannot close", "won't fix"),
        *("if we close", "unless this fixes", "once we fix", "when this closes", "until we fix", "before closing"),
        *("I don't think that this fixes", "not sure whether it resolves", "maybe fixes", "probably fixes"),
        *("instead of fixing", "rather than close", "without fixing", "needs to fix", "We have to fix", "must fix"),
        *("let's close", "Please close", "how to fix", "I propose closing", "failed to fix", "forgot to close"),
        *(
            "would in v1.2 fix",
            "would fix it and close",
            "This does not\nclose",
            "It does not\nreally close",
            "isn't a duplicate of",
        ),
        *("not a duplicate of", "might be a duplicate of", "possible duplicate of", "potential dupe of"),
        *(
            "not superseded by",
            "could be replaced by",
            "does not revert",
            "Should not be reverted by",
            "never instead of",
        ),
    ],
)
def test_what_is_denied_or_only_possible_is_no_statement(before: str) -> None:
    """It is still a reference."""
    assert told(f"{before} #5") == "refs #5"
    assert told(f"The day was fine. This {before} #5, as it seems.") == "refs #5"


@pytest.mark.parametrize(
    "word",
    "not never neither nor hardly cannot without would could might may can if unless whether until till once when "
    "before after while maybe perhaps possibly probably potentially unlikely need needs needed want wants wish must "
    "let's please propose suggest consider failing unable forgot refusing".split(),
)
def test_words_of_doubt(word: str) -> None:
    """Up to five words before what they are about, in any case; a sixth is too far."""
    assert told(f"{word} fixes #5") == told(f"{word.upper()} fixes #5") == "refs #5"
    assert told(f"{word} one two three four five fixes #5") == "refs #5"
    assert told(f"{word} one two three four five six fixes #5") == "closes #5"


@pytest.mark.parametrize(
    "text",
    [
        *("Does this fix #5?", "Should we close #5?", "fixes #5?", "Is this a duplicate of #5 ? :)", "Why revert #5?"),
        *("Can we use #5 instead?", "So is it superseded by #5, or what?"),
    ],
)
def test_questions_are_no_statements(text: str) -> None:
    """Whether by their mark alone or by the words that they begin with."""
    assert told(text) == "refs #5"


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("#4 was fixed by #5", "refs #4, refs #5"),
        ("PR #4 fixes #5", "refs #4, refs #5"),
        ("#4, which supersedes #5, is better", "refs #4, refs #5"),
        ("#4 is a duplicate of #5", "refs #4, refs #5"),
        ("Use #4 instead of #5", "refs #4, refs #5"),
        ("closes #4 instead of #5", "closes #4, refs #5"),
        ("Closing #4 as duplicate of #5", "closes #4, refs #5"),
        ("replace #4 with #5", "refs #4, refs #5"),
        ("[#4](https://h.example/acme/shop/issues/4) fixes #5", "refs #4, refs #5"),
        ("As discussed in #4, this closes #5", "closes #5, refs #4"),
        ("See #4\nFixes #5", "closes #5, refs #4"),
        ("I have already closed #5", "refs #5"),
        ("@ann closed #5 today", "refs #5"),
        ("We fixed #5", "closes #5"),
    ],
)
def test_what_is_said_of_another_thing_is_not_said_of_this(text: str, links: str) -> None:
    """A reference right before the words is what they are about."""
    assert told(text) == links


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("It does not change the API and closes #5", "closes #5"),
        ("Not perfect, but fixes #5", "closes #5"),
        ("It would be nice. Fixes #5", "closes #5"),
        ("This may be wrong\nFixes #5", "closes #5"),
        ("I forgot this and will close #5", "closes #5"),
        ("(if it works) fixes #5", "closes #5"),
        ("It not only fixes #5 but also closes #6", "closes #5, closes #6"),
        ("Should fix #5.", "closes #5"),
        ("This will close #5", "closes #5"),
        ("To fix #5", "closes #5"),
        ("Fixes #5. Is that fine?", "closes #5"),
        ("Fixes #5 (or does it?)", "closes #5"),
        ("Seems like a dupe of #5", "duplicate_of #5"),
    ],
)
def test_doubt_ends_with_its_clause(text: str, links: str) -> None:
    """A doubt about something else takes nothing away."""
    assert told(text) == links


@pytest.mark.parametrize(
    "text",
    [
        *("hotfix #5", "prefix #5", "unresolved #5", "auto-close #5", "fixes in #5", "fix for #5", "closest #5"),
        *("the fix(#5)", "fix(core): see #5", "closes\n#5", "closes\n\n#5", "closed. #5", "fixes, #5", "instead #5"),
        *("replacing words in #5", "duplicates: #5", "supersedes the one in #5", '"fixes" #5', "a revert in #5"),
    ],
)
def test_words_that_only_look_like_a_phrase(text: str) -> None:
    """They are part of another word, or something stands between them and the reference."""
    assert told(text) == "refs #5"


@pytest.mark.parametrize(
    "text", ["reverts decades", "reverts 1234567", "reverts abcdefab", "do not revert commit 12ab34c"]
)
def test_words_that_are_no_commits(text: str) -> None:
    """A hash without a word for it holds letters and digits, and what is not reverted is no link."""
    assert told(text) == ""


def test_the_evidence_is_the_words_and_the_reference() -> None:
    """From the first word of the phrase to the end of the reference; of a plain reference, itself."""
    text = "Hello. This fixes: #1, #2. See acme/other#3, or take #4 instead."
    assert [text[slice(*each.evidence.span)] for each in found(text) if each.evidence.span] == [
        "fixes: #1",
        "fixes: #1, #2",
        "acme/other#3",
        "#4 instead",
    ]
    assert [each.rule for each in found(text)] == ["closes", "closes-list", "path", "instead"]


def test_a_thing_said_twice_is_one_link() -> None:
    """The first evidence counts, and a reference of which more is said is no mere reference."""
    links = found("See #5. Fixes #5, and once more: fixes #5, which supersedes nothing. Duplicate of #5.")
    assert [(each.kind, each.evidence.start) for each in links] == [("closes", 8), ("duplicate_of", 69)]
