"""A worker is killed at a boundary of a real run, and the next one finishes it: one commit and one message.

Every boundary of every process is `tests/faults`' to sweep; here it is about the effects of the example's actions.
"""

from __future__ import annotations

import signal
import subprocess

import pytest

from context_plane.store.faults import VARIABLE
from tests.processes.examples.conftest import EVENT, Example

PROCESS = ("process", "run", "fix_ci_failure_with_notification", "--tenant", "acme", "--event", str(EVENT))
REACHED = {
    "execution.accepted-written": 1,
    "execution.accepted": 1,
    "execution.record-written": 7,
    "execution.record-durable": 7,
    "execution.handler-returned": 7,
    "execution.log-written": 2,
    "execution.sealed": 2,
}
"""How often a run of seven steps reaches each boundary."""
SAMPLE = ("execution.handler-returned:4", "execution.handler-returned:6", "execution.handler-returned:7")
"""The file is written, the commit is pushed, the message is sent; nobody has heard of it."""


def killed_and_finished(example: Example, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """A run that is killed there, and a second that comes to the same end."""
    monkeypatch.setenv(VARIABLE, fault)
    running = example.start(*PROCESS, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    running.communicate(timeout=60)
    assert running.returncode == -signal.SIGKILL
    monkeypatch.delenv(VARIABLE)
    done = example(*PROCESS, "--json")
    assert done.exit_code == 0, done.stderr
    assert not any(step["repeated"] for step in example.read(done.stdout)["steps"]), "every action is keyed"
    assert example.pushed == ["Fix discount in shop/prices.py", "The shop as it is"]
    assert example.git("status", "--porcelain") == ""
    told = example.json("sql", "acme", "SELECT id FROM events WHERE source = 'notifications'")
    assert len(told) == 1


@pytest.mark.parametrize("fault", SAMPLE)
def test_a_killed_run_has_its_effects_once(example: Example, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Killed right after an effect, before anything was recorded of it."""
    killed_and_finished(example, monkeypatch, fault)


@pytest.mark.soak
@pytest.mark.parametrize("fault", [f"{name}:{n}" for name, times in REACHED.items() for n in range(1, times + 1)])
def test_a_run_killed_anywhere_has_its_effects_once(
    example: Example, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """At every boundary that the run reaches."""
    killed_and_finished(example, monkeypatch, fault)
