"""Actions on files: what they do, and that no path leads out of the workspace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.config import ProcessSettings
from context_plane.errors import InputError
from context_plane.processes.registry.builtin import files
from context_plane.processes.registry.builtin.paths import inside, writable
from context_plane.processes.registry.handler import StepFailure
from tests.processes.registry.world import do


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder beside one that is nobody's business."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    found = tmp_path / "work"
    found.mkdir()
    return found


def test_what_is_written_is_read(workspace: Path) -> None:
    """Folders are made; the bytes are those of the text."""
    text = "line 1\r\nünï 🎉\n"
    written = do("file.write", workspace, {"path": "a/b/c.txt", "text": text})
    assert (workspace / "a/b/c.txt").read_bytes() == text.encode()
    found = do("file.read", workspace, {"path": "a/b/c.txt"})
    assert found == {"path": "a/b/c.txt", "text": text, "size": 19, "sha256": written["sha256"]}
    assert do("file.read", workspace, {"path": str(workspace / "a/b/c.txt")}) == found
    assert do("file.read", workspace, {"path": "a/b/c.txt", "last": 1})["text"] == "ünï 🎉\n"


def test_writing_again_changes_nothing_and_says_the_same(workspace: Path) -> None:
    """Which is why it is keyed; the mode of a file is kept."""
    given = {"path": "run.sh", "text": "#!/bin/sh\n"}
    first = do("file.write", workspace, given)
    (workspace / "run.sh").chmod(0o750)
    assert do("file.write", workspace, given) == first
    do("file.write", workspace, {"path": "run.sh", "text": "other"})
    assert (workspace / "run.sh").stat().st_mode & 0o777 == 0o750
    assert os.listdir(workspace) == ["run.sh"]


def test_a_failed_write_leaves_the_old_content(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or nothing, and no temporary file."""
    do("file.write", workspace, {"path": "a.txt", "text": "old"})

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StepFailure, match=r"a.txt: No space left on device") as caught:
        do("file.write", workspace, {"path": "a.txt", "text": "new"})
    assert caught.value.retryable
    assert (os.listdir(workspace), (workspace / "a.txt").read_text()) == (["a.txt"], "old")


