"""Declarations: what a file may say, and that everything else is refused with line, key and remedy."""

from __future__ import annotations

import json

import pytest

from context_plane.bundles.packages.declaration import Chain, Declaration, Memory, Query, Topic, Walk
from context_plane.bundles.packages.reading import parse_package
from context_plane.errors import InputError

FULL = """\
package: team/backend-standards
scope: team
description: How we build services
knowledge: [deploying, {topic: security, mandatory: true}]
chains:
  - m-1
  - {node: m-2, mandatory: true}
  - {memory: service/pay}
  - {entity: issue/acme/shop#7, direction: forward, depth: 3}
queries:
  - export limit
  - {query: outage, k: 5, type: "support.*", entity: [customer/a, customer/b], since: 30d, until: 2026-03-01,
     search: hybrid}
packages: [org/decisions]
mode: {data: dense, text: semantic}
max_tokens: 2000
precedence: 7
tenants: [acme]
"""


def test_every_key_is_read() -> None:
    """In the order in which it is to be read: topics, chains, queries."""
    found = parse_package(FULL, "x.yaml")
    assert found.entries == (
        Topic("deploying"),
        Topic("security", True),
        Chain("m-1"),
        Chain("m-2", True),
        Memory("service/pay"),
        Walk("issue/acme/shop#7", "forward", 3),
        Query("export limit"),
        Query("outage", 5, ("support.*",), ("customer/a", "customer/b"), "30d", "2026-03-01", "hybrid"),
    )
    assert (found.name, found.scope, found.packages, found.tenants) == (
        "team/backend-standards", "team", ("org/decisions",), ("acme",),
    )  # fmt: skip
    assert (found.data_mode, found.text_mode, found.max_tokens, found.precedence) == ("dense", "semantic", 2_000, 7)
    assert found.places[0] == "x.yaml:4: knowledge.0"
    assert found.places[-1] == "x.yaml:12: queries.1"


def test_a_declaration_comes_back_from_its_json() -> None:
    """That is how versions hold it; the file, its lines and its tenants are not part of it."""
    found = parse_package(FULL)
    again = Declaration.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found
    assert again.hash == found.hash
    assert parse_package(FULL.replace("tenants: [acme]\n", ""), "y.yaml").hash == found.hash


@pytest.mark.parametrize(
    ("word", "modes"),
    [("verbatim", ("verbatim", "verbatim")), ("compact", ("compact", "compact")), ("dense", ("dense", "compact")),
     ("semantic", ("compact", "semantic")), ("{text: semantic}", ("verbatim", "semantic"))],
)  # fmt: skip
def test_one_word_stands_for_both_modes(word: str, modes: tuple[str, str]) -> None:
    """A word that only data or only text knows is the nearest of the other."""
    found = parse_package(f"package: x\nscope: org\nknowledge: [a]\nmode: {word}\n")
    assert (found.data_mode, found.text_mode) == modes


def test_what_is_nearer_to_who_asks_goes_first() -> None:
    """Unless the file says otherwise."""
    ranks = [
        parse_package(f"package: x\nscope: {scope}\nknowledge: [a]\n").precedence
        for scope in ("personal", "project", "team", "org", "domain")
    ]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == len(ranks)


BASE = "package: x\nscope: org\n"


