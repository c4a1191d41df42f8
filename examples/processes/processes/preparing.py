"""The small repository that the processes of this home work on: made from the folder `repository`, once.

It has a test that fails, the log of the run in which it failed, a bug report, a specification, and a bare repository
beside it that is its remote. Whatever is there already is left as it is.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from context_plane.processes import Declared, Step, StepFailure, action
from context_plane.processes.linked import Command
from context_plane.processes.registry import commands
from context_plane.processes.registry.builtin.paths import writable
from context_plane.processes.registry.builtin.repository import branch, commit_of, git

TEMPLATE: Final = Path(__file__).parents[1] / "repository"
_CONFIG: Final = {"user.name": "Shop Bot", "user.email": "bot@shop.example", "commit.gpgsign": "false"}
"""Of this repository alone: nothing has to be configured for the machine."""


@action(
    "make_repository",
    keyed=True,
    inputs={
        "log": Declared("text", False, ".ci/run-1042.log", "where the log of the failing run goes"),
        "command": Declared("list", description="the command that runs its tests"),
    },
)
def make_repository(step: Step) -> dict[str, Any]:
    """Makes the repository in the workspace, its remote beside it, and the log of its first run: {commit, branch,
    remote, log, made}."""
    log = writable(step.workspace, str(step.inputs["log"]))
    made = not log.exists()
    if not (step.workspace / ".git").exists():
        _init(step)
    _commit(step)
    if not git(step, "remote").out.text.split():
        git(step, "remote", "add", "origin", f"../{step.workspace.name}.git")
    remote = step.workspace.with_name(f"{step.workspace.name}.git")
    if not (remote / "HEAD").exists():
        git(step, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    if not git(step, "ls-remote", "--heads", "origin").out.text:
        git(step, "push", "--quiet", "--set-upstream", "origin", "main")
    if made:
        _run_ci(step, log)
    return {
        "commit": commit_of(step), "branch": branch(step), "remote": "origin", "log": str(step.inputs["log"]),
        "made": made,
    }  # fmt: skip


def _init(step: Step) -> None:
    """An empty repository in an empty folder: what somebody else keeps there is not touched."""
    if any(step.workspace.iterdir()):
        what = f"the folder {step.workspace.name} is not empty and no repository"
        raise StepFailure(what, where=step.id, remedy="name another with --input repository=NAME", retryable=False)
    git(step, "init", "--quiet", "--initial-branch=main")


def _commit(step: Step) -> None:
    """The first commit, if there is none."""
    if git(step, "rev-parse", "--verify", "--quiet", "HEAD", code=(0, 1)).code == 0:
        return
    shutil.copytree(
        TEMPLATE, step.workspace, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*_cache")
    )
    for name, value in _CONFIG.items():
        git(step, "config", name, value)
    git(step, "add", "--all")
    git(step, "commit", "--quiet", "--message=The shop as it is")


def _run_ci(step: Step, log: Path) -> None:
    """Runs the tests as CI does, and keeps what they print."""
    command = tuple(map(str, step.inputs["command"]))
    ended = commands.run(replace(step, run=Command(command, check=False)))
    head = f"run 1042 of {step.workspace.name}, job tests, commit {commit_of(step)}\n$ {' '.join(command)}\n"
    log.parent.mkdir(parents=True, exist_ok=True)
    unfinished = log.with_name(f".{log.name}")
    unfinished.write_text(f"{head}{ended['stdout']}{ended['stderr']}\nexit code {ended['exit_code']}\n", "utf-8")
    os.replace(unfinished, log)
    step.log(f"the tests end with exit code {ended['exit_code']}; see {step.inputs['log']}")
