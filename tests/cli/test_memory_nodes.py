"""`cortex memory`: what people and scripts get of nodes, what each option changes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from tests.cli.conftest import Shell, event, refused

SHAPE = {
    "id", "entity", "about", "type", "text", "time", "recorded", "confidence", "session", "origin", "current",
    "superseded_by", "conflicts", "accesses", "chain", "edges",
}  # fmt: skip


@pytest.fixture
def told(cortex: Shell) -> Shell:
    """Three nodes about a customer, the second in place of the first."""
    return tell(cortex)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The same for tests that add nothing."""
    return tell(Shell(tmp_path_factory.mktemp("unchanged") / "home"))


def tell(cortex: Shell) -> Shell:
    add = ("memory", "add", "acme", "customer/a")
    for args in (
        ("Prefers monthly billing", "--type", "preference", "--id", "monthly", "--at", "2026-03-01"),
        ("Prefers annual billing", "--type", "correction", "--id", "annual", "--supersedes", "monthly", "--at",
         "2026-03-03T12:30:00+01:00", "--session", "s-1", "--confidence", "0.5", "--about", "customer/b"),
        ("Offer the annual plan", "--type", "decision", "--id", "offer", "--caused-by", "annual", "--at", "2026-03-05",
         "--origin", "ada"),
    ):  # fmt: skip
        done = cortex(*add, *args)
        assert (done.exit_code, done.stderr) == (0, "")
    return cortex


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in found]


# --- add and link ----------------------------------------------------------------------------------------------------


def test_add_prints_the_node(told: Shell) -> None:
    """For people on some lines, for scripts as one object; the same as the façade's."""
    done = told(
        "memory", "add", "acme", "customer/a", "Signed", "--refines", "offer", "--id", "signed", "--at", "2026-03-07"
    )
    assert done.stdout == "signed  observation  customer/a  2026-03-07 00:00\n   Signed\n   refines offer\n"
    node = told.json(
        "memory", "add", "acme", "customer/a", "x", "--led-to", "offer", "--led-to", "annual", "--contradicts", "signed"
    )
    assert set(node) == SHAPE
    assert [(each["kind"], each["target"]) for each in node["edges"]] == [
        ("contradicts", "signed"), ("led_to", "annual"), ("led_to", "offer"),
    ]  # fmt: skip
    assert (node["conflicts"], node["chain"], node["current"]) == (["signed"], "monthly", True)
    with ContextPlane.open(told.home, embedder="none") as plane:
        assert plane.node("acme", node["id"]).to_json() == node


def test_a_repeated_add_is_the_same_node(told: Shell) -> None:
    """With an id of one's own; other words under it are a conflict, which is bad input."""
    first = told.json("memory", "show", "acme", "monthly")
    again = (
        "memory",
        "add",
        "acme",
        "customer/a",
        "Prefers monthly billing",
        "--type",
        "preference",
        "--id",
        "monthly",
    )
    assert told.json(*again) == told.json(*again, "--at", "2026-03-01") == first
    line = refused(told("memory", "add", "acme", "customer/a", "Something else", "--id", "monthly"))
    assert line == (
        "error: memory monthly says something else already, id, give another id, or none; supersedes takes its place"
    )


@pytest.mark.parametrize("text", ["one\ntwo\n", "Ünï 🎉", "\x1b[31mred\x07\u202e", "--flag", "-", "word " * 200_000])
def test_text_from_stdin_is_kept_to_the_letter(cortex: Shell, text: str) -> None:
    """Whatever it is, but for the line break that pipes end with; what is printed for people drives no terminal."""
    node = cortex.json("memory", "add", "acme", "customer/a", "-", stdin=text)
    assert node["text"] == text.removesuffix("\n")
    assert cortex.json("memory", "show", "acme", node["id"])["text"] == node["text"]
    shown = cortex("memory", "show", "acme", node["id"]).stdout
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}


def test_no_line_of_a_text_passes_for_one_of_the_planes(cortex: Shell) -> None:
    """Whatever it says, it stands further in."""
    hostile = "fine\nsuperseded by m-0\n   in conflict with m-1\n\nm-2  decision  customer/a  2026-03-01 00:00"
    shown = cortex("memory", "add", "acme", "customer/a", "-", "--id", "x", stdin=hostile).stdout.splitlines()
    assert shown[1] == "   fine"
    assert all(line.startswith("     ") for line in shown[2:])


