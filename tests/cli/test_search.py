"""`cortex search`: what people and scripts get, what each option changes, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from context_plane import ContextPlane
from context_plane.retrieval.embedders import GROUP
from tests.cli.conftest import Shell, event, refused

EVENTS = [
    event(1, data={"text": "Asked about SSO"}, labels=["sales"]),
    event(2, data={"text": "The export stops at 10,000 rows"}, type="support.ticket", time="2026-03-02T08:00:00Z"),
    event(3, data={"text": "Asked about SSO and the export"}, subject="customer/bolt", time="2026-03-03T10:00:00Z"),
    event(4, data={"seats": 12, "plan": "team"}, type="billing.invoice", time="2026-03-04T00:00:00Z"),
    event(
        5,
        data={"text": "Needs SSO\nbefore they sign"},
        type="crm.call",
        subject="account/core",
        source="phone",
        time="2026-03-05T12:00:00+01:00",
        labels=["pii", "sales"],
    ),
]
LATER = event(6, data={"text": "SSO is enabled"}, subject="customer/bolt", time="2026-03-02T23:30:00Z")
SSO = ["1", "6", "5", "3"]

CONCEPTS = """\
import json
import re
import numpy as np

WORDS = {"sso": 0, "login": 0, "export": 1, "download": 1, "seats": 2, "licences": 2}


class Concepts:
    id, dimension, weight = "concepts/1", 3, 0.5

    def embed(self, texts):
        found = np.zeros((len(texts), 3), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\\w+", text.lower()):
                if word in WORDS:
                    found[row, WORDS[word]] += 1
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return found / np.where(length, length, 1)


def opened(choice):
    return Concepts()
"""


@pytest.fixture
def crm(cortex: Shell) -> Shell:
    """`cortex` over a home with six events in two commits, searched by words alone."""
    for name, events in (("first.jsonl", EVENTS), ("later.jsonl", [LATER])):
        assert cortex("ingest", cortex.write(name, *events), "--tenant", "acme").exit_code == 0
    return cortex


@pytest.fixture
def meaning(crm: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The same with a model that knows three concepts: a package that provides an embedder."""
    folder = tmp_path / "site"
    info = folder / "concepts-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: concepts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nconcepts = concepts:opened\n")
    (folder / "concepts.py").write_text(CONCEPTS)
    monkeypatch.syspath_prepend(str(folder))
    crm.env |= {"CONTEXT_PLANE_EMBEDDER": "concepts", "PYTHONPATH": str(folder)}
    return crm


def ids(shell: Shell, query: str, *options: str) -> list[str]:
    return [hit["event_id"] for hit in shell.json("search", "acme", query, *options)]


def materialize(shell: Shell, embedder: str) -> None:
    with ContextPlane.open(shell.home, embedder=embedder) as plane:
        builder = plane.builder("acme")
        builder.timeline((0, 1 << 20))
        builder.search((0, 1 << 20))
        builder.publish()


# --- what is printed -------------------------------------------------------------------------------------------------


def test_people_read_where_each_hit_comes_from(crm: Shell) -> None:
    """Entity, time and type; scores, source and id; the text on one line."""
    done = crm("search", "acme", "sso sign")
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "1. account/core  2026-03-05T11:00:00Z  crm.call"
    assert re.fullmatch(r"   score (\d\.\d{3}) \(bm25 \1\)  phone 5", lines[1])
    assert lines[2] == "   Needs SSO before they sign"
    assert lines[3].startswith("2. customer/")
    assert len(lines) == 3 * len(SSO)


def test_scripts_read_the_shape_of_the_contract(crm: Shell) -> None:
    """One list on one line, whether something was found or not; the same hits as the façade's."""
    done = crm("search", "acme", "sso sign", "--json")
    assert done.stdout.count("\n") == 1
    with ContextPlane.open(crm.home, embedder="none") as plane:
        hits = plane.search("acme", "sso sign")
    found = crm.json("search", "acme", "sso sign")
    assert found == [hit.to_json() for hit in hits]
    best = found[0]
    segment = best.pop("segment")
    assert list((crm.home / "store" / segment).iterdir())
    assert best == {
        "event_id": "5",
        "entity": "account/core",
        "time": "2026-03-05T11:00:00Z",
        "type": "crm.call",
        "text": "Needs SSO\nbefore they sign",
        "score": best["score"],
        "scores": {"bm25": best["score"], "vector": None},
        "source": "phone",
    }
    assert crm("search", "acme", "unheard", "--json").stdout == "[]\n"


def test_what_is_not_found_is_said(crm: Shell) -> None:
    """The answer is none, which is no failure."""
    for query in ("unheard", "", "?!", "🎉", "the"):
        done = crm("search", "acme", query)
        assert (done.exit_code, done.stdout, done.stderr) == (0, "nothing found\n", "")


def test_an_event_without_text_is_found_by_its_data(crm: Shell) -> None:
    """As it is shown."""
    done = crm("search", "acme", "12 seats")
    assert done.stdout.splitlines()[2] == "   plan: team; seats: 12"


