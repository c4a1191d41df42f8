"""How references are written, what they stand for, and what only looks like one."""

from __future__ import annotations

import pytest

from context_plane.errors import InputError
from context_plane.memory.links.notations import notation, own
from context_plane.memory.links.references import mentions
from tests.memory.links.telling import found, told


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("see #5", "#5"),
        ("(#5)", "#5"),
        ("#5, and", "#5"),
        ("#5's", "#5"),
        ("_#5_", "#5"),
        ("_see #5_, **#5**", "#5"),
        ("see #5 /srv/shop/cart.php", "#5"),
        ("#5 in read ()", "#5"),
        ("issue#5", "#5"),
        ("PR#5", "#5"),
        ("GH-5", "#5"),
        ("gh-5: read once", "#5"),
        ("acme/shop#5", "#5"),
        ("Acme/SHOP#5", "#5"),
        ("acme/other.js#5", "issue/acme/other.js#5"),
        ("https://h.example/acme/shop/issues/5", "#5"),
        ("https://h.example/ACME/shop/pull/5#discussion_r7", "#5"),
        ("[words](https://h.example/acme/shop/issues/5?x=1)", "#5"),
        ("https://h.example/acme/shop/-/merge_requests/5", "#5"),
        ("“#5”", "#5"),
        ("——#5", "#5"),
        ("修复#5。", "#5"),
        ("<b>#5</b>", "#5"),
        ("\t#5\r\n", "#5"),
        ("[#5 (comment)](https://h.example/acme/shop/issues/5#c)", "#5"),
    ],
)
def test_references(text: str, target: str) -> None:
    """Each stands for one entity, of the type of the entity that the text is about."""
    assert told(text) == f"refs {target}"


@pytest.mark.parametrize(
    "kind", "issues pull pulls pull-requests merge_requests work_items -/issues -/merge_requests -/work_items".split()
)
def test_addresses_of_trackers(kind: str) -> None:
    """Whatever they call it, on whatever host, if what stands before is one's own path."""
    assert told(f"https://h.example/acme/shop/{kind}/5") == "refs #5"
    assert told(f"https://h.example/acme/shop2/{kind}/5, https://h.example/x/acme/shop/{kind}/5") == ""


def test_two_numbers_with_a_slash_between_them() -> None:
    """As people write alternatives."""
    assert told("#7/#8") == "refs #7, refs #8"


@pytest.mark.parametrize(
    "text",
    [
        *("# 5", "## 5", "##5", "#fff", "#05", "#0", "#5px", "#5th", "#5_a", "#1.2", "#1,000", "#12345678901"),
        *("#\u0665", "\uff035", "https://a.example https://b.example/x,#5"),
        *("&#39;", "&#5;", "\\#5", "[words](#5)", "page.html#5", "a/page.html#5", "word#5", "C#7", "a_#5", "é#5"),
        *("https://h.example/page#5", "https://h.example/acme/other/issues/5", "https://h.example/acme/shop/issues/new"),
        *("https://h.example/acme/shop/blob/x.c#5", "a/b/c#5", "shop#5", "GH-5a", "xGH-5", "$#5", "?#5"),
        *('href="#5"', "id=#5", "@#5"),
        *("color: #123", "background:#123456;", 'fill="#123456"', "border: 1px solid #456", "the colour #123456"),
        *("#123456", "#12345678", "#123456 as a colour", "`#5`", "```\n#5\n```", "<!-- #5 -->", "<code>#5</code>"),
        *("#1  0x00007f3a in read ()", "x\n  #2 /srv/shop/cart.php(7): read()", "#3 {main}", "#4 [internal function]"),
        *("#12", "acme/shop#12", "https://h.example/acme/shop/issues/12"),  # the entity itself
    ],
)  # fmt: skip
def test_what_is_no_reference(text: str) -> None:
    """Headings, entities, anchors, colours, versions, words, other sites, code, oneself."""
    assert told(text) == ""


def test_six_digits_are_a_reference_where_numbers_are_that_large() -> None:
    """Or where a word before them says so."""
    assert told("#123456", "issue/acme/shop#98765") == "refs #123456"
    assert told("fixes #123456") == "closes #123456"
    assert told("see issue #123456") == "refs #123456"


@pytest.mark.parametrize("entity", ["customer/acme", "customer/c-42", "ticket/4711", "issue/AUTH-12", "order/2026/17"])
def test_ids_that_do_not_tell_how_references_are_written(entity: str) -> None:
    """A number sign is no reference on an entity of which nothing is declared."""
    assert told("You are #1 for us, fixes #5, acme/shop#5, GH-5", entity) == ""


def test_a_repository_without_an_owner() -> None:
    """Of one part, a path must be one's own."""
    assert told("#5 shop#6 other#7 acme/shop#8", "issue/shop#12") == "refs issue/shop#5, refs issue/shop#6"


def test_own_takes_an_entity_apart() -> None:
    """At the number that its id ends in."""
    assert own("issue/acme/shop#12") == ("issue", "acme/shop", "#", "12")
    assert own("issue/AUTH-12") == ("issue", "AUTH", "-", "12")
    assert own("ticket/4711") == ("ticket", "", "", "4711")
    assert own("host/web7") == ("host", "web", "", "7")
    assert own("customer/acme") == ("customer", "", "", "")


