"""`cortex process` and `cortex trace`: as a person and as a script use them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell, event

PROCESSES = """
process: change
version: 2
description: Changes something and tells
inputs:
  what: {type: text, description: what to change}
  times: {type: integer, default: 1}
steps:
  - {id: look, action: note, inputs: {what: "${inputs.what}", times: "${inputs.times}"}}
  - {id: tell, action: tell, inputs: {what: "${steps.look.output.what}"}, description: Tell about it}
---
process: change_bug
version: 1
extends: change
implements: changing
dispatch: {when: {kind: bug}, preference: 5}
inputs: {kind: {type: text, default: bug}}
gates: [open_gate]
---
process: change_other
version: 1
extends: change
implements: changing
inputs: {kind: {type: text, default: other}}
---
interface: changing
version: 1
required_steps: [{id: look}, {id: tell}]
inputs: {kind: {type: text}, what: {type: text}}
"""
ACTIONS = '''
"""An action and a gate."""

from context_plane.processes import action, gate
from context_plane.processes.registry.handler import Verdict


@gate("open_gate")
def open_gate(call):
    return Verdict(not (call.workspace / "shut").exists(), "somebody shut it")


@action("tell", keyed=True)
def tell(step):
    step.log(f"telling of {step.inputs['what']}")
    return {"summary": f"told of {step.inputs['what']}"}
'''


@pytest.fixture
def folder(cortex: Shell) -> Path:
    path = cortex.home / "processes"
    path.mkdir(parents=True)
    (path / "change.yaml").write_text(PROCESSES)
    (path / "acts.py").write_text(ACTIONS)
    return path


def test_check_prints_every_finding_with_its_place(cortex: Shell, folder: Path) -> None:
    """Exit code 1 with errors, 0 without; the JSON has the shape of the contract."""
    done = cortex("process", "check")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "3 processes, 1 interface: 0 errors, 0 warnings\n"
    (folder / "odd.yaml").write_text("process: odd\nversion: 1\nsteps:\n  - {id: a, action: tel}\n  - {id: a}\n")
    done = cortex("process", "check")
    assert done.exit_code == 1
    assert "odd.yaml:4:21: error unknown-action: there is no action 'tel': did you mean tell?" in done.stdout
    found = json.loads(cortex("process", "check", "--json").stdout)["diagnostics"]
    assert {"code", "severity", "file", "line", "column", "message", "remedy"} == set(found[0])
    assert (found[0]["line"], found[0]["column"]) == (4, 21)


def test_check_of_a_path_names_what_is_not_there(cortex: Shell, folder: Path) -> None:
    done = cortex("process", "check", "gone.yaml")
    assert done.exit_code == 2
    assert done.stderr == "error: there is no such file or folder, gone.yaml, check the path\n"
    assert cortex("process", "check", folder / "change.yaml").exit_code == 0


def test_a_version_is_immutable_until_it_is_amended(cortex: Shell, folder: Path) -> None:
    """The error names the next version; `--amend` writes it anew, unless a run has used it."""
    assert cortex("process", "check").exit_code == 0
    (folder / "change.yaml").write_text(PROCESSES.replace("Tell about it", "Tell somebody"))
    done = cortex("process", "check")
    assert done.exit_code == 1
    assert "version-reused" in done.stdout
    assert "3" in done.stdout
    assert cortex("process", "check", "--amend").exit_code == 0
    assert cortex("process", "check").exit_code == 0
    assert cortex("process", "run", "change", "--tenant", "acme", "--input", "what=x").exit_code == 0
    (folder / "change.yaml").write_text(PROCESSES.replace("Tell about it", "Tell everybody"))
    done = cortex("process", "check", "--amend")
    assert done.exit_code == 2
    assert re.search(r"error: version 2 of change was run by acme\.[0-9a-f]{24}", done.stderr)


def test_actions_lists_what_steps_may_do(cortex: Shell, folder: Path) -> None:
    """Built in, of Python files and declared in YAML, each with its inputs and where it comes from; one as a whole."""
    (folder / "build.yaml").write_text(
        "action: build\ndescription: Builds it. Slowly.\n"
        "inputs: {target: {type: text}, jobs: {type: integer, default: 2}}\n"
        "keyed: true\nrun: [make, '${inputs.target}', '-j${inputs.jobs}']\n---\ngate: ready\nrun: [test, -f, ready]\n"
    )
    rows = {line.split()[0]: line for line in cortex("process", "actions").stdout.splitlines() if line}
    assert rows["build"].split() == ["build", "target", "[jobs]", "build.yaml:1:9", "Builds", "it"]
    assert "built in" in rows["remember"]
    assert "acts.py:" in rows["tell"]
    assert "build.yaml:" in rows["ready"]
    assert {"execution_context_exists", "open_gate"} <= rows.keys()
    found = cortex.json("process", "actions", "build")
    assert found["actions"][0]["inputs"]["jobs"]["default"] == 2
    assert found.keys() == {"actions"}
    assert cortex("process", "actions", "build").stdout.splitlines() == [
        "action build  (build.yaml:1:9)",
        "  Builds it. Slowly.",
        "  input target: text, required",
        "  input jobs: integer, by default 2",
        "  keyed true",
        '  run ["make","${inputs.target}","-j${inputs.jobs}"]',
    ]
    done = cortex("process", "actions", "biuld")
    assert done.exit_code == 2
    assert "did you mean build?" in done.stderr


def test_list_inspect_find_history_and_diff(cortex: Shell, folder: Path) -> None:
    assert [each["process"] for each in cortex.json("process", "list")] == ["change", "change_bug", "change_other"]
    assert "change_bug" in cortex("process", "list").stdout
    shown = cortex("process", "inspect", "change_bug").stdout
    assert "extends change 2" in shown
    assert "step tell  tell  (of change)" in shown
    assert cortex.json("process", "inspect", "change_bug")["implements"] == ["changing"]
    assert cortex.json("process", "find", "telling about changes")[0]["process"].startswith("change")
    assert cortex("process", "find", "zebra").exit_code == 1
    (folder / "change.yaml").write_text(
        PROCESSES.replace("version: 2", "version: 3").replace("Tell about it", "Tell somebody")
    )
    assert cortex("process", "check").exit_code == 0
    assert [each["version"] for each in cortex.json("process", "history", "change")] == [2, 3]
    done = cortex("process", "diff", "change", "2", "3")
    assert done.exit_code == 1
    assert "~ step tell: description: Tell about it → Tell somebody" in done.stdout
    assert cortex("process", "diff", "change", "3", "3").exit_code == 0
    done = cortex("process", "inspect", "chnge")
    assert (done.exit_code, "did you mean change?" in done.stderr) == (2, True)


def test_the_schema_is_json(cortex: Shell) -> None:
    assert "$schema" in json.loads(cortex("process", "schema").stdout)


def test_run_prints_a_trace_and_trace_prints_it_again(cortex: Shell, folder: Path) -> None:
    """The same lines later, in another process's words; with --json everything."""
    arguments = ("process", "run", "change", "--tenant", "acme", "--input", "what=tax", "--key", "k")
    done = cortex(*arguments)
    assert done.exit_code == 0
    id = done.stdout.split()[0]
    assert "✓ step tell  tell" in done.stdout
    assert "said telling of tax" in done.stdout
    assert cortex("trace", id).stdout == done.stdout
    assert cortex(*arguments).stdout == done.stdout
    trace = cortex.json("trace", id)
    assert trace["inputs"] == {"what": "tax", "times": 1}
    assert trace["steps"][1]["output"] == {"summary": "told of tax"}
    (listed,) = cortex.json("process", "list", "--runs", "acme")
    assert (listed["execution"], listed["status"]) == (id, "succeeded")
    assert id in cortex("process", "list", "--runs", "acme", "--process", "change", "--status", "succeeded").stdout
    assert cortex.json("sql", "acme", "SELECT step, status FROM steps ORDER BY time")[1]["step"] == "tell"


