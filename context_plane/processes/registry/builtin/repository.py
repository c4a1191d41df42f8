"""The git repository of a workspace: running git in it, and nowhere else.

The repository's configuration and hooks are the user's and are honoured: actions never write into `.git` themselves.
Hooks that are files of the workspace are not run: actions may have written them.
What is kept from git is whatever would ask a person (there is none), page, or find a repository above the workspace.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from context_plane.processes.registry.builtin.paths import GIT
from context_plane.processes.registry.handler import Call, CancelledStep, StepFailure
from context_plane.processes.registry.printed import keep_of
from context_plane.processes.registry.running import Ended, environment, execute
from context_plane.processes.registry.secrets import shortened

SECONDS: Final = 60.0
_ALL: Final = 8 << 20
"""Bytes of lists that are read as a whole."""
_HOOKED: Final = frozenset({"add", "commit", "switch", "push"})
"""Commands of ours that run hooks: those that change the index, the files, or a branch here or there."""
_LOCKED: Final = "index.lock"
_PATIENCE: Final = 5.0
"""Seconds for which another git in the same repository is waited for: after a crash the one before may still run."""
_ALWAYS: Final = (
    "--no-pager", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.quotePath=false",
    # A folder whose files look like a repository is none, so that files that were written cannot configure git.
    "-c", "safe.bareRepository=explicit",
)  # fmt: skip


def git(call: Call, *arguments: str, whole: bool = False, code: Sequence[int] = (0,)) -> Ended:
    """Runs git in the workspace. With `whole` all that it prints is kept, up to 8 MiB.

    Raises `StepFailure` for an exit code that is not one of `code`, with what git said.
    """
    ended = _patiently(call, arguments, _ALL if whole else keep_of(call.settings.output_kb))
    if ended.code not in code:
        what = f"git {arguments[0]} {ended.how}: {last_said(ended)}"
        raise StepFailure(what, where="git", remedy=_remedy(ended), output={"stderr": ended.err.text})
    if whole and len(ended.out.head) == _ALL:
        what = f"git {arguments[0]} prints more than {_ALL >> 20} MiB"
        raise StepFailure(what, where="git", remedy="ask for less of it", retryable=False)
    return ended


def check_repository(call: Call) -> None:
    """Raises `StepFailure` where the workspace is no git repository, or a folder inside of one."""
    ended = _patiently(call, ("rev-parse", "--show-prefix"), 4_096)
    if ended.code != 0:
        remedy = "clone or create one there: git init" if "not a git repository" in ended.err.text else _remedy(ended)
        what = f"the workspace {call.workspace} is no git repository: {last_said(ended)}"
        raise StepFailure(what, where="git", remedy=remedy, retryable=False)


def listed(ended: Ended) -> list[str]:
    """What git printed with ``-z``; bytes that are no UTF-8 are replaced."""
    return [each for each in ended.out.head.decode(errors="replace").split("\0") if each]


def line(ended: Ended) -> str:
    """What git printed, as one line."""
    return ended.out.head.decode(errors="replace").strip()


def branch(call: Call) -> str:
    """The branch that is checked out; empty where it is none."""
    return line(git(call, "symbolic-ref", "--short", "--quiet", "HEAD", code=(0, 1)))


def commit_of(call: Call, name: str = "HEAD") -> str:
    """The commit of a name. Raises `StepFailure` for one that is none."""
    ended = _patiently(call, ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"), 4_096)
    if ended.code != 0:
        what = "there is no commit yet" if name == "HEAD" else f"{name!r:.100} is no commit"
        raise StepFailure(what, where="git", remedy="name a branch, a tag or a commit", retryable=False)
    return line(ended)


def _patiently(call: Call, arguments: Sequence[str], keep: int) -> Ended:
    end = time.monotonic() + _PATIENCE
    cancelled = getattr(call, "cancelled", None)
    timeout = getattr(call, "timeout", None) or SECONDS
    env = _environment(call)
    without = ("-c", f"core.hooksPath={os.devnull}") if arguments[0] in _HOOKED and _hooks_of_files(call) else ()
    while True:
        command = ("git", *_ALWAYS, *without, *arguments)
        ended = execute(command, call.workspace, env, timeout=timeout, cancelled=cancelled, keep=keep)
        if ended.code == 0 or _LOCKED not in ended.err.text or time.monotonic() >= end:
            return ended
        time.sleep(0.1)
        if cancelled is not None and cancelled.is_set():
            raise CancelledStep


def _hooks_of_files(call: Call) -> bool:
    """Whether a hook is, or leads to, a file that actions can write: one of the workspace outside of git's folder."""
    root = call.workspace.resolve()
    asked = ("git", *_ALWAYS, "rev-parse", "--git-path", "hooks")
    folder = root / line(execute(asked, call.workspace, _environment(call), timeout=SECONDS, keep=8_192))
    try:
        hooks = [each for each in folder.iterdir() if each.suffix != ".sample"] if folder.is_dir() else []
        return any(_is_file_of(root, each.resolve()) for each in (folder, *hooks))
    except (OSError, RuntimeError):  # what cannot be looked at is not run
        return True


def _is_file_of(root: Path, path: Path) -> bool:
    return path.is_relative_to(root) and GIT not in (part.lower() for part in path.relative_to(root).parts)


def _environment(call: Call) -> dict[str, str]:
    """With the agent that has the keys for ssh, which is asked by pushing."""
    agent = {name: value for name in ("SSH_AUTH_SOCK", "GIT_SSH_COMMAND") if (value := os.environ.get(name))}
    return environment(
        **agent, LC_ALL="C", GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0", GIT_LITERAL_PATHSPECS="1",
        GIT_CEILING_DIRECTORIES=str(call.workspace.resolve().parent), GIT_EDITOR="true", GIT_ASKPASS="true",
        SSH_ASKPASS="true", CORTEX_EXECUTION=call.execution,
    )  # fmt: skip


def last_said(ended: Ended) -> str:
    """The last line that git printed."""
    lines = (ended.err.text.strip() or ended.out.text.strip() or "it says nothing").splitlines()
    return shortened(lines[-1].strip(), 300)


def _remedy(ended: Ended) -> str:
    said = ended.err.text
    if _LOCKED in said:
        return "another git works there; if none does, remove .git/index.lock"
    if "tell me who you are" in said or "unable to auto-detect email" in said:
        return "set user.name and user.email in the repository: git config user.name …"
    return "see what git says"
