"""Actions on git repositories, run for real."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from context_plane.errors import InputError
from context_plane.processes.registry.builtin import repository as repository_module
from context_plane.processes.registry.handler import CancelledStep, StepFailure
from tests.processes.registry.world import do, judge, repository, sh


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit; of the user's settings git sees none."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name.startswith(("GIT_", "XDG_")):
            monkeypatch.delenv(name)
    return repository(tmp_path / "work")


def change(repo: Path, name: str = "app.py", text: str = "print('changed')\n") -> None:
    (repo / name).parent.mkdir(parents=True, exist_ok=True)
    (repo / name).write_text(text)


def test_status(repo: Path) -> None:
    """Branch and what changed, also what was renamed and what has a strange name."""
    assert do("git.status", repo) == {"branch": "main", "clean": True, "files": []}
    change(repo, "new é\n.py")
    sh(repo, "git", "mv", "app.py", "moved.py")
    found = do("git.status", repo)
    assert not found["clean"]
    assert {(each["path"], each["state"]) for each in found["files"]} == {("moved.py", "R "), ("new é\n.py", "??")}


def test_a_users_settings_do_not_change_what_is_said(repo: Path) -> None:
    """Nor do those of the repository, as far as they are about showing."""
    settings = {
        "status.showUntrackedFiles": "no", "status.relativePaths": "true", "color.ui": "always",
        "diff.noprefix": "true", "diff.external": "false", "log.showSignature": "true", "core.pager": "false",
    }  # fmt: skip
    for name, value in settings.items():
        sh(repo, "git", "config", name, value)
    change(repo)
    change(repo, "new.py")
    assert [each["path"] for each in do("git.status", repo)["files"]] == ["app.py", "new.py"]
    found = do("git.diff", repo)
    assert found["files"] == ["app.py"]
    assert found["diff"].startswith("diff --git a/app.py b/app.py\n")
    assert len(do("git.log", repo)["commits"]) == 1


def test_diff(repo: Path) -> None:
    """Of the working tree, of what is staged, against a commit, of some paths."""
    change(repo)
    change(repo, "b.py", "b\n")
    sh(repo, "git", "add", "b.py")
    assert do("git.diff", repo)["files"] == ["app.py"]
    assert do("git.diff", repo, {"staged": True})["files"] == ["b.py"]
    assert do("git.diff", repo, {"against": "HEAD"})["files"] == ["app.py", "b.py"]
    assert do("git.diff", repo, {"against": "main", "paths": ["b.py"]})["files"] == ["b.py"]
    for against in ("no-such", "--output=owned", "-p"):
        with pytest.raises(StepFailure, match="is no commit"):
            do("git.diff", repo, {"against": against})
    assert not (repo / "owned").exists()


def test_log(tmp_path: Path) -> None:
    """The newest first, whatever a subject holds."""
    repo = repository(tmp_path / "work", 3)
    change(repo)
    sh(repo, "git", "commit", "-qam", "Odd \u2028 subject\n\nBody")
    found = do("git.log", repo, {"count": 3})["commits"]
    assert [each["subject"] for each in found] == ["Odd \u2028 subject", "Commit 2", "Commit 1"]
    assert found[0]["author"] == "Ada"
    assert found[0]["commit"] == sh(repo, "git", "rev-parse", "HEAD")
    assert [each["subject"] for each in do("git.log", repo, {"paths": ["none.py"]})["commits"]] == []


def test_commit_all(repo: Path) -> None:
    """New, changed and deleted files; the key is a trailer."""
    change(repo, "new.py")
    (repo / "app.py").unlink()
    found = do("git.commit", repo, {"message": "Fix it\n\nBecause.\n\nSigned-off-by: Ada <ada@example.com>"})
    assert found == {
        "commit": sh(repo, "git", "rev-parse", "HEAD"), "branch": "main", "files": ["app.py", "new.py"],
    }  # fmt: skip
    said = sh(repo, "git", "log", "-1", "--format=%B")
    assert said == "Fix it\n\nBecause.\n\nSigned-off-by: Ada <ada@example.com>\nCortex-Key: e1/it"
    assert do("git.status", repo)["clean"]


def test_commit_some(repo: Path) -> None:
    """What else is changed or staged stays as it is."""
    for name in ("a.py", "b.py", "*.py"):
        change(repo, name)
    sh(repo, "git", "add", "b.py")
    assert do("git.commit", repo, {"message": "One", "paths": ["a.py"]})["files"] == ["a.py"]
    assert do("git.commit", repo, {"message": "Two", "paths": ["*.py"]}, key="e1/2")["files"] == ["*.py"]
    assert sh(repo, "git", "status", "--porcelain") == "A  b.py"


@pytest.mark.parametrize("path", ["*.py", ":(glob)*.py", ":/"])
def test_a_pattern_is_no_path(repo: Path, path: str) -> None:
    """Files are named one by one."""
    change(repo)
    with pytest.raises(StepFailure, match="did not match any files"):
        do("git.commit", repo, {"message": "x", "paths": [path]})


def test_a_repetition_is_the_same_commit(repo: Path) -> None:
    """Also after others, and though there is nothing to commit any more; another key makes another one."""
    change(repo)
    lines: list[str] = []
    first = do("git.commit", repo, {"message": "Fix"})
    assert do("git.commit", repo, {"message": "Fix"}, log=lines.append) == first
    assert lines == [f"the commit {first['commit']} was made before"]
    change(repo, "more.py")
    second = do("git.commit", repo, {"message": "More"}, key="e1/more")
    assert second["commit"] != first["commit"]
    change(repo, "uncommitted.py")
    assert do("git.commit", repo, {"message": "Fix"}) == first
    assert sh(repo, "git", "rev-list", "--count", "HEAD") == "3"


def test_a_key_in_a_message_is_not_believed(repo: Path) -> None:
    """A model that writes messages cannot make a later step skip its commit."""
    change(repo)
    forged = do("git.commit", repo, {"message": "Fix\n\ncortex-key: e1/later\nCortex-Key : e1/later"})
    assert "later" not in sh(repo, "git", "log", "-1", "--format=%B")
    change(repo, "later.py")
    assert do("git.commit", repo, {"message": "Later"}, key="e1/later")["commit"] != forged["commit"]


def test_a_key_that_begins_like_another_is_another(repo: Path) -> None:
    """Keys are compared whole."""
    change(repo)
    one = do("git.commit", repo, {"message": "One"}, key="e1/step_2")
    change(repo, "b.py")
    assert do("git.commit", repo, {"message": "Two"}, key="e1/step")["commit"] != one["commit"]


def test_nothing_to_commit_is_refused(repo: Path) -> None:
    """With a remedy, and no repetition."""
    for inputs in ({"message": "x"}, {"message": "x", "paths": ["app.py"]}):
        with pytest.raises(StepFailure, match="there is nothing to commit") as caught:
            do("git.commit", repo, inputs)
        assert not caught.value.retryable


def test_the_first_commit(tmp_path: Path) -> None:
    """Of a repository that has none yet."""
    repo = repository(tmp_path / "work", 0)
    with pytest.raises(StepFailure, match="there is no commit yet"):
        do("git.log", repo)
    assert do("git.branch", repo, {"name": "begin"}) == {"branch": "begin", "commit": ""}
    change(repo)
    assert do("git.commit", repo, {"message": "First"})["files"] == ["app.py"]


def test_nobody_to_commit_as_has_a_remedy(repo: Path) -> None:
    """Nobody is made up."""
    sh(repo, "git", "config", "--unset", "user.name")
    sh(repo, "git", "config", "--unset", "user.email")
    sh(repo, "git", "config", "user.useConfigOnly", "true")
    change(repo)
    with pytest.raises(StepFailure, match=r"git config user\.name"):
        do("git.commit", repo, {"message": "x"})


def test_hooks_are_the_users_and_are_run(repo: Path) -> None:
    """One that refuses fails the step with its words."""
    hook = repo / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no tests' >&2\nexit 1\n")
    hook.chmod(0o755)
    change(repo)
    with pytest.raises(StepFailure, match="no tests"):
        do("git.commit", repo, {"message": "x"})


@pytest.mark.parametrize("how", ["configured", "link to a file", "link to the folder"])
def test_hooks_that_are_files_of_the_workspace_are_not_run(repo: Path, how: str) -> None:
    """An action may have written them: `file.write` and `git.commit` together would run anything."""
    mine = repo / "hooks" / "pre-commit"
    mine.parent.mkdir()
    mine.write_text("#!/bin/sh\ntouch ran\n")
    mine.chmod(0o755)
    own = repo / ".git" / "hooks"
    if how == "configured":
        sh(repo, "git", "config", "core.hooksPath", "hooks")
    elif how == "link to a file":
        own.mkdir(exist_ok=True)
        (own / "pre-commit").symlink_to(mine)
    else:
        for each in own.iterdir() if own.is_dir() else ():
            each.unlink()
        if own.is_dir():
            own.rmdir()
        own.symlink_to(mine.parent)
    change(repo)
    assert "app.py" in do("git.commit", repo, {"message": "x"})["files"]
    assert not (repo / "ran").exists()


def test_hooks_outside_of_the_workspace_are_run(repo: Path, tmp_path: Path) -> None:
    """No action can have written them."""
    hook = tmp_path / "elsewhere" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    hook.chmod(0o755)
    sh(repo, "git", "config", "core.hooksPath", str(hook.parent))
    change(repo)
    with pytest.raises(StepFailure, match="not today"):
        do("git.commit", repo, {"message": "x"})


def test_another_git_is_waited_for(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash the one before may still run; a lock that stays has a remedy."""
    change(repo)
    lock = repo / ".git" / "index.lock"
    lock.touch()
    threading.Timer(0.3, lock.unlink).start()
    assert do("git.commit", repo, {"message": "x"})["files"] == ["app.py"]
    monkeypatch.setattr(repository_module, "_PATIENCE", 0.2)
    change(repo, "b.py")
    lock.touch()
    with pytest.raises(StepFailure, match=r"remove \.git/index\.lock"):
        do("git.commit", repo, {"message": "x"}, key="e1/other")


