"""Folders: which files are topics, and that one that is none hinders no other and loses nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from context_plane.errors import InputError, NotFound
from context_plane.knowledge import folder
from context_plane.knowledge.folder import Scan, scan
from tests.knowledge.conftest import World


def looked(world: World, place: Path | None = None) -> Scan:
    """A scan whose files were read."""
    found = scan(place or world.folder, world.folder)
    assert [document.topic for document in found.documents()] == [
        topic for topic in found.files if not any(found.files[topic] == Path(each.path) for each in found.refused)
    ]
    return found


def reason(found: Scan) -> str:
    """Why the only file that was refused was."""
    assert len(found.refused) == 1
    return found.refused[0].reason


def test_topics_are_named_by_path(world: World) -> None:
    """Without the suffix, whatever its case; folders are part of the name."""
    for name in (
        "a.md",
        "ci/pipeline.MD",
        "ci/flaky tests.txt",
        "v/3.0.4.markdown",
        "x.rst",
        "y.yaml",
        "ü.yml",
        "c#.md",
    ):
        world.write(name, "text")
    assert list(looked(world).files) == [
        "a", "c#", "ci/flaky tests", "ci/pipeline", "v/3.0.4", "x", "y", "ü",
    ]  # fmt: skip


def test_a_name_is_composed_whatever_the_file_system_made_of_it(world: World) -> None:
    """On some systems an ü comes back as u and dots."""
    world.write("u\u0308ber.md", "text")
    assert list(looked(world).files) == ["über"]


def test_files_of_other_kinds_are_left_out_by_name(world: World) -> None:
    """Hidden ones and backups are not even told."""
    for name in ("a.md", "b.pdf", "sub/c", ".hidden.md", ".git/config.md", "a.md~"):
        world.write(name, "text")
    found = looked(world)
    assert (list(found.files), found.left_out, found.refused) == (["a"], ["b.pdf", "sub/c"], [])


@pytest.mark.parametrize("names", [("a.md", "a.txt"), ("a/b.md", "a.b.md"), ("über.md", "u\u0308ber.txt")])
def test_two_files_of_one_topic_are_both_refused(world: World, names: tuple[str, str]) -> None:
    """Each names the other: neither is better. A reference could not tell a.b from a/b."""
    for name in names:
        world.write(name, "text")
    found = looked(world)
    assert not found.files
    assert sorted(each.path for each in found.refused) == sorted(names)
    assert all("same topic as" in each.reason for each in found.refused)
    assert found.refused[0].path in found.refused[1].reason


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "it is empty"),
        (b"\xef\xbb\xbf \n\t\n", "it is empty"),
        (b"one\ntwo \xff", "line 2 is not UTF-8"),
        ("text".encode("utf-16"), "line 1 is not UTF-8"),
        (b"one\n\x00", "line 2 holds a NUL"),
        (b"\xed\xa0\x80", "not UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(world: World, body: bytes, words: str) -> None:
    """With the line and what to do; the others are read."""
    world.write("a.md", body)
    world.write("b.md", "good")
    found = looked(world)
    assert words in reason(found)
    assert found.has("a")


def test_control_characters_are_text(world: World) -> None:
    """Form feeds, escapes and the like are kept as they are."""
    world.write("a.md", "a\f\x1b[31m\x7f\u2028b")
    assert [document.text for document in scan(world.folder, world.folder).documents()] == ["a\f\x1b[31m\x7f\u2028b"]


def test_a_file_that_is_too_large_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its size, whatever is in it."""
    monkeypatch.setattr(folder, "MAX_BYTES", 1 << 20)
    world.write("a.md", b"x" * (1 << 20))
    world.write("b.md", b"x" * ((1 << 20) + 1))
    assert "more than 1 MiB" in reason(looked(world))


@pytest.mark.parametrize(
    "name", [" a.md", "a /b.md", "a\tb.md", "a\\b.md", "a\u200bb.md", b"\xff.md", f"{'x' * 200}/" * 2 + "y.md"]
)
def test_names_that_nobody_could_write_are_refused(world: World, name: str | bytes) -> None:
    """Space at an end, what does not print, what is no text, what is too long."""
    path = os.path.join(os.fsencode(world.folder), os.fsencode(name))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"text")
    found = looked(world)
    assert not found.files
    assert reason(found)


def test_links_do_not_lead_out_of_the_folder(world: World, tmp_path: Path) -> None:
    """What lies outside is not read; a link to a file inside is a topic of its own."""
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.md").write_text("secret")
    world.write("a.md", "text")
    (world.folder / "out.md").symlink_to(tmp_path / "secret.md")
    (world.folder / "in.md").symlink_to("a.md")
    (world.folder / "folder").symlink_to(tmp_path / "outside")
    (world.folder / "ring.md").symlink_to("ring.md")
    (world.folder / "gone.md").symlink_to("nowhere.md")
    found = scan(world.folder, world.folder)
    assert [document.topic for document in found.documents()] == ["a", "in"]
    assert sorted(each.path for each in found.refused) == ["folder", "gone.md", "out.md", "ring.md"]
    assert all(found.has(topic) for topic in ("out", "ring", "gone", "folder/x"))


def test_what_is_no_file_is_refused(world: World) -> None:
    """A pipe with the name of a topic is not waited for, and a folder with such a name is one."""
    os.mkfifo(world.folder / "pipe.md")
    world.write("folder.md/inner.md", "text")
    found = scan(world.folder, world.folder)
    assert [document.topic for document in found.documents()] == ["folder.md/inner"]
    assert [each.path for each in found.refused] == ["pipe.md"]


def test_what_may_not_be_read_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, and a folder with all that may be in it. (For root there is no such thing, so the system's no is said
    here.)"""
    world.write("a.md", "text")
    world.write("sub/b.md", "text")

    def denying(call: Any, denied: Path) -> Any:
        def either(path: Any, *rest: Any, **more: Any) -> Any:
            if str(path) == str(denied):
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *rest, **more)

        return either

    monkeypatch.setattr(os, "scandir", denying(os.scandir, world.folder / "sub"))
    monkeypatch.setattr(os, "open", denying(os.open, world.folder / "a.md"))
    found = looked(world)
    assert [(each.path, "Permission denied" in each.reason) for each in found.refused] == [
        ("sub", True),
        ("a.md", True),
    ]
    assert found.has("a")
    assert found.has("sub/b")
    assert not found.has("subway")
    monkeypatch.setattr(os, "scandir", denying(os.scandir, world.folder))
    with pytest.raises(InputError, match="not readable"):
        scan(world.folder, world.folder)


def test_a_single_file(world: World, tmp_path: Path) -> None:
    """Within the home it is named as there; elsewhere by its own name."""
    inside = world.write("ci/pipeline.md", "text")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "sheet.csv").write_text("text")
    assert list(looked(world, inside).files) == ["ci/pipeline"]
    assert not looked(world, inside).whole
    assert list(looked(world, tmp_path / "notes.txt").files) == ["notes"]
    with pytest.raises(InputError, match=r"suffix \.csv"):
        looked(world, tmp_path / "sheet.csv")
    with pytest.raises(NotFound):
        looked(world, tmp_path / "absent")