def test_link(told: Shell) -> None:
    """Prints the actor; said again it changes nothing."""
    node = told.json("memory", "link", "acme", "offer", "refines", "monthly", "--at", "2026-03-06")
    assert node["edges"][-1] == {"kind": "refines", "target": "monthly", "time": "2026-03-06T00:00:00Z"}
    assert told.json("memory", "link", "acme", "offer", "refines", "monthly") == node
    assert "   refines monthly\n" in told("memory", "link", "acme", "offer", "refines", "monthly").stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("add", "acme", "customer", "x"), "'customer' is not an entity, entity, write it as type/id"),
        (("add", "Acme!", "customer/a", "x"), "is not a valid name"),
        (("add", "acme", "customer/a", " "), "there is nothing to remember, content, give a text"),
        (("add", "acme", "customer/a", "x", "--type", "link"), "is not one of 'observation'"),
        (("add", "acme", "customer/a", "x", "--confidence", "7"), "give a number from 0 to 1"),
        (("add", "acme", "customer/a", "x", "--confidence", "high"), "is not a valid float"),
        (("add", "acme", "customer/a", "x", "--at", "yesterday"), "is not RFC 3339 with an offset, at,"),
        (("add", "acme", "customer/a", "x", "--at", "1800-01-01"), "lies outside 1900-01-01"),
        (("add", "acme", "customer/a", "x", "--about", "b"), "'b' is not an entity, about"),
        (("add", "acme", "customer/a", "x", "--id", ""), "the id is empty"),
        (("add", "acme", "customer/a", "x", "--supersedes", "gone"), "there is no memory 'gone', supersedes"),
        (("add", "acme", "customer/a", "x", "--id", "x", "--refines", "x"), "x refines itself"),
        (("link", "acme", "monthly", "caused_by", "offer"), "offer comes after annual comes after monthly, caused_by"),
        (("link", "acme", "offer", "refines", "gone"), "there is no memory 'gone', refines, remember that first"),
        (("link", "acme", "gone", "refines", "offer"), "there is no memory 'gone'"),
        (("link", "acme", "offer", "follows", "annual"), "invalid value for 'KIND'"),
        (("link", "acme", "offer", "refines", "offer"), "offer refines itself"),
        (("link", "other", "offer", "refines", "annual"), "tenant 'other' has no events"),
        (("show", "acme", "gone"), "there is no memory 'gone', memory, check the id"),
        (("show", "acme", "offer", "--as-of", "2026-03-04"), "memory offer holds from 2026-03-05T00:00:00Z on"),
        (("list", "acme", "--chain", "gone"), "there is no memory 'gone'"),
        (("list", "acme", "--known-at", "99"), "known_at 99 is not in the log, acme, use 1 to 3"),
        (("list", "other"), "tenant 'other' has no events"),
        (("recall", "acme", "x", "-k", "-1"), "k is -1, k, give a number from 0 to 10,000"),
        (("recall", "acme", "x", "--min-confidence", "2"), "give a number from 0 to 1"),
        (("walk", "acme", "gone"), "nor a memory of that id, start, check the name"),
        (("walk", "acme", "offer", "--depth", "0"), "give a number from 1 to 1,000"),
        (("inspect", "acme", "offer", "--max-tokens", "0"), "give a number of tokens"),
        (("inspect", "acme", "offer", "--mermaid", "/nowhere/x.mmd"), "it cannot be written"),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_to_do(unchanged: Shell, args: tuple[str, ...], message: str) -> None:
    """On one line, with exit code 2, and nothing is remembered."""
    assert message in refused(unchanged("memory", *args))
    assert len(unchanged.json("memory", "list", "acme", "--superseded")) == 3


def test_bytes_that_are_no_text_are_refused(cortex: Shell) -> None:
    """Naming the line."""
    assert "it is not UTF-8" in refused(cortex("memory", "add", "acme", "customer/a", "-", stdin=b"ok\n\xff\xfe"))
    assert "nothing to remember" in refused(cortex("memory", "add", "acme", "customer/a", "-", stdin=""))


