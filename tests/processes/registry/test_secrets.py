"""Redaction: what is secret goes, whatever it is in; what only looks like it stays."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.processes.registry.secrets import Redactor

BARE = Redactor({})
ENVIRONMENT = {
    "ACME_API_KEY": "correct-horse-battery",
    "LONGER_TOKEN": "correct-horse-battery-staple",
    "DB_PASSWORD": 'p@ss"w(o)rd+\\',
    "GOOGLE_APPLICATION_CREDENTIALS": "/srv/key.json",
    "SSH_KEY_FILE": "/srv/id_ed25519",
    "SHORT_TOKEN": "abc",
    "HOME": "/srv/somebody",
    "MULTI_SECRET": "line one\nline two",
    "PAD_SECRET": "  padded-value  ",
    "MARK_TOKEN": "redacted",
}
REDACTOR = Redactor(ENVIRONMENT)
SECRETS = [
    "correct-horse-battery",
    "correct-horse-battery-staple",
    'p@ss"w(o)rd+\\',
    "line one\nline two",
    "padded-value",
]


def gh(kind: str) -> str:
    """Made up where it is used: a scanner of repositories would take one that is written for real."""
    return f"gh{kind}_" + "aB3" * 12


CREDENTIALS = {
    "AWS access key": ["AKIA" + "IOSFODNN7EXAMPLE", "ASIA" + "ABCDEFGHIJKLMNOP"],
    "GitHub token": [gh("p"), gh("o"), gh("s"), "github_pat_" + "11ABCDEFG0" * 5],
    "GitLab token": ["glpat-" + "x9" * 10],
    "API key": ["sk-" + "proj-" + "Ab1_" * 12, "sk-" + "ant-api03-" + "x1" * 30, "sk-" + "a1" * 24],
    "Slack token": ["xoxb-" + "123456789012-abcdef"],
    "Google API key": ["AIza" + "Sy" + "a1-_" * 8 + "b"],
    "Stripe key": ["sk_live_" + "a1" * 12, "rk_test_" + "a1" * 12],
    "Hugging Face token": ["hf_" + "aBcDeF" * 6],
    "npm token": ["npm_" + "a1B" * 12],
    "PyPI token": ["pypi-AgEI" + "cHlwaS5vcmc" * 6],
    "JWT": ["eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"],
    "private key": [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE-x\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza\n--- x\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nwithout an end",
    ],
}


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, found in CREDENTIALS.items() for t in found])
def test_well_known_credentials_are_found(name: str, text: str) -> None:
    """Inside of any text, also in quotes or at its end."""
    for before, after in (("", ""), ("token: ", "\n"), ('{"a":"', '"}'), ("x=", "; y"), ("(", ")")):
        if "without an end" in text and after:
            continue
        assert BARE.redact(f"{before}{text}{after}") == (f"{before}[redacted: {name}]{after}", 1)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abc123def456ghi789", "Authorization: Bearer [redacted: credentials]"),
        ("authorization: bearer 0123456789abcdef==", "authorization: bearer [redacted: credentials]"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZDE=", "Authorization: Basic [redacted: credentials]"),
        ("https://ada:s3cret@example.com/x", "https://[redacted: name and password]@example.com/x"),
        ("postgresql://u:p@db:5432/x", "postgresql://[redacted: name and password]@db:5432/x"),
    ],
)
def test_what_surrounds_a_credential_stays(text: str, left: str) -> None:
    """So that the trace can be read."""
    assert BARE.redact(text) == (left, 1)


@pytest.mark.parametrize(
    "text",
    [
        "1a410efbd13591db07496601ebc784fc7f71c4c5",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "550e8400-e29b-41d4-a716-446655440000",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "https://example.com:8080/a:b@c",
        "git@github.com:acme/app.git",
        "ssh://git@example.com/x",
        "mailto:ada@example.com",
        "bearer of bad news",
        "Bearer authentication is required",
        "basic understanding of arithmetic",
        "task-oriented-programming-in-practice-1",
        "the desk-side-organiser-collection",
        "sk-fading-circle-container-element",
        "sk-learn",
        "risk-adjusted-return-on-capital-2026",
        "eyJust a word",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "keyboard, tokens: 1,234, secretary",
        "AKIAX",
        "xoxo",
        "hf_hub_download",
        "12:30 - http://a b:c@d",
        "/srv/key.json /srv/id_ed25519 /srv/somebody abc",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    """Hashes, ids, addresses, words."""
    assert REDACTOR.redact(text) == (text, 0)


def test_values_of_the_environment_are_secret_by_their_names() -> None:
    """In any text, with the name instead; the longer first."""
    found, count = REDACTOR.redact('a correct-horse-battery-staple b correct-horse-battery c p@ss"w(o)rd+\\')
    assert found == "a [redacted: LONGER_TOKEN] b [redacted: ACME_API_KEY] c [redacted: DB_PASSWORD]"
    assert count == 3
    assert REDACTOR("xline one\nline twox") == "x[redacted: MULTI_SECRET]x"
    assert REDACTOR("padded-value") == "[redacted: PAD_SECRET]"


def test_what_stands_beside_one_is_found_too() -> None:
    """What did not look like one, because it was part of a longer word, does then."""
    beside = CREDENTIALS["AWS access key"][0]
    assert REDACTOR.redact(f"correct-horse-battery{beside}") == (
        "[redacted: ACME_API_KEY][redacted: AWS access key]",
        2,
    )


def test_the_environment_is_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is when it is asked for."""
    monkeypatch.setenv("ACME_SECRET", "swordfish-and-chips")
    assert Redactor.of_environment()("swordfish-and-chips") == "[redacted: ACME_SECRET]"