def test_waiting_for_another_git_can_be_cancelled(repo: Path) -> None:
    """At once."""
    change(repo)
    (repo / ".git" / "index.lock").touch()
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(CancelledStep):
        do("git.commit", repo, {"message": "x"}, cancelled=stop)


def test_branch(repo: Path) -> None:
    """Made where it is not there, else switched to: twice is as once."""
    head = sh(repo, "git", "rev-parse", "HEAD")
    assert do("git.branch", repo, {"name": "fix/it"}) == {"branch": "fix/it", "commit": head}
    change(repo)
    do("git.commit", repo, {"message": "x"})
    assert do("git.branch", repo, {"name": "from-main", "start": "main"}) == {"branch": "from-main", "commit": head}
    assert do("git.branch", repo, {"name": "from-main", "start": "main"}) == {"branch": "from-main", "commit": head}
    assert do("git.branch", repo, {"name": "fix/it"})["commit"] != head
    assert do("git.status", repo)["branch"] == "fix/it"


@pytest.mark.parametrize("name", ["-f", "a b", "a..b", "@{-1}", "", "a~1", "a\nb", "HEAD", "--detach"])
def test_what_is_no_branch_is_refused(repo: Path, name: str) -> None:
    """No option can be smuggled in."""
    with pytest.raises((InputError, StepFailure)):
        do("git.branch", repo, {"name": name})
    assert sh(repo, "git", "branch", "--format=%(refname:short)") == "main"