def test_vectors_that_there_are_not_are_no_bad_input(unchanged: Shell) -> None:
    """The answer is no: exit code 1."""
    assert "no vectors" in refused(unchanged("memory", "recall", "acme", "x", "--mode", "vector"), code=1)


@pytest.mark.parametrize(
    "args",
    [("list", "acme"), ("recall", "acme", "x"), ("show", "acme", "x"), ("walk", "acme", "x"), ("inspect", "acme", "x"),
     ("constraints", "acme", "customer/a"), ("link", "acme", "a", "refines", "b")],
)  # fmt: skip
def test_a_store_is_not_made_by_looking_at_it(cortex: Shell, args: tuple[str, ...]) -> None:
    """The home that was named may be the wrong one."""
    assert "there is no store here yet" in refused(cortex("memory", *args))
    assert not (cortex.home / "store").exists()


# --- reads -----------------------------------------------------------------------------------------------------------


def test_show(unchanged: Shell) -> None:
    """With what takes its place; as of a time and a log number, what was known then."""
    done = unchanged("memory", "show", "acme", "monthly")
    assert done.stdout.splitlines() == [
        "monthly  preference  customer/a  2026-03-01 00:00", "   Prefers monthly billing", "   superseded by annual",
    ]  # fmt: skip
    node = unchanged.json("memory", "show", "acme", "annual")
    assert set(node) == SHAPE
    assert (node["time"], node["about"], node["session"]) == ("2026-03-03T11:30:00Z", ["customer/b"], "s-1")
    assert "confidence 0.5" in unchanged("memory", "show", "acme", "annual").stdout
    assert unchanged.json("memory", "show", "acme", "monthly", "--as-of", "2026-03-02")["current"]
    assert unchanged.json("memory", "show", "acme", "monthly", "--known-at", "1")["superseded_by"] == []


def test_conflicts_are_told_and_how_they_end(told: Shell) -> None:
    """On both sides."""
    told("memory", "add", "acme", "customer/a", "Pays by the day", "--id", "daily", "--supersedes", "monthly")
    shown = told("memory", "show", "acme", "annual").stdout
    assert "   in conflict with daily: both are kept until one supersedes the other\n" in shown
    assert told.json("memory", "show", "acme", "daily")["conflicts"] == ["annual"]


def test_list(unchanged: Shell) -> None:
    """What is current, in order of time; filters, and what is superseded when asked for."""
    for args, expected in [
        ((), ["annual", "offer"]),
        (("--superseded",), ["monthly", "annual", "offer"]),
        (("--entity", "customer/b"), ["annual"]),
        (("--entity", "customer/b", "--entity", "customer/a"), ["annual", "offer"]),
        (("--type", "decision", "--type", "outcome"), ["offer"]),
        (("--session", "s-1"), ["annual"]),
        (("--chain", "offer", "--superseded"), ["monthly", "annual", "offer"]),
        (("--as-of", "2026-03-02"), ["monthly"]),
        (("--known-at", "1"), ["monthly"]),
        (("--as-of", "2020-01-01"), []),
    ]:
        assert ids(unchanged.json("memory", "list", "acme", *args)) == expected, args
    assert unchanged("memory", "list", "acme", "--session", "none").stdout == "nothing is remembered that fits\n"
    assert unchanged("memory", "list", "acme", "--session", "none", "--json").stdout == "[]\n"


def test_recall(unchanged: Shell) -> None:
    """The best first, with scores for scripts; the same filters."""
    found = unchanged.json("memory", "recall", "acme", "annual billing")
    assert ids(found) == ["annual", "offer"]
    assert set(found[0]) == SHAPE | {"score", "scores"}
    assert found[0]["scores"] == {"bm25": found[0]["score"], "vector": None}
    for args, expected in [
        (("-k", "1"), ["annual"]),
        (("-k", "0"), []),
        (("--type", "decision"), ["offer"]),
        (("--entity", "customer/b"), ["annual"]),
        (("--session", "s-1"), ["annual"]),
        (("--min-confidence", "0.6"), ["offer"]),
        (("--mode", "bm25", "--as-of", "2026-03-04"), ["annual"]),
        (("--known-at", "1"), ["monthly"]),
    ]:
        query = "billing annual" if "--known-at" not in args else "billing"
        assert ids(unchanged.json("memory", "recall", "acme", query, *args)) == expected, args
    assert sorted(ids(unchanged.json("memory", "recall", "acme", "billing", "--superseded"))) == ["annual", "monthly"]
    assert unchanged("memory", "recall", "acme", "unheard").stdout == "nothing is remembered that fits\n"
    assert unchanged("memory", "recall", "acme", "plan").stdout.startswith(
        "offer  decision  customer/a  2026-03-05 00:00\n"
    )


