"""`cortex context` for a goal, and `cortex audit`: what is printed, and what exit codes say."""

from __future__ import annotations

import json

import pytest

from context_plane.ctx.tokens import count
from context_plane.instants import format_instant
from context_plane.log.commits import CommitRecord
from context_plane.plane import ContextPlane
from context_plane.store import keys
from tests.cli.conftest import Shell

ACME = "customer/acme"


def test_context_for_a_goal(acme: Shell) -> None:
    """The text, the budget with what was left out, and the receipt; `--json` as the contract has it."""
    assert acme("memory", "add", "acme", ACME, "Prefers annual billing", "--id", "m1").exit_code == 0
    done = acme("context", "acme", ACME, "SSO?", "--max-tokens", "300")
    assert done.exit_code == 0, done.stderr
    assert "Prefers annual billing" in done.stdout
    assert "of 300 tokens, receipt acme." in done.stdout
    found = acme.json("context", "acme", ACME, "SSO?", "--max-tokens", "300")
    assert set(found) == {"text", "tokens", "items", "plan", "snapshot", "receipt", "budget"}
    assert found["tokens"] == count(found["text"]) <= 300
    assert any(item.get("node_id") == "m1" for item in found["items"])
    assert all({"kind", "section", "tokens"} <= set(item) for item in found["items"])


def test_without_goal_and_budget_it_is_the_bundle(acme: Shell) -> None:
    """As it was before there were goals, and no receipt is kept."""
    assert "events" in acme.json("context", "acme", ACME)
    assert acme.json("audit", "show", "acme") == []


def test_formats(acme: Shell) -> None:
    """Exact text, and messages in which data is never the system's."""
    (acme.home / "instructions.txt").write_text("Answer briefly.")
    arguments = ("context", "acme", ACME, "SSO?", "--instructions", acme.home / "instructions.txt")
    text = acme(*arguments, "--format", "ctx").stdout
    assert text.startswith("Answer briefly.\n<")
    messages = json.loads(acme(*arguments, "--format", "openai").stdout)
    assert [each["role"] for each in messages] == ["system", "user"]
    assert "Answer briefly." not in messages[1]["content"]
    body = json.loads(acme(*arguments, "--format", "anthropic").stdout)
    assert body["system"] == "Answer briefly."
    assert acme(*arguments, "--format", "text", "--json").exit_code == 2


def test_state_and_instructions_are_read(acme: Shell) -> None:
    """From stdin too; what cannot be read is named."""
    done = acme("context", "acme", ACME, "--instructions", "-", "--state", '{"step": 2}', stdin="Be brief.")
    assert "Be brief.\n" in done.stdout
    assert '{"step":2}' in done.stdout
    wrong = acme("context", "acme", ACME, "--state", "{")
    assert (wrong.exit_code, "--state" in wrong.stderr) == (2, True)
    gone = acme("context", "acme", ACME, "--instructions", acme.home / "nowhere.txt")
    assert (gone.exit_code, "nowhere.txt" in gone.stderr) == (2, True)


def test_a_budget_that_cannot_be_kept(acme: Shell) -> None:
    """The answer is no, with the least that would do."""
    done = acme("context", "acme", ACME, "SSO?", "--max-tokens", "2")
    assert (done.exit_code, "give at least" in done.stderr) == (1, True)


def test_receipts_are_shown_and_replayed(acme: Shell) -> None:
    """One and all; the text of one goes to stdout as it was answered."""
    text = acme("context", "acme", ACME, "SSO?", "--format", "text").stdout
    (receipt,) = acme.json("audit", "show", "acme")
    shown = acme.json("audit", "show", receipt)
    assert (shown["receipt"], shown["request"]["goal"]) == (receipt, "SSO?")
    assert ACME in acme("audit", "show", receipt).stdout
    done = acme("audit", "replay", receipt)
    assert (done.exit_code, done.stdout) == (0, text)
    assert acme.json("audit", "replay", receipt) == {
        "receipt": receipt, "equal": True, "text": text.removesuffix("\n"), "erased": [], "difference": "",
    }  # fmt: skip
    assert acme.json("audit", "replay", "--all") == {"replayed": 1, "equal": 1, "erased": 0, "different": []}
    assert acme.json("audit", "replay", "--all", "--tenant", "acme")["replayed"] == 1


def test_what_no_longer_replays_exits_with_one(acme: Shell) -> None:
    """An erased entity: the answer is no, with what is gone."""
    assert acme("context", "acme", ACME, "SSO?").exit_code == 0
    (receipt,) = acme.json("audit", "show", "acme")
    with ContextPlane.open(acme.home) as plane:
        history = plane.builder("acme").history
        number = history.refresh() + 1
        record = CommitRecord(
            number=number, kind="tombstone", put_id="erase", prev=history.tip, time=format_instant(0), events=0,
            ranges=(), first_day=None, last_day=None, segments=(), ids=(), entities=(ACME,),
        )  # fmt: skip
        assert plane.store.create(keys.commit("acme", number), record.encode())
    done = acme("audit", "replay", receipt)
    assert (done.exit_code, "gone: events" in done.stderr) == (1, True)
    every = acme("audit", "replay", "--all", "--json")
    assert every.exit_code == 1
    assert json.loads(every.stdout)["different"][0]["receipt"] == receipt


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "replay"], "RECEIPT, or --all"),
        (["audit", "replay", "acme.00000000000000000000"], "there is no receipt"),
        (["audit", "replay", "nonsense.x"], "is no receipt"),
        (["audit", "replay", "acme.00000000000000000000", "--tenant", "acme"], "--tenant"),
        (["audit", "show", "nobody"], "no events"),
    ],
)  # fmt: skip
def test_wrong_use_exits_with_two(acme: Shell, arguments: list[str], words: str) -> None:
    """And says what is wrong."""
    done = acme(*arguments)
    assert (done.exit_code, words in done.stderr) == (2, True), done.stderr
