"""Actions on the git repository of the workspace."""

from __future__ import annotations

import re
from typing import Any, Final

from context_plane.errors import InputError
from context_plane.processes.linked import Declared
from context_plane.processes.registry.builtin.given import flag, named, text, texts, whole
from context_plane.processes.registry.builtin.repository import (
    branch,
    check_repository,
    commit_of,
    git,
    last_said,
    line,
    listed,
)
from context_plane.processes.registry.decorators import action
from context_plane.processes.registry.handler import Step, StepFailure

TRAILER: Final = "Cortex-Key"
_LOOKED_BACK: Final = 2_000
"""Commits in which one of the same key is looked for."""
_NAMED: Final = 1_000
"""Files that an output names."""
_MOST_MESSAGE: Final = 64 << 10
_FORGED: Final = re.compile(rf"^\s*{TRAILER}\s*:.*$\n?", re.IGNORECASE | re.MULTILINE)
_PATHS: Final = Declared("list", False, [], "files below the workspace; empty for all")


@action("git.status", keyed=True, inputs={})
def status(step: Step) -> dict[str, Any]:
    """What git has to say of the workspace: {branch, clean, files: [{path, state}]}; the state is git's two letters."""
    check_repository(step)
    files = changed(step)
    return {"branch": branch(step), "clean": not files, "files": files[:_NAMED]}


@action(
    "git.diff",
    keyed=True,
    inputs={
        "paths": _PATHS,
        "against": Declared("text", False, "", "a branch, tag or commit; by default what is not staged is shown"),
        "staged": Declared("boolean", False, False, "show what is staged"),
    },
)
def diff(step: Step) -> dict[str, Any]:
    """The changes of the workspace: {diff, files}. Of a long one the beginning and the end are given."""
    check_repository(step)
    against = text(step, "against", "")
    chosen = [*(["--cached"] if flag(step, "staged", False) else []), *([commit_of(step, against)] if against else [])]
    where = ["--", *_checked_paths(step)]
    same = ("--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/")
    shown = git(step, "diff", *same, *chosen, *where)
    files = git(step, "diff", "--no-ext-diff", "--name-only", "-z", *chosen, *where, whole=True)
    return {"diff": shown.out.text, "files": listed(files)[:_NAMED]}


@action(
    "git.log",
    keyed=True,
    inputs={"count": Declared("integer", False, 10, "how many"), "paths": _PATHS},
)
def log(step: Step) -> dict[str, Any]:
    """The newest commits: {commits: [{commit, time, author, subject}]}, the newest first."""
    check_repository(step)
    commit_of(step)
    form = "--format=%H%x00%cI%x00%an%x00%s"
    count = whole(step, "count", 10, 1, 1_000)
    found = git(step, "log", f"-{count}", "--no-show-signature", form, "--", *_checked_paths(step), whole=True)
    rows = [row.split("\0") for row in found.out.head.decode(errors="replace").split("\n") if row]
    return {"commits": [dict(zip(("commit", "time", "author", "subject"), row, strict=True)) for row in rows]}


@action(
    "git.branch",
    keyed=True,
    inputs={
        "name": Declared("text", description="the branch"),
        "start": Declared("text", False, "", "where a new one begins: a branch, tag or commit; by default here"),
    },
)
def switch(step: Step) -> dict[str, Any]:
    """Switches to a branch, which is made if it is not there: {branch, commit}."""
    check_repository(step)
    name, start = _branch_name(step, named(step, "name")), text(step, "start", "")
    known = git(step, "show-ref", "--verify", "--quiet", f"refs/heads/{name}", code=(0, 1))
    if known.code == 0:
        git(step, "switch", "--no-guess", name)
    else:
        git(step, "switch", "--create", name, *([commit_of(step, start)] if start else []))
    return {"branch": name, "commit": line(git(step, "rev-parse", "--verify", "--quiet", "HEAD", code=(0, 1)))}