def test_a_text_cannot_drive_the_terminal_nor_fill_it(crm: Shell) -> None:
    """Control characters are written out and a long text is cut; JSON is exact."""
    text = "wide \x1b[31mred\x07 \u202eevil " + "word " * 200
    path = crm.write("wild.jsonl", event(7, data={"text": text}, subject="customer/wild"))
    assert crm("ingest", path, "--tenant", "acme").exit_code == 0
    shown = crm("search", "acme", "wide red").stdout
    assert "wide \\x1b[31mred\\x07 \\u202eevil word" in shown
    assert max(map(len, shown.splitlines())) < 450
    assert shown.splitlines()[2].endswith("…")
    (hit,) = crm.json("search", "acme", "wide red")
    assert hit["text"] == text


def test_the_executable(meaning: Shell) -> None:
    """Answers on stdout, nothing on stderr; on a terminal that knows no Unicode too, and for any bytes as a query."""
    path = meaning.write("wide.jsonl", event(8, data={"text": "東京都庁の展望台"}, subject="customer/tokyo"))
    assert meaning("ingest", path, "--tenant", "acme").exit_code == 0
    meaning.env["PYTHONIOENCODING"] = "ascii"
    for query, line in (("login 展望台", "\\u6771\\u4eac"), ("caf\udce9", "nothing found")):
        running = meaning.start("search", "acme", query, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = running.communicate(timeout=60)
        assert (running.returncode, err) == (0, "")
        assert line in out


# --- what options change ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("materialized", [False, True], ids=["fresh", "materialized"])
def test_each_option_changes_the_answer(crm: Shell, materialized: bool) -> None:
    """All of them together too."""
    if materialized:
        materialize(crm, "none")
    assert sorted(ids(crm, "sso")) == sorted(SSO)
    for options, expected in {
        ("--entity", "customer/acme"): ["1"],
        ("--entity", "customer/bolt", "--entity", "account/core"): ["3", "5", "6"],
        ("--type", "crm.call"): ["5"],
        ("--type", "*.note"): ["1", "3", "6"],
        ("--type", "crm.call", "--type", "support.*"): ["5"],
        ("--label", "pii"): ["5"],
        ("--label", "pii", "--label", "sales"): ["1", "5"],
        ("--since", "2026-03-02"): ["3", "5", "6"],
        ("--since", "2026-03-03T10:00:00Z"): ["3", "5"],
        ("--since", "2026-03-03T10:00:01Z"): ["5"],
        ("--until", "2026-03-02"): ["1", "6"],
        ("--until", "2026-03-03T10:00:00Z"): ["1", "6"],
        ("--until", "2026-03-03T11:00:00.000001+01:00"): ["1", "3", "6"],
        ("--as-of", "2026-03-02"): ["1", "6"],
        ("--as-of", "2026-03-01T09:30:00Z"): [],
        ("--known-at", "1"): ["1", "3", "5"],
        ("--entity", "customer/bolt", "--type", "crm.*", "--since", "2026-03-03", "--mode", "bm25"): ["3"],
        ("--entity", "customer/acme", "--label", "pii"): [],
    }.items():
        assert sorted(ids(crm, "sso", *options)) == expected, options


def test_k_says_how_many(crm: Shell) -> None:
    """The first of the same order."""
    every = ids(crm, "sso")
    assert every == SSO
    for k in range(6):
        assert ids(crm, "sso", "-k", str(k)) == every[:k]
    assert crm("search", "acme", "sso", "-k", "0").stdout == "nothing found\n"


def test_as_of_counts_what_was_there_for_scores_too(crm: Shell) -> None:
    """The answer is the one that was given then."""
    (now,) = crm.json("search", "acme", "sso", "--entity", "customer/acme")
    (then,) = crm.json("search", "acme", "sso", "--entity", "customer/acme", "--as-of", "2026-03-01")
    assert (then["event_id"], then["score"] != now["score"]) == (now["event_id"], True)


@pytest.mark.parametrize("materialized", [False, True], ids=["fresh", "materialized"])
def test_modes(meaning: Shell, materialized: bool) -> None:
    """By words, by meaning, and by both, with the scores that each is made of."""
    if materialized:
        materialize(meaning, "concepts")
    assert ids(meaning, "login", "--mode", "bm25") == []
    assert ids(meaning, "login", "--mode", "vector", "-k", "4") == ["5", "1", "6", "3"]
    assert ids(meaning, "login export", "--mode", "hybrid", "-k", "1") == ["3"]
    assert ids(meaning, "licences 10,000", "--mode", "vector", "-k", "1") == ["4"]
    assert ids(meaning, "licences 10,000", "--mode", "bm25") == ["2"]
    assert ids(meaning, "sso sign") == ids(meaning, "sso sign", "--mode", "hybrid")
    shown = {
        mode: meaning("search", "acme", "sso sign", "--mode", mode).stdout for mode in ("bm25", "vector", "hybrid")
    }
    assert re.search(r"score \d\.\d{3} \(bm25 \d\.\d{3}\)", shown["bm25"])
    assert re.search(r"score 1\.000 \(vector 1\.000\)", shown["vector"])
    assert re.search(r"score \d\.\d{3} \(bm25 \d\.\d{3}, vector 1\.000\)", shown["hybrid"])


def test_a_query_that_looks_like_an_option(crm: Shell) -> None:
    """Comes behind two dashes."""
    assert crm("search", "acme", "--", "--sso").stdout.startswith("1. ")
    assert "--sso" in refused(crm("search", "acme", "--sso"))


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nobody", "sso"], ["nobody", "no events", "cortex ingest", "store"]),
        (["Acme!", "sso"], ["TENANT", "use 1-63"]),
        (["acme"], ["QUERY", "--help"]),
        ([], ["TENANT", "--help"]),
        (["acme", "sso", "--mode", "fuzzy"], ["--mode", "fuzzy", "bm25", "vector", "hybrid"]),
        (["acme", "sso", "-k", "many"], ["-k", "many"]),
        (["acme", "sso", "-k", "-1"], ["k is -1", "0 to 10,000"]),
        (["acme", "sso", "-k", "10001"], ["k is 10001", "0 to 10,000"]),
        (["acme", "sso", "--since", "yesterday"], ["since", "yesterday", "2026-03-01T09:30:00Z"]),
        (["acme", "sso", "--since", "2026-02-30"], ["since", "2026-02-30", "YYYY-MM-DD"]),
        (["acme", "sso", "--until", "2026-03-01T09:30:00"], ["until", "offset"]),
        (["acme", "sso", "--as-of", "noon"], ["--as-of", "noon"]),
        (["acme", "sso", "--known-at", "3"], ["known_at 3", "use 1 to 2"]),
        (["acme", "sso", "--known-at", "0"], ["known_at 0", "use 1 to 2"]),
        (["acme", "sso", "--known-at", "x"], ["--known-at"]),
        (["acme", "sso", "--lable", "pii"], ["--lable", "--label"]),
        (["acme", "sso", "more"], ["more", "--help"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_named(crm: Shell, args: list[str], words: list[str]) -> None:
    """Exit code 2, on one line, with place and remedy."""
    said = refused(crm("search", *args))
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("mode", ["vector", "hybrid"])
def test_vectors_that_are_not_there(crm: Shell, mode: str) -> None:
    """Without an embedder there is nothing to compare by: exit code 1, with place and remedy."""
    said = refused(crm("search", "acme", "sso", "--mode", mode), 1)
    assert f"mode {mode}" in said
    assert "use mode bm25" in said


@pytest.mark.parametrize(("name", "words"), [("unheard", "known are"), ("no such:::", "does not name an embedder")])
def test_an_embedder_that_does_not_exist(crm: Shell, name: str, words: str) -> None:
    """Is named where vectors are asked for; words are found without it."""
    crm.env["CONTEXT_PLANE_EMBEDDER"] = name
    said = refused(crm("search", "acme", "sso", "--mode", "vector"), 1)
    assert name in said
    assert words in said
    assert ids(crm, "sso") == SSO


def test_looking_does_not_make_a_home(cortex: Shell) -> None:
    """A search in the wrong folder says so and leaves nothing behind."""
    assert "CONTEXT_PLANE_HOME" in refused(cortex("search", "acme", "sso"))
    assert not cortex.home.exists()


def test_a_damaged_part_is_an_error_that_names_it(crm: Shell) -> None:
    """Never a wrong answer; exit code 1."""
    materialize(crm, "none")
    parts = list((crm.home / "store").rglob("indexes/fulltext/**/*.arrays"))
    for part in parts:
        body = bytearray(part.read_bytes())
        body[-1] ^= 1
        part.chmod(0o600)
        part.write_bytes(body)
    said = refused(crm("search", "acme", "sso"), 1)
    assert any(part.name in said for part in parts)
    assert "materialize again" in said


def test_words_alone_because_of_a_wrong_embedder_are_said_to_be(crm: Shell) -> None:
    """On stderr, so that scripts get the hits they would get; a home without an embedder needs no telling."""
    assert crm("search", "acme", "sso").stderr == ""
    crm.env["CONTEXT_PLANE_EMBEDDER"] = "wordlama"
    done = crm("search", "acme", "sso", "--json")
    assert done.exit_code == 0
    assert "note: searched by words alone: " in done.stderr
    assert "wordlama" in done.stderr
    assert [hit["event_id"] for hit in json.loads(done.stdout)] == SSO
    assert crm("search", "acme", "sso", "--mode", "bm25").stderr == ""


def test_no_embedder_is_named_as_the_reason_for_no_vectors(crm: Shell) -> None:
    """With the setting: materializing would not help."""
    done = crm("search", "acme", "sso", "--mode", "vector")
    assert done.exit_code == 1
    assert "its embedder is none: choose one (CONTEXT_PLANE_EMBEDDER, or plane.toml)" in done.stderr