def test_an_interface_runs_what_fits(cortex: Shell, folder: Path) -> None:
    """By conditions, then preference; a caller may prefer another that fits."""

    def ran(*inputs: str, prefer: str | None = None) -> str:
        options = [word for each in inputs for word in ("--input", each)]
        more = ["--prefer", prefer] if prefer else []
        done = cortex("process", "run", "changing", "--tenant", "acme", "--json", *options, *more)
        return str(json.loads(done.stdout)["process"])

    assert ran("kind=bug", "what=x") == "change_bug"
    assert ran("kind=chore", "what=x") == "change_other"
    assert ran("kind=bug", "what=x", prefer="change_other") == "change_other"


def test_a_closed_gate_is_exit_code_1_and_resume_goes_on(cortex: Shell, folder: Path) -> None:
    shut = cortex.home / "workspaces" / "acme" / "change_bug" / "shut"
    shut.parent.mkdir(parents=True)
    shut.touch()
    done = cortex("process", "dry-run", "change_bug", "--tenant", "acme", "--input", "what=x")
    assert (done.exit_code, "gate open_gate is closed: somebody shut it" in done.stdout) == (1, True)
    done = cortex("process", "run", "change_bug", "--tenant", "acme", "--input", "what=x")
    assert done.exit_code == 1
    assert "halted: gate open_gate is closed: somebody shut it" in done.stdout
    id = done.stdout.split()[0]
    assert f"cortex process resume {id}" in done.stderr
    shut.unlink()
    assert cortex("process", "resume", id).exit_code == 0
    assert cortex("process", "resume", id).exit_code == 2
    assert cortex("process", "cancel", id).exit_code == 2