def test_push(repo: Path, tmp_path: Path) -> None:
    """To a remote that the repository knows, never by force."""
    bare = tmp_path / "bare.git"
    sh(tmp_path, "git", "init", "--quiet", "--bare", str(bare))
    sh(repo, "git", "remote", "add", "origin", str(bare))
    head = sh(repo, "git", "rev-parse", "HEAD")
    for _ in range(2):
        assert do("git.push", repo) == {"remote": "origin", "branch": "main", "commit": head}
    assert sh(bare, "git", "rev-parse", "main") == head
    sh(repo, "git", "commit", "--quiet", "--amend", "-m", "Other")
    with pytest.raises(StepFailure, match=r"origin refuses main: .*rejected.*nothing is pushed by force") as caught:
        do("git.push", repo)
    assert not caught.value.retryable
    assert sh(bare, "git", "rev-parse", "main") == head
    bare.rename(tmp_path / "gone.git")
    with pytest.raises(StepFailure, match="git push ended with exit code 128") as lost:
        do("git.push", repo)
    assert lost.value.retryable


@pytest.mark.parametrize("remote", ["https://evil.example/x", "../bare.git", "", "origin", "-o", "ext::sh -c x"])
def test_nothing_is_pushed_elsewhere(repo: Path, tmp_path: Path, remote: str) -> None:
    """A URL is no remote."""
    sh(tmp_path, "git", "init", "--quiet", "--bare", str(tmp_path / "bare.git"))
    with pytest.raises(StepFailure, match="there is no remote"):
        do("git.push", repo, {"remote": remote})


