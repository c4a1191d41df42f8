"""A failing CI run is mended, through `cortex` and in a real repository."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import refused
from tests.processes.examples.conftest import EVENT, Example

SUBJECT = "Fix discount in shop/prices.py"
STEPS = ["read_failure", "locate_source", "diagnose", "implement_fix", "verify", "commit"]


def fixed(example: Example, process: str = "fix_ci_failure", *args: str) -> dict[str, Any]:
    """The trace of mending the run that the event tells of."""
    return example.run(process, "--event", str(EVENT), *args)


def lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines()}


def test_the_suite_is_red_and_the_log_is_of_it(example: Example) -> None:
    """What is prepared: one commit on both sides, one failing test, and a log that git does not see."""
    assert example.suite().returncode == 1
    assert "FAILED (failures=1)" in (example.repository / ".ci" / "run-1042.log").read_text()
    assert example.git("status", "--porcelain") == ""
    assert example.pushed == ["The shop as it is"]


def test_preparing_again_changes_nothing(example: Example) -> None:
    """The same commit, the same log; and a folder of somebody else's is not taken."""
    before = (example.git("rev-parse", "HEAD"), (example.repository / ".ci" / "run-1042.log").stat().st_mtime_ns)
    assert not example.run("prepare_repository")["steps"][0]["output"]["made"]
    assert (
        example.git("rev-parse", "HEAD"),
        (example.repository / ".ci" / "run-1042.log").stat().st_mtime_ns,
    ) == before
    (example.home / "workspaces" / "mine").mkdir()
    (example.home / "workspaces" / "mine" / "notes.txt").write_text("mine")
    trace = example.run("prepare_repository", "--input", "repository=mine")
    assert trace["status"] == "failed"
    assert "not empty" in trace["reason"]


def test_a_run_ends_with_one_green_commit_on_the_remote(example: Example) -> None:
    """From the event to the push, with what each step gave in the trace."""
    trace = fixed(example)
    assert trace["status"] == "succeeded", trace["reason"]
    assert example.pushed == [SUBJECT, "The shop as it is"]
    assert example.git("status", "--porcelain") == ""
    assert example.git("show", "--format=", "--numstat") == "1\t1\tshop/prices.py"
    assert example.suite().returncode == 0
    message = example.git("log", "-1", "--format=%B")
    assert "leaves the limit itself out" in message.replace("\n", " ")
    assert f"Execution: {trace['execution']}" in message
    assert all(len(line) <= 72 for line in message.splitlines())
    outputs = {step["id"]: step["output"] for step in trace["steps"]}
    assert (outputs["read_failure"]["found"], outputs["read_failure"]["expected"]) == ("0", "1000")
    assert (outputs["locate_source"]["file"], outputs["locate_source"]["name"]) == ("shop/prices.py", "discount")
    assert outputs["diagnose"]["after"].strip() == "if total >= least:"


def test_the_trace_explains_every_gate_and_step(example: Example) -> None:
    """`cortex trace` names each of them, and the tokens of each context, which fit their budgets."""
    trace = fixed(example)
    gates = [(gate["gate"], gate["step"], gate["passed"]) for gate in trace["gates"]]
    assert gates == [
        ("execution_context_exists", None, True), ("branch_clean", None, True), ("tests_pass", "commit", True),
    ]  # fmt: skip
    assert [(step["id"], step["status"]) for step in trace["steps"]] == [(id, "done") for id in STEPS]
    for step in trace["steps"]:
        assert 0 < step["context"]["tokens"] <= step["context"]["budget"]
        assert step["context"]["receipt"].startswith("acme.")
    shown = example("trace", trace["execution"]).stdout
    assert all(f"step {id} " in shown for id in STEPS)
    assert shown.count("✓ gate ") == 3
    assert shown.count(" tokens (") == 6
    assert example.json("trace", trace["execution"])["steps"] == trace["steps"]


def test_a_step_is_shown_its_topic_and_no_other(example: Example) -> None:
    """The topic of the seed's table is there whole, every other topic is not there at all."""
    dry = example.json("process", "dry-run", "fix_ci_failure", "--tenant", "acme", "--event", EVENT)
    assert dry["open"]
    for step in dry["steps"]:
        text = step["context"]["text"]
        (topic,) = {line.split(" > ")[0].strip("[]") for line in text.splitlines() if line.startswith("[")}
        file = example.home / "knowledge" / f"{topic}.md"
        assert lines(file.read_text()) <= lines(text), (step["id"], topic)
    assert example.pushed == ["The shop as it is"]