@action(
    "git.commit",
    keyed=True,
    inputs={"message": Declared("text", description="what changed and why"), "paths": _PATHS},
)
def commit(step: Step) -> dict[str, Any]:
    """Commits files, or all that changed: {commit, branch, files}. The message ends with the step's key, so that a
    repetition finds the commit that is there and makes no second one. Refuses where there is nothing to commit."""
    check_repository(step)
    message, paths = _message(step), _checked_paths(step)
    found = _made_before(step)
    if found is None:
        git(step, "add", "--all", "--", *(paths or ["."]))
        staged = git(step, "diff", "--cached", "--quiet", "--no-ext-diff", "--", *paths, code=(0, 1))
        # What a crash left running may have committed meanwhile.
        found = _made_before(step) if staged.code == 0 else None
        if staged.code == 0 and found is None:
            remedy = "let a step before change something, or have a gate decide"
            raise StepFailure("there is nothing to commit", where=step.id, remedy=remedy, retryable=False)
    if found is None:
        only = ["--only", "--", *paths] if paths else []
        trailer = [f"--trailer={TRAILER}: {step.key}"] if step.key else []
        git(step, "commit", "--quiet", f"--message={message}", *trailer, *only)
        found = commit_of(step)
    files = git(step, "diff-tree", "--no-commit-id", "--name-only", "-r", "-z", "--root", found, whole=True)
    return {"commit": found, "branch": branch(step), "files": listed(files)[:_NAMED]}


@action(
    "git.push",
    keyed=True,
    inputs={
        "remote": Declared("text", False, "origin", "a remote that the repository is configured with"),
        "branch": Declared("text", False, "", "by default the one that is checked out"),
    },
)
def push(step: Step) -> dict[str, Any]:
    """Pushes a branch to a remote that the repository knows by name, never by force: {remote, branch, commit}."""
    check_repository(step)
    remote = text(step, "remote", "origin")
    remotes = git(step, "remote").out.text.split("\n")
    if not remote or remote not in remotes:
        known = ", ".join(filter(None, remotes)) or "none"
        remedy = f"configure it (git remote add), or name one of: {known}"
        raise StepFailure(f"there is no remote {remote!r:.100}", where="remote", remedy=remedy, retryable=False)
    name = text(step, "branch", "") or branch(step)
    if not name:
        raise StepFailure("no branch is checked out", where="branch", remedy="name one", retryable=False)
    name = _branch_name(step, name)
    sent = commit_of(step, f"refs/heads/{name}")
    ended = git(step, "push", "--porcelain", remote, f"refs/heads/{name}:refs/heads/{name}", code=(0, 1))
    if ended.code != 0:
        refused = next((row[2:] for row in ended.out.text.splitlines() if row.startswith("!")), None)
        refused = last_said(ended) if refused is None else refused
        remedy = "fetch and merge or rebase what is there; nothing is pushed by force"
        raise StepFailure(f"{remote} refuses {name}: {refused}", where="git", remedy=remedy, retryable=False)
    return {"remote": remote, "branch": name, "commit": sent}


def changed(step: Any) -> list[dict[str, str]]:
    """What is changed or not known to git in the workspace."""
    found, files = listed(git(step, "status", "--porcelain=v1", "-z", "--untracked-files=normal", whole=True)), []
    while found:
        entry = found.pop(0)
        files.append({"path": entry[3:], "state": entry[:2]})
        if "R" in entry[:2] or "C" in entry[:2]:
            found.pop(0)  # what it was called before
    return files


def _made_before(step: Step) -> str | None:
    """The commit that the step made already."""
    if not step.key or git(step, "rev-parse", "--verify", "--quiet", "HEAD", code=(0, 1)).code:
        return None
    form = f"--format=%H%x00%(trailers:key={TRAILER},valueonly,separator=%x00)"
    found = git(step, "log", f"-{_LOOKED_BACK}", "--no-show-signature", form, whole=True)
    for row in found.out.head.decode(errors="replace").split("\n"):
        id_, *keys = row.split("\0")
        if step.key in keys:
            step.log(f"the commit {id_} was made before")
            return id_
    return None


def _message(step: Step) -> str:
    """The message, without a line that could be taken for the key of another step."""
    message = _FORGED.sub("", named(step, "message")).strip()
    if not message or len(message.encode(errors="replace")) > _MOST_MESSAGE:
        raise InputError("the message is empty or longer than 64 KiB", where="inputs.message", remedy="write another")
    return message


def _branch_name(step: Step, name: str) -> str:
    ended = git(step, "check-ref-format", "--branch", name, code=(0, 1, 128))
    if ended.code != 0 or line(ended) != name:
        raise InputError(
            f"{name!r:.100} is no name of a branch", where="inputs.name", remedy="see git-check-ref-format"
        )
    return name


def _checked_paths(step: Step) -> list[str]:
    """Paths as git takes them: it refuses itself what lies outside of the repository or beyond a link."""
    paths = texts(step, "paths")
    if any(not path.strip() or path.startswith("/") for path in paths):
        raise InputError(f"paths is {paths!r:.120}", where="inputs.paths", remedy="give paths below the workspace")
    return paths