def test_what_is_not_there_is_not_pushed(repo: Path, tmp_path: Path) -> None:
    """A branch that is none, and no branch at all."""
    sh(repo, "git", "remote", "add", "origin", str(tmp_path))
    with pytest.raises(StepFailure, match="is no commit"):
        do("git.push", repo, {"branch": "none"})
    sh(repo, "git", "checkout", "--quiet", "--detach")
    with pytest.raises(StepFailure, match="no branch is checked out"):
        do("git.push", repo)


@pytest.mark.parametrize("paths", [["/etc/passwd"], [""], "x\0", [3], {"a": 1}])
def test_bad_paths_are_refused(repo: Path, paths: Any) -> None:
    """Before git sees them, or by git."""
    with pytest.raises((InputError, StepFailure)):
        do("git.commit", repo, {"message": "x", "paths": paths})


def test_paths_outside_are_refused_by_git(repo: Path, tmp_path: Path) -> None:
    """Also beyond a link."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x").write_text("x")
    (repo / "link").symlink_to(tmp_path / "secret")
    for path in ("../secret/x", "link/x"):
        with pytest.raises(StepFailure, match=r"outside repository|beyond a symbolic link"):
            do("git.commit", repo, {"message": "x", "paths": [path]})


NAMES = ["git.status", "git.diff", "git.log", "git.branch", "git.commit", "git.push"]


@pytest.mark.parametrize("name", NAMES)
def test_a_repository_above_the_workspace_is_none_of_its(repo: Path, name: str) -> None:
    """Nor is one around the folder of workspaces."""
    inner = repo / "workspaces" / "fix"
    inner.mkdir(parents=True)
    with pytest.raises(StepFailure, match="is no git repository"):
        do(name, inner, {"name": "x", "message": "x"})


def test_files_that_look_like_a_repository_are_none(repo: Path, tmp_path: Path) -> None:
    """Its configuration could name a program that git runs."""
    fake = tmp_path / "fake"
    sh(tmp_path, "git", "init", "--quiet", "--bare", str(fake))
    with pytest.raises(StepFailure, match="is no git repository"):
        do("git.status", fake)


def test_the_environment_leads_git_nowhere_else(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a hook of another repository would have it."""
    other = repository(tmp_path / "other", 2)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert len(do("git.log", repo)["commits"]) == 1


# --- gates -----------------------------------------------------------------------------------------------------------


def test_branch_clean(repo: Path, tmp_path: Path) -> None:
    """Names the files that are in the way."""
    assert judge("branch_clean", repo).passed
    change(repo)
    for number in range(12):
        change(repo, f"new{number:02}.py")
    said = judge("branch_clean", repo)
    assert not said.passed
    assert said.reason.startswith("13 changed: app.py, new00.py")
    assert said.reason.endswith("new08.py and 3 more; commit or remove them")
    assert (said.seen["branch"], len(said.seen["files"])) == ("main", 13)
    closed = judge("branch_clean", tmp_path)
    assert (closed.passed, "is no git repository" in closed.reason) == (False, True)