# --- declared ---------------------------------------------------------------------------------------------------------

JIRA = ({"written": "AUTH-{number}", "entity": "issue/AUTH-{number}"},)
ANY_KEY = ({"written": "{key}-{number}", "entity": "{type}/{key}-{number}"},)
GITLAB = (
    {"written": "!{number}", "entity": "merge_request/{prefix}!{number}"},
    {"written": "#{number}", "entity": "issue/{prefix}#{number}"},
    {"written": "{path}!{number}", "entity": "merge_request/{path}!{number}"},
)
DESK = (
    {"written": "ticket {digits}", "entity": "ticket/{digits}"},
    {"written": "#{number}", "entity": "ticket/{number}"},
)
COMMIT = ({"written": "commit {digits}", "entity": "commit/{digits}"},)
MAIL = ({"written": "msg-{hash}", "event": "{hash}"},)


@pytest.mark.parametrize(
    ("references", "entity", "text", "links"),
    [
        (JIRA, "issue/AUTH-1234", "Duplicate of AUTH-12; PAY-3, XAUTH-4, auth-5", "duplicate_of issue/AUTH-12"),
        (JIRA, "issue/AUTH-1234", "fixes AUTH-12, AUTH-13 and AUTH-1234", "closes issue/AUTH-12, closes issue/AUTH-13"),
        (JIRA, "issue/AUTH-1", "https://jira.example/browse/AUTH-12", "refs issue/AUTH-12"),
        (JIRA, "commit/1f", "AUTH-12: read once", "refs issue/AUTH-12"),
        (ANY_KEY, "issue/AUTH-1234", "superseded by PAY-7", "<supersedes issue/PAY-7"),
        (GITLAB, "issue/acme/shop#4", "Superseded by !12", "<supersedes merge_request/acme/shop!12"),
        (GITLAB, "merge_request/acme/shop!12", "Closes #4, see !7", "closes #4, refs merge_request/acme/shop!7"),
        (GITLAB, "merge_request/acme/shop!12", "Wow!5, ./acme/x!5 and acme/web!5", "refs merge_request/acme/web!5"),
        (DESK, "ticket/4711", "As Ticket 00012, duplicate of #4712", "duplicate_of ticket/4712, refs ticket/00012"),
        (DESK, "customer/acme", "ticket  7 / ticket\u00a08", "refs ticket/7, refs ticket/8"),
        (DESK, "ticket/4711", "tickets 7, myticket 8, ticket 9x, color: #123", ""),
        (COMMIT, "customer/acme", "Reverts commit 1234567", "reverts commit/1234567"),
        (COMMIT, "customer/acme", "commit 12; reverts commit 1234567", "refs commit/12, reverts commit/1234567"),
        (MAIL, "customer/acme", "As msg-12ab34c says", "refs 12ab34c"),
        ((*GITLAB, {"written": "{hash}", "entity": "commit/{prefix}@{hash}"}), "issue/acme/shop#4",
         "12ab34c. Reverts commit 12ab34c", "reverts commit/acme/shop@12ab34c"),
        (({"written": "no. {number}", "entity": "{type}/{prefix}#{number}"},), "customer/acme", "no. 5", ""),
    ],
)  # fmt: skip
def test_declared_references(references: tuple[dict[str, str], ...], entity: str, text: str, links: str) -> None:
    """Keys, merge requests, tickets and messages, on entities of any type."""
    assert told(text, entity, references) == links


def test_a_reference_to_an_event_is_one() -> None:
    """It names the id of an event of the same source."""
    (link,) = found("As msg-12ab34c says", "customer/acme", MAIL)
    assert (link.target.event, link.target.entity, link.target.written) == ("12ab34c", "", "msg-12ab34c")


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ({"written": "A-{number}"}, "it needs written, and either entity or event"),
        ({"written": "A-{number}", "entity": "a/{number}", "event": "{number}"}, "it needs written, and either"),
        ({"entity": "a/{number}"}, "it needs written"),
        ({"written": "A-{nummer}", "entity": "a/{nummer}"}, "{nummer} cannot stand there"),
        ({"written": "{number}-{number}", "entity": "a/{number}"}, "{number} cannot stand there"),
        ({"written": "A-{number}", "entity": "a/{key}"}, "{key} is not in what is written"),
        ({"written": "A-{number}", "entity": "{number}"}, "is not an entity"),
        ({"written": "A-{number", "entity": "a/{number}"}, "a brace without its partner"),
        ({"written": "A-5", "entity": "a/5"}, "it has no placeholder"),
        ({"written": "A-{number}", "entity": "a/{number}", "kind": "x"}, "there is no key 'kind'"),
    ],
)
def test_a_wrong_declaration_is_refused(raw: dict[str, str], what: str) -> None:
    """The error says what is wrong, and how to write it."""
    with pytest.raises(InputError) as caught:
        notation(raw)
    assert what in str(caught.value)
    assert caught.value.remedy


def test_of_two_that_overlap_the_longer_counts() -> None:
    """An address is not also the number or key within it."""
    me = own("issue/acme/shop#12")
    text = "https://h.example/acme/shop/issues/5 acme/other#7"
    references = [notation({"written": "other#{number}", "entity": "x/{number}"})]
    assert [text[m.start : m.end] for m in mentions(text, me, references)] == text.split()