@pytest.mark.parametrize(
    ("text", "place", "what", "remedy"),
    [
        ("scope: org\n", "p.yaml:1: package", "key 'package' is missing", "name the package"),
        ("package: Team/X\nscope: org\n", "p.yaml:1: package", "is no name", "use a-z"),
        ("package: a/b/c/d/e\nscope: org\n", "p.yaml:1: package", "is no name", "four parts"),
        ("package: ../x\nscope: org\n", "p.yaml:1: package", "is no name", "use a-z"),
        ("package: x\nknowledge: [a]\n", "p.yaml:1: scope", "key 'scope' is missing", "personal"),
        ("package: x\nscope: global\n", "p.yaml:2: scope", "there is no scope 'global'", "personal"),
        (BASE, "p.yaml:1", "holds nothing", "name knowledge"),
        (f"{BASE}knowlegde: [a]\n", "p.yaml:3: knowlegde", "unknown key", "did you mean knowledge"),
        (f"{BASE}knowledge: a\n", "p.yaml:3: knowledge", "is not a list", "as a list"),
        (f"{BASE}knowledge: [7]\n", "p.yaml:3: knowledge.0", "neither text nor a mapping", "topic"),
        (f"{BASE}knowledge: [{{topik: a}}]\n", "p.yaml:3: knowledge.0.topik", "unknown key", "did you mean topic"),
        (f"{BASE}knowledge: [{{mandatory: true}}]\n", "p.yaml:3: knowledge.0", "'topic' is missing", "add topic"),
        (f"{BASE}knowledge: [a, b, a]\n", "p.yaml:3: knowledge.2", "topic a is there twice", "once"),
        (f"{BASE}knowledge: [{{topic: a, mandatory: 1}}]\n", "p.yaml:3: knowledge.0.mandatory", "is '1'", "true"),
        (f"{BASE}chains:\n  - m-1\n  - {{}}\n", "p.yaml:5: chains.1", "a chain is", "m-42"),
        (f"{BASE}chains: [{{memory: pay}}]\n", "p.yaml:3: chains.0.memory", "is not an entity", "type/id"),
        (f"{BASE}chains: [{{entity: a/b, direction: up}}]\n", "p.yaml:3: chains.0.direction", "no direction", "back"),
        (f"{BASE}chains: [{{entity: a/b, depth: 0}}]\n", "p.yaml:3: chains.0.depth", "depth is '0'", "from 1"),
        (f"{BASE}chains: [{{entity: a/b, k: 1}}]\n", "p.yaml:3: chains.0.k", "unknown key", "use one of"),
        (f"{BASE}queries: ['']\n", "p.yaml:3: queries.0", "it is ''", "give a text"),
        (f"{BASE}queries: [{{query: a, k: true}}]\n", "p.yaml:3: queries.0.k", "k is 'True'", "from 1"),
        (f"{BASE}queries: [{{query: a, since: soon}}]\n", "p.yaml:3: queries.0.since", "not RFC 3339", "30d"),
        (f"{BASE}queries: [{{query: a, type: [1]}}]\n", "p.yaml:3: queries.0.type.0", "it is '1'", "text"),
        (f"{BASE}queries: [{{query: a, search: magic}}]\n", "p.yaml:3: queries.0.search", "no search", "bm25"),
        (f"{BASE}packages: [x]\n", "p.yaml:3: packages.0", "builds on itself: x → x", "take it out"),
        (f"{BASE}packages: [y, y]\n", "p.yaml:3: packages.1", "package y is there twice", "once"),
        (f"{BASE}packages: [Y]\n", "p.yaml:3: packages.0", "is no name", "use a-z"),
        (f"{BASE}knowledge: [a]\nmode: tiny\n", "p.yaml:4: mode", "no mode 'tiny'", "verbatim"),
        (f"{BASE}knowledge: [a]\nmode: {{data: semantic}}\n", "p.yaml:4: mode.data", "no mode 'semantic'", "dense"),
        (f"{BASE}knowledge: [a]\nmode: {{prose: compact}}\n", "p.yaml:4: mode.prose", "unknown key", "data and text"),
        (f"{BASE}knowledge: [a]\nmax_tokens: 0\n", "p.yaml:4: max_tokens", "max_tokens is '0'", "from 1"),
        (f"{BASE}knowledge: [a]\nmax_tokens: 1e9\n", "p.yaml:4: max_tokens", "max_tokens is", "from 1"),
        (f"{BASE}knowledge: [a]\nprecedence: high\n", "p.yaml:4: precedence", "precedence is 'high'", "from -1,000"),
        (f"{BASE}knowledge: [a]\ntenants: [A]\n", "p.yaml:4: tenants.0", "is not a valid name", "use 1-63"),
        (f"{BASE}knowledge: [\"\\ud800\"]\n", "p.yaml:3: knowledge.0", "surrogate", "the character"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(text: str, place: str, what: str, remedy: str) -> None:
    """With the line and key, and what would be right."""
    with pytest.raises(InputError) as error:
        parse_package(text, "p.yaml")
    assert error.value.where == place
    assert what in error.value.what
    assert remedy in error.value.remedy