def test_the_same_event_runs_nothing_twice(example: Example) -> None:
    """The second call returns the first execution, and the remote has one commit more than before."""
    first = fixed(example)
    second = example.run("fix_ci_failure", "--event", str(EVENT))
    assert second == first
    assert example.pushed == [SUBJECT, "The shop as it is"]


def test_an_event_that_comes_in_sets_off_one_run(example: Example) -> None:
    """What the sensor does: the event is ingested, its execution accepted once, and run by whoever comes by."""
    with example.open() as plane:
        start = plane.react("acme").number
    assert example("ingest", EVENT, "--tenant", "acme").exit_code == 0
    with example.open() as plane:
        (head,) = plane.react("acme", start).accepted
        assert plane.react("acme", start).accepted == ()
        assert (head.process, head.entity) == ("fix_ci_failure", "repository/shop")
        assert plane.engine.run(head.id).status == "succeeded"
    assert example.pushed[0] == SUBJECT


def test_a_dirty_branch_halts_with_the_file_named(example: Example) -> None:
    """Nothing is run, and once the file is gone the run goes on."""
    (example.repository / "shop" / "money.py").write_text("# unfinished\n")
    trace = example.run("fix_ci_failure", "--event", str(EVENT))
    assert (trace["status"], trace["steps"]) == ("halted", [])
    assert "gate branch_clean is closed: 1 changed: shop/money.py" in trace["reason"]
    example.git("restore", ".")
    done = example("process", "resume", trace["execution"], "--json")
    assert example.read(done.stdout)["status"] == "succeeded"
    assert example.pushed[0] == SUBJECT


def test_a_suite_that_stays_red_is_not_committed(example: Example) -> None:
    """The fix is right, another test fails: the gate before the commit is closed."""
    test = example.repository / "tests" / "test_money.py"
    test.write_text(test.read_text().replace("12.05 EUR", "12,05 EUR"))
    example.git("commit", "--quiet", "--all", "--message=Write amounts with a comma")
    trace = example.run("fix_ci_failure", "--event", str(EVENT))
    assert (trace["status"], trace["reason"].partition(":")[0]) == (
        "halted",
        "gate tests_pass before step commit is closed",
    )
    assert example.pushed == ["The shop as it is"]
    assert "shop/prices.py" in example.git("status", "--porcelain")


def test_another_branch_is_not_committed_to(example: Example) -> None:
    """The event says which branch failed; on another one nothing is committed."""
    trace = fixed(example, "fix_ci_failure", "--input", "branch=release")
    assert (trace["status"], trace["steps"][-1]["id"]) == ("failed", "commit")
    assert "main is checked out, not release" in trace["reason"]
    assert example.pushed == ["The shop as it is"]


def test_a_log_that_is_not_there_fails_the_first_step(example: Example) -> None:
    """With what to do."""
    trace = fixed(example, "fix_ci_failure", "--input", "log=.ci/run-1.log")
    assert trace["status"] == "failed"
    assert "fetch the log" in trace["reason"]


def test_without_an_event_the_inputs_have_to_be_given(example: Example) -> None:
    """A caller may give what the event would have said; without either the first missing one is named."""
    line = refused(example("process", "run", "fix_ci_failure", "--tenant", "acme"))
    assert "is missing, and its default is not to be had: ${event.data." in line
    inputs = ("repository=shop", "branch=main", "log=.ci/run-1042.log")
    trace = example.run("fix_ci_failure", *(each for name in inputs for each in ("--input", name)))
    assert trace["status"] == "succeeded"
    assert example.pushed[0] == SUBJECT


def test_nobody_knows_the_repository(example: Example) -> None:
    """For a tenant that has heard nothing of it the first gate is closed."""
    trace = example.run("fix_ci_failure", "--event", str(EVENT), tenant="other")
    assert trace["status"] == "halted"
    assert trace["reason"].startswith("gate execution_context_exists is closed")


def test_the_team_is_told_once(example: Example) -> None:
    """The child tells a channel after the commit; the message is an event of the repository."""
    trace = fixed(example, "fix_ci_failure_with_notification")
    assert [step["id"] for step in trace["steps"]] == [*STEPS, "notify"]
    example.run("fix_ci_failure_with_notification", "--event", str(EVENT))
    query = "SELECT entity, type, text FROM events WHERE source = 'notifications'"
    (told,) = example.json("sql", "acme", query)
    assert (told["entity"], told["type"]) == ("repository/shop", "notification.sent")
    assert told["text"].startswith("shop: CI on main is fixed. `if total > least:`")
    assert trace["steps"][-1]["output"]["commit"] == example.git("rev-parse", "HEAD")