def test_walk_and_inspect(unchanged: Shell, tmp_path: Path) -> None:
    """A line a step, or a tree; both ways, within limits, as JSON and as a diagram."""
    assert unchanged("memory", "walk", "acme", "offer").stdout.splitlines() == [
        "caused by annual: correction: Prefers annual billing",
        "  supersedes monthly: preference, superseded: Prefers monthly billing",
    ]
    assert unchanged("memory", "walk", "acme", "monthly").stdout == "nothing is linked to it in that direction\n"
    done = unchanged("memory", "walk", "acme", "offer", "--depth", "1")
    assert (done.stdout.count("\n"), done.stderr) == (1, "1 more links are beyond the limits\n")
    found = unchanged.json("memory", "walk", "acme", "monthly", "--direction", "forward", "--kind", "supersedes")
    assert set(found) == {"start", "direction", "steps", "left_out"}
    assert [(s["kind"], s["thing"]["id"], s["event_id"], s["source"]) for s in found["steps"]] == [
        ("supersedes", "annual", "annual", "cortex/memory")
    ]
    assert unchanged.json("memory", "inspect", "acme", "offer") == unchanged.json("memory", "walk", "acme", "offer")
    done = unchanged("memory", "inspect", "acme", "offer", "--mermaid", tmp_path / "m.mmd")
    assert done.stdout.splitlines()[0] == 'offer  2026-03-05  "decision: Offer the annual plan"'
    assert (tmp_path / "m.mmd").read_text().startswith("flowchart TB\n")
    assert done.stderr == f"wrote {tmp_path / 'm.mmd'}\n"


def test_hostile_names_and_words_drive_nothing(cortex: Shell, tmp_path: Path) -> None:
    """Neither a terminal nor a diagram."""
    hostile = 'x"] --> y[("click n0 href javascript:alert(1)\x1b]0;title\x07'
    cortex("memory", "add", "acme", "customer/a\u202e", hostile, "--id", 'a"] --> b', "--at", "2026-03-01")
    cortex(
        "memory", "add", "acme", "customer/a\u202e", "y", "--id", "c", "--refines", 'a"] --> b', "--at", "2026-03-02"
    )
    for args in (("list", "acme"), ("recall", "acme", "click"), ("walk", "acme", "c"), ("inspect", "acme", "c")):
        done = cortex("memory", *args)
        assert done.exit_code == 0
        assert not set(done.stdout) & {"\x1b", "\x07", "\u202e"}
    cortex("memory", "inspect", "acme", "c", "--mermaid", tmp_path / "m.mmd")
    assert "] --> y[" not in (tmp_path / "m.mmd").read_text()
    assert json.loads(cortex("memory", "list", "acme", "--json").stdout)[0]["text"] == hostile


def test_constraints(told: Shell) -> None:
    """The decisions, preferences and corrections that hold for an entity and for what it follows from."""
    told("ingest", told.write("e.jsonl", event(1, subject="issue/a/b#2", data={"text": "See #1"})), "--tenant", "acme")
    told("memory", "add", "acme", "issue/a/b#1", "Keep the export", "--type", "decision", "--id", "far")
    told("memory", "add", "acme", "issue/a/b#2", "No new format", "--type", "preference", "--id", "near")
    told("memory", "add", "acme", "issue/a/b#2", "Seen", "--type", "observation")
    assert ids(told.json("memory", "constraints", "acme", "customer/a")) == ["annual", "offer"]
    assert ids(told.json("memory", "constraints", "acme", "issue/a/b#2")) == ["near", "far"]
    assert ids(told.json("memory", "constraints", "acme", "customer/a", "--as-of", "2026-03-02")) == ["monthly"]
    assert told("memory", "constraints", "acme", "issue/none").stdout == "nothing is remembered that fits\n"
    assert told("memory", "constraints", "acme", "issue/a/b#1").stdout.startswith("far  decision  issue/a/b#1")