def test_values_are_walked() -> None:
    """Objects, lists, names of fields; numbers and the rest stay."""
    value = {"a": [1, None, True, {"correct-horse-battery": "x correct-horse-battery"}], "n": 1.5, "t": ("a",)}
    assert REDACTOR.redact(value) == (
        {"a": [1, None, True, {"[redacted: ACME_API_KEY]": "x [redacted: ACME_API_KEY]"}], "n": 1.5, "t": ["a"]},
        2,
    )


def test_fields_that_become_one_are_numbered() -> None:
    """None is lost."""
    value = {gh("p"): 1, gh("o"): 2, gh("s"): 3}
    found, count = BARE.redact(value)
    assert found == {"[redacted: GitHub token]": 1, "[redacted: GitHub token] 2": 2, "[redacted: GitHub token] 3": 3}
    assert count == 3


def test_fields_that_are_secret_by_name() -> None:
    """Whatever their text looks like; other types are no secret."""
    value = {
        "password": "hunter2", "API-Key": "x", "client_secret": "y", "Authorization": "z", "token_count": 7,
        "tokens": "many", "key": "it", "secret": None, "accessToken": 5, "passwd": "",
    }  # fmt: skip
    found, count = BARE.redact(value)
    assert count == 4
    assert found == value | {
        "password": "[redacted: password]", "API-Key": "[redacted: API-Key]",
        "client_secret": "[redacted: client_secret]", "Authorization": "[redacted: Authorization]",
    }  # fmt: skip


ALL = [*SECRETS, *(text for found in CREDENTIALS.values() for text in found)]
PIECE = st.sampled_from(ALL) | st.text(max_size=12)
TEXT = st.lists(PIECE, max_size=6).map(" ".join) | st.lists(PIECE, max_size=6).map("".join)
VALUES = st.recursive(
    st.none() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_nothing_secret_is_left_and_nothing_is_redacted_twice(value: Any) -> None:
    """Whatever stands beside it."""
    found, count = REDACTOR.redact(value)
    written = json.dumps(found, ensure_ascii=False)
    for secret in SECRETS:
        assert json.dumps(secret, ensure_ascii=False)[1:-1] not in written
    assert REDACTOR.redact(found) == (found, 0)
    if not count:
        assert found == value


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=5))
def test_credentials_apart_are_all_found(texts: list[str]) -> None:
    """Each is counted."""
    found = [text for text in texts if "without an end" not in text]
    assert REDACTOR.redact("\n".join(found))[1] == len(found)


@pytest.mark.parametrize(
    "text", ["eyJ", "http://", "Bearer ", "sk-", "-----BEGIN PRIVATE KEY-----", "://a:", "ghp_" + "a" * 251, "-"]
)
def test_no_text_takes_long(text: str) -> None:
    """A megabyte of what begins like a credential: linear, and far from a second."""
    begun = time.perf_counter()
    REDACTOR.redact(text * (1_000_000 // len(text)))
    assert time.perf_counter() - begun < 2
