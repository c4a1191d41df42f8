"""Redaction: what is secret goes, whatever it is in; what only looks like it stays."""

from __future__ import annotations

import base64
import html
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.processes.models.catalog import load_models
from context_plane.processes.registry.credentials import FORMS
from context_plane.processes.registry.secrets import Redactor, shortened, without_parts

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


# --- what the environment holds --------------------------------------------------------------------------------------


def test_variables_that_hold_tokens_and_keys_are_secret_whatever_their_names(tmp_path: Path) -> None:
    """Those that HTTP actions may send, and those that models.yaml names; not the ones beside them."""
    environ = {"CONTEXT_PLANE_HTTP_ACME": "tok_9f8e7d6c", "CONTEXT_PLANE_HTTP_ACME_ID": "id_9f8e7d6c",
               "EXAMPLE_A1": "ek-abcdef01", "OTHER_A1": "ok-abcdef01"}  # fmt: skip
    redactor = Redactor(environ)
    text = "tok_9f8e7d6c id_9f8e7d6c ek-abcdef01 ok-abcdef01"
    before = "[redacted: CONTEXT_PLANE_HTTP_ACME] [redacted: CONTEXT_PLANE_HTTP_ACME_ID]"
    assert redactor(text) == f"{before} ek-abcdef01 ok-abcdef01"
    file = tmp_path / "models.yaml"
    file.write_text("models: [{name: m, provider: litellm, model: x, context: 9000, key_env: EXAMPLE_A1}]")
    load_models(file)
    assert redactor(text) == f"{before} [redacted: EXAMPLE_A1] ok-abcdef01"


def test_what_is_set_later_is_secret_and_what_was_replaced_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are read when they are used, which may be long after the engine was opened."""
    monkeypatch.setenv("ACME_TOKEN", "first-value-1234")
    redactor = Redactor.of_environment()
    assert redactor("first-value-1234 second-value-5678") == "[redacted: ACME_TOKEN] second-value-5678"
    monkeypatch.setenv("ACME_TOKEN", "second-value-5678")
    assert redactor("first-value-1234 second-value-5678") == "[redacted: ACME_TOKEN] [redacted: ACME_TOKEN]"
    monkeypatch.delenv("ACME_TOKEN")
    assert redactor("second-value-5678") == "[redacted: ACME_TOKEN]"


KEY = 's3cr+t/va=lue"99&'


@pytest.mark.parametrize(
    "spelt",
    [
        quote(KEY, safe=""),
        quote(KEY),
        quote(KEY, safe="").lower(),
        quote_plus(KEY),
        json.dumps(KEY)[1:-1],
        json.dumps(KEY)[1:-1].replace("/", "\\/"),
        html.escape(KEY),
    ],
)
def test_a_secret_is_found_in_other_spellings(spelt: str) -> None:
    """As URLs, JSON and HTML write it."""
    assert Redactor({"ACME_KEY": KEY})(f"<{spelt}>") == "<[redacted: ACME_KEY]>"


@pytest.mark.parametrize("before", ["", "u:", "us:", "usr:", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_found_in_base64(before: str, encode: Any) -> None:
    """Wherever it stands in what was encoded: at most what it shares with its neighbours is left."""
    key = "swordfish-and-chips>?"
    found = Redactor({"ACME_KEY": key})(encode(f"{before}{key}@host".encode()).decode())
    assert "[redacted: ACME_KEY]" in found
    left = found.replace("[redacted: ACME_KEY]", "")
    assert len(left) <= len(encode(f"{before}@host".encode())) + 4


def test_more_fields_that_are_secret_by_name() -> None:
    """Also lists of them; the name of a variable is not what it holds."""
    value = {"token": "abcd", "x-api-key": "abcd", "Cookie": "sid=abcd", "Set-Cookie": ["a=1", "b=2"]}
    found, count = BARE.redact(value)
    assert count == 5
    assert found == {
        "token": "[redacted: token]", "x-api-key": "[redacted: x-api-key]", "Cookie": "[redacted: Cookie]",
        "Set-Cookie": ["[redacted: Set-Cookie]"] * 2,
    }  # fmt: skip
    assert BARE.redact({"token": "CONTEXT_PLANE_HTTP_ACME"}) == ({"token": "CONTEXT_PLANE_HTTP_ACME"}, 0)


def test_what_is_cut_leaves_no_part_of_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut where it stands, at either edge; what stands beside it stays."""
    key = "correct-horse-battery"
    monkeypatch.setenv("ACME_KEY", key)
    for size in range(1, 40):
        assert "corr" not in shortened(f"say {key} twice", size)
    for cut in range(4, len(key)):
        assert without_parts(f"say {key[:cut]}", end=True) == "say "
        assert without_parts(f"{key[cut - 4 :]} said", start=True) == (
            "[redacted: ACME_KEY] said" if cut == 4 else " said"
        )
    assert without_parts("say corset", start=True, end=True) == "say corset"


ADVERSE = [
    "eyJaaaaaaaa-", "eyJaaaaaaaa.eyJaaaaaaaa-", "eyJ", "-eyJaaaaaaaa", ".eyJaaaaaaaa", "eyJaaaaaaaa.eyJaaaaaaaa.",
    "sk-", "sk-aaaaaaaa", "-sk-a", "hf_aaaaa_", "hf_", "ghp_a-", "github_pat_", "glpat-", "xoxb-", "AIza", "AKIA",
    "sk_live_", "npm_", "pypi-AgEI", "Bearer a", "Bearer ", "basic aa", "://a:b", "://", "a:a", "-----BEGIN ",
    "-----BEGIN A PRIVATE KEY-----", "-----END ", "-----BEGIN PRIVATE KEY-----a\n-",
]  # fmt: skip


@pytest.mark.parametrize("piece", ADVERSE)
def test_time_grows_with_the_text_and_not_with_its_square(piece: str) -> None:
    """Matching lets no other thread run. Four times the text takes about four times as long, a square sixteen times."""

    # A form is tried only where one of its hints is: all are, at the end.
    hints = " \n" + " \n".join(hint for form in FORMS for hint in form.hints)

    def seconds(size: int) -> float:
        text, times = piece * (size // len(piece)) + hints, []
        for _ in range(3):
            begun = time.thread_time()
            BARE.redact(text)
            times.append(time.thread_time() - begun)
        return min(times)

    assert seconds(256 << 10) < 9 * seconds(64 << 10) + 0.1