def test_a_repetition_after_a_crash_clears_what_was_left(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file has the same name for the same step."""
    monkeypatch.setattr(files.Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(files.Path, "unlink", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        do("file.write", workspace, {"path": "a.txt", "text": "new"})
    monkeypatch.undo()
    assert len(os.listdir(workspace)) == 1
    do("file.write", workspace, {"path": "a.txt", "text": "new"})
    assert os.listdir(workspace) == ["a.txt"]


def test_appending(workspace: Path) -> None:
    """To the end, each time."""
    assert do("file.append", workspace, {"path": "log.txt", "text": "a\n"}) == {"path": "log.txt", "size": 2}
    assert do("file.append", workspace, {"path": "log.txt", "text": "b\n"})["size"] == 4
    assert (workspace / "log.txt").read_text() == "a\nb\n"


def test_listing(workspace: Path) -> None:
    """Sorted; git's own is left out, and links are not followed."""
    for name in ("b.py", "a/c.py", "a/d.txt", ".git/config", "a/.git/x"):
        do("file.write", workspace, {"path": name.replace(".git", "git"), "text": ""})
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text("")
    (workspace / "away").symlink_to(workspace.parent / "outside")
    assert do("file.list", workspace, {"pattern": "*.py"}) == {"files": ["a/c.py", "b.py"], "count": 2}
    found = do("file.list", workspace)
    assert "away/secret.txt" not in found["files"]
    assert not [name for name in found["files"] if ".git" in name]


def test_a_long_list_is_cut_and_counted(workspace: Path) -> None:
    """At a thousand."""
    for number in range(1_005):
        (workspace / f"{number:04}").touch()
    found = do("file.list", workspace)
    assert (len(found["files"]), found["files"][-1], found["count"]) == (1_000, "0999", 1_005)


def test_names_that_are_no_text_are_shown(workspace: Path) -> None:
    """With what stands for bytes that are none."""
    (workspace / os.fsdecode(b"a\xff.txt")).touch()
    assert do("file.list", workspace)["files"] == ["a�.txt"]


@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret.txt", "a/../../outside/secret.txt", "link/secret.txt", "file-link", "up/outside/secret.txt",
        "./link/../secret.txt", "/etc/passwd", "", " ", ".", "..", "a\0b", "loop/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["file.read", "file.write", "file.append"])
def test_no_path_leaves_the_workspace(workspace: Path, name: str, path: str) -> None:
    """Neither up, nor from the root, nor through links."""
    (workspace / "link").symlink_to(workspace.parent / "outside")
    (workspace / "file-link").symlink_to(workspace.parent / "outside" / "secret.txt")
    (workspace / "up").symlink_to("..")
    (workspace / "loop").symlink_to("loop")
    with pytest.raises((InputError, StepFailure)):
        do(name, workspace, {"path": path, "text": "x"})
    assert (workspace.parent / "outside" / "secret.txt").read_text() == "secret"
    assert sorted(os.listdir(workspace.parent / "outside")) == ["secret.txt"]


@pytest.mark.parametrize("path", [".git/hooks/pre-commit", "a/.git/config", ".GIT/config", "hidden/config", ".git"])
def test_gits_own_folder_is_not_written(workspace: Path, path: str) -> None:
    """What is written there can be what git runs next."""
    (workspace / ".git").mkdir()
    (workspace / "hidden").symlink_to(".git")
    for name in ("file.write", "file.append"):
        with pytest.raises(InputError, match="is git's own"):
            do(name, workspace, {"path": path, "text": "x"})


def test_no_link_that_waits_is_followed(tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file is a new one, under a name that nobody can guess; even where somebody does."""
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    made: list[str] = []
    real = os.open

    def opened(path: Any, flags: int, *rest: Any) -> int:
        if ".writing-" in str(path):
            made.append(str(path))
            if len(made) == 3:
                os.symlink(outside, path)
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", opened)
    given = {"path": "a.txt", "text": "new"}
    for _ in range(2):
        do("file.write", workspace, given)
    assert len(set(made)) == 2
    with pytest.raises(StepFailure, match="File exists"):
        do("file.write", workspace, given)
    assert outside.read_text() == "mine"


def test_a_workspace_may_be_reached_through_a_link(tmp_path: Path, workspace: Path) -> None:
    """What counts is where it leads."""
    (tmp_path / "alias").symlink_to(workspace)
    do("file.write", tmp_path / "alias", {"path": "a.txt", "text": "x"})
    (workspace / "inner").symlink_to("a.txt")
    assert do("file.read", tmp_path / "alias", {"path": "inner"})["path"] == "a.txt"


def test_writing_through_a_link_writes_what_it_leads_to(workspace: Path) -> None:
    """And leaves the link."""
    (workspace / "a.txt").write_text("old")
    (workspace / "link").symlink_to("a.txt")
    assert do("file.write", workspace, {"path": "link", "text": "new"})["path"] == "a.txt"
    assert (workspace / "link").is_symlink()
    assert (workspace / "a.txt").read_text() == "new"


@pytest.mark.parametrize("name", ["file.read", "file.write", "file.append"])
def test_what_is_no_file_is_not_waited_for(workspace: Path, name: str) -> None:
    """A pipe would block for ever."""
    os.mkfifo(workspace / "pipe")
    (workspace / "folder").mkdir()
    for path in ("pipe", "folder"):
        with pytest.raises(StepFailure, match="it is no file"):
            do(name, workspace, {"path": path, "text": "x"})


def test_what_cannot_be_an_output_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Binary files, and files that are too large, with what to do."""
    (workspace / "a.bin").write_bytes(b"\xff\xfe")
    with pytest.raises(StepFailure, match="is not UTF-8 text"):
        do("file.read", workspace, {"path": "a.bin"})
    (workspace / "big.txt").write_text("line\n" * 1_000)
    small = ProcessSettings(output_kb=1)
    with pytest.raises(StepFailure, match="read the last lines"):
        do("file.read", workspace, {"path": "big.txt"}, settings=small)
    assert do("file.read", workspace, {"path": "big.txt", "last": 2}, settings=small)["text"] == "line\nline\n"
    monkeypatch.setattr(files, "_MOST_READ", 100)
    with pytest.raises(StepFailure, match="larger than"):
        do("file.read", workspace, {"path": "big.txt", "last": 2})
    with pytest.raises(StepFailure, match="No such file"):
        do("file.read", workspace, {"path": "gone"})


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"path": 3, "text": "x"},
        {"path": "a", "text": None},
        {"path": "a", "text": 7},
        {"path": "a", "text": "\ud800"},
    ],
)
def test_inputs_of_the_wrong_type_are_refused(workspace: Path, inputs: dict[str, Any]) -> None:
    """References may have filled in anything."""
    with pytest.raises(InputError) as caught:
        do("file.write", workspace, inputs)
    assert caught.value.where.startswith("inputs.")
    for last in (-1, 1.5, "2", True, None):
        with pytest.raises(InputError):
            do("file.read", workspace, {"path": "a", "last": last})


PARTS = st.lists(
    st.sampled_from(["..", ".", "a", "b", "link", "up", "/", "", "~", ".git", "\0", "x" * 300]), max_size=8
)


@given(PARTS)
def test_every_path_is_inside_or_refused(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    """Whatever it is made of."""
    root = tmp_path_factory.getbasetemp() / "paths"
    work = root / "work"
    if not work.exists():
        (work / "a" / "b").mkdir(parents=True)
        (work / "link").symlink_to(root)
        (work / "up").symlink_to("..")
        (work / "a" / "link").symlink_to("/")
    for check in (inside, writable):
        try:
            found = check(work, "/".join(parts))
        except InputError:
            continue
        assert Path(os.path.realpath(found)).is_relative_to(os.path.realpath(work))
        assert check is inside or ".git" not in found.parts