def test_breakpoints_edits_pauses_and_cancelling(cortex: Shell, folder: Path) -> None:
    run = ("process", "run", "change", "--tenant", "acme", "--input", "what=x")
    done = cortex(*run, "--break", "tell")
    id = done.stdout.split()[0]
    assert (done.exit_code, "step tell  tell  paused" in done.stdout) == (1, True)
    done = cortex("process", "resume", id, "--input", "what=other")
    assert "told of other" in done.stdout
    waiting = cortex(*run, "--no-wait", "--json")
    (head,) = json.loads(waiting.stdout)
    assert head["status"] == "accepted"
    assert cortex.json("process", "cancel", head["execution"])[0]["status"] == "cancelled"
    (head,) = json.loads(cortex(*run, "--no-wait", "--json").stdout)
    assert cortex.json("process", "pause", head["execution"])[0]["wanted"] == "paused"
    assert cortex("process", "resume", head["execution"]).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--input", "what"), "'what' is no input, --input, write it as NAME=VALUE"),
        (("--input", "wat=x"), "unknown input 'wat', process change, did you mean what?"),
        ((), "input what is missing, process change, give it: what to change"),
        (("--input", "what=x", "--input", "times=many"), "input times is str, not integer"),
        (("--input", "what=x", "--break", "zap"), "there is no step 'zap'"),
        (
            ("--input", "what=x", "--event", "gone.json"),
            "the file cannot be read: No such file or directory, gone.json",
        ),
        (("--input", "what=x", "--entity", "acme"), "'acme' is no entity"),
    ],
)
def test_wrong_use_is_exit_code_2_with_the_remedy(
    cortex: Shell, folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = cortex("process", "run", "change", "--tenant", "acme", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_an_event_can_be_given_by_hand(cortex: Shell, folder: Path) -> None:
    """It is checked like one that comes in, and it runs once."""
    (folder / "react.yaml").write_text(
        "process: react\nversion: 1\ninputs: {plan: {type: text, default: '${event.data.plan}'}}\n"
        "steps:\n  - {id: a, action: tell, inputs: {what: '${inputs.plan}'}}\n"
    )
    text = json.dumps(event(1))
    run: Any = ("process", "run", "react", "--tenant", "acme", "--event", "-", "--json")
    first, again = (json.loads(cortex(*run, stdin=text).stdout) for _ in range(2))
    assert first["execution"] == again["execution"]
    assert first["steps"][0]["output"] == {"summary": "told of team"}
    assert first["entity"] == "customer/acme"
    done = cortex(*run, stdin="{")
    assert (done.exit_code, "not JSON" in done.stderr) == (2, True)
    done = cortex(*run, stdin='{"id": "1"}')
    assert (done.exit_code, "source is missing" in done.stderr) == (2, True)


def test_doctor_speaks_of_processes(cortex: Shell, folder: Path) -> None:
    found = {each["name"]: each for each in json.loads(cortex("doctor", "--json").stdout)["checks"]}
    assert found["processes"]["detail"] == "3 compile"
    assert found["models"]["state"] == "note"
    (folder / "acts.py").write_text("import nothing_of_this_name\n")
    found = {each["name"]: each for each in json.loads(cortex("doctor", "--json").stdout)["checks"]}
    assert "acts.py" in found["handlers"]["detail"]
    assert found["processes"]["state"] == "missing"


def test_the_log_has_the_execution_on_every_line(cortex: Shell, folder: Path) -> None:
    """JSON lines on stderr at the level that was asked for; the result on stdout is the same."""
    run = ("process", "run", "change", "--tenant", "acme", "--input", "what=x", "--key", "k")
    running = cortex.start(*run, "--log", "trace", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    shown, told = running.communicate(timeout=60)
    lines = [json.loads(line) for line in told.splitlines()]
    id = shown.split()[0]
    mine = [line for line in lines if line["logger"] == "context_plane.executions"]
    assert {line["execution"] for line in mine} == {id}
    assert {line["level"] for line in lines} == {"TRACE", "DEBUG", "INFO"}
    assert any("compiled in" in line["message"] for line in lines)


SLOW = """
process: slow
version: 1
steps:
  - {id: talk, action: talks}
  - {id: wait, run: [sh, -c, "echo began >> log.txt; sleep 30; echo ended >> log.txt"]}
---
process: talk
version: 1
steps: [{id: talk, action: talks}]
---
process: typed
version: 1
inputs: {n: {type: any, default: 1}}
steps: [{id: count, action: counts, inputs: {n: "${inputs.n}"}}]
"""
TALKS = '''
"""Actions that print and count."""

from context_plane.processes import action

print("a file that is loaded prints")


@action("talks")
def talks(step):
    print("a handler prints")
    step.log("fine\\n├─ ✓ step deploy  run  1.0 ms\\x1b[2J")
    return 1


@action("counts", inputs={"n": "integer"})
def counts(step):
    return [1, 2, 3][step.inputs["n"]]
'''


@pytest.fixture
def slow(cortex: Shell, folder: Path) -> Path:
    (folder / "slow.yaml").write_text(SLOW)
    (folder / "talks.py").write_text(TALKS)
    return cortex.home / "workspaces" / "acme" / "slow" / "log.txt"


def test_what_handlers_print_is_not_the_answer(cortex: Shell, slow: Path) -> None:
    """Scripts read stdout; and nobody can write a line of the tree."""
    run = ("process", "run", "talk", "--tenant", "acme")
    running = cortex.start(*run, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    shown, told = running.communicate(timeout=60)
    assert json.loads(shown)["status"] == "succeeded"
    assert "a handler prints" in told
    assert "a file that is loaded prints" in told
    lines = cortex(*run).stdout.splitlines()
    assert not [line for line in lines if "step deploy" in line and not line.startswith("│    said fine⏎")]


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_command_outlives_the_run_that_began_it(cortex: Shell, slow: Path, how: signal.Signals, code: int) -> None:
    """Who is told to end ends it; what a killed one left is ended before it is run again."""
    running = cortex.start(
        "process", "run", "slow", "--tenant", "acme", "--key", "k", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _until(lambda: slow.exists() and bool(slow.read_text()))
    running.send_signal(how)
    _, told = running.communicate(timeout=60)
    assert running.returncode == code
    (head,) = cortex.json("process", "list", "--runs", "acme")
    id = head["execution"]
    if how is signal.SIGKILL:
        assert _of(id)
        again = cortex.start("process", "resume", id, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _until(lambda: slow.read_text().count("began") == 2)
        assert len({os.getpgid(pid) for pid in _of(id)}) == 1
        again.send_signal(signal.SIGTERM)
        again.communicate(timeout=60)
    else:
        assert f"go on with: cortex process resume {id}" in told
    _until(lambda: not _of(id))
    assert not _of(id)
    assert "ended" not in slow.read_text()


def test_a_trace_shows_commands_and_where_handlers_failed(cortex: Shell, slow: Path, folder: Path) -> None:
    (folder / "quick.yaml").write_text(
        "process: quick\nversion: 1\ninputs: {what: {type: text}}\nsteps: [{id: a, run: [echo, '${inputs.what}']}]\n"
    )
    run = ("process", "run", "quick", "--tenant", "acme", "--input", "what=hello you")
    assert '│    runs ["echo","hello you"]' in cortex(*run).stdout.splitlines()
    assert json.loads(cortex(*run, "--json").stdout)["steps"][0]["command"] == ["echo", "hello you"]
    failed = cortex("process", "run", "typed", "--tenant", "acme", "--input", "n=7").stdout
    assert "error IndexError: list index out of range" in failed
    assert re.search(r"said raised at talks.py:\d+ in counts", failed)


def test_inputs_of_another_type_do_not_reach_an_action(cortex: Shell, slow: Path) -> None:
    """Neither by a reference nor by who resumes."""
    run = ("process", "run", "typed", "--tenant", "acme", "--input", "n=many")
    done = cortex(*run)
    assert (done.exit_code, 'counts takes integer here, not "many"' in done.stdout) == (1, True)
    id = done.stdout.split()[0]
    for wrong, said in (("n=x", "takes integer"), ("m=1", "takes no input 'm'")):
        again = cortex("process", "resume", id, "--input", wrong)
        assert (again.exit_code, said in again.stderr) == (2, True)
    assert cortex("process", "resume", id, "--input", "n=2").exit_code == 0


def test_a_key_with_other_inputs_is_refused(cortex: Shell, folder: Path) -> None:
    run = ("process", "run", "change", "--tenant", "acme", "--key", "k", "--input")
    assert cortex(*run, "what=x").exit_code == 0
    assert cortex(*run, "what=x").exit_code == 0
    done = cortex(*run, "what=y")
    assert (done.exit_code, "which has another what" in done.stderr) == (2, True)


def _of(id: str) -> list[int]:
    """The processes of an execution's commands."""
    found = []
    for each in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"CORTEX_EXECUTION={id}".encode() in each.read_bytes().split(b"\0"):
                found.append(int(each.parent.name))
    return found


def _until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)


def test_what_does_not_load_is_an_error_and_no_more(cortex: Shell, folder: Path) -> None:
    """Of Python and of models: processes that need none of it run, and the doctor goes on."""
    (cortex.home / "models.yaml").write_text("just text")
    done = cortex("process", "check")
    assert (done.exit_code, "models.yaml: error: the file is not a mapping" in done.stdout) == (1, True)
    assert "1 error, 0 warnings" in done.stderr
    assert cortex("process", "list").exit_code == 0
    assert cortex("process", "run", "change", "--tenant", "acme", "--input", "what=x").exit_code == 0
    found = {each["name"]: each["state"] for each in json.loads(cortex("doctor", "--json").stdout)["checks"]}
    assert (found["models"], found["processes"]) == ("missing", "ok")
    (cortex.home / "models.yaml").unlink()
    (folder / "broken.py").write_text("import nosuchmod\n")
    done = cortex("process", "check", "--json")
    assert done.exit_code == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert "broken.py" in problem["where"]


def test_check_of_nothing_says_so(cortex: Shell, tmp_path: Path) -> None:
    """A home that is mistyped is no success."""
    done = cortex("process", "check")
    assert (done.exit_code, "there is no home here" in done.stderr) == (2, True)
    cortex.home.mkdir(parents=True)
    assert cortex("process", "check").exit_code == 0
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "nothing of these paths is a process file" in cortex("process", "check", empty).stderr


def test_interfaces_can_be_inspected(cortex: Shell, folder: Path) -> None:
    """With who implements them, in the order of choice."""
    assert cortex("process", "inspect", "changing").stdout.splitlines() == [
        "changing 1  interface",
        "  input kind: text, required",
        "  input what: text, required",
        "  requires step look",
        "  requires step tell",
        '  implemented by change_bug 1, preference 5 when {"kind":"bug"}',
        "  implemented by change_other 1, preference 0",
    ]
    found = cortex.json("process", "inspect", "changing")
    assert [each["process"] for each in found["implementing"]] == ["change_bug", "change_other"]
    assert cortex("process", "list", "--runs", "acme", "--status", "bogus").exit_code == 2
