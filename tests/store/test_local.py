"""`LocalStore`: the folder as others see and change it. Links, foreign and stale files, pruned and removed folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from context_plane import instants
from context_plane.errors import Denied, NotFound
from context_plane.store import disk
from context_plane.store.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """An empty store."""
    return LocalStore(tmp_path / "store")


@pytest.mark.parametrize("stepwise", [False, True], ids=["openat2", "stepwise"])
def test_symbolic_links_inside_the_store_are_refused(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stepwise: bool
) -> None:
    """No key leads out of the store: links are neither followed nor listed nor written through."""
    if stepwise:
        monkeypatch.setattr(disk, "_has_openat2", lambda: False)
    store.put_content([("tenants/a/x", b"mine")])
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    root = Path(store.url.removeprefix("file://"))
    (root / "tenants/b").symlink_to(outside)
    (root / "tenants/a/link").symlink_to(outside / "secret")
    for act in (store.get, store.head, store.path, store.delete):
        for key in ("tenants/b/secret", "tenants/a/link"):
            with pytest.raises(Denied, match="link"):
                act(key)
    for write in (
        lambda: store.create("tenants/b/new", b""),
        lambda: store.put_content([("tenants/b/new", b"")]),
        lambda: store.put_content([("tenants/a/link", b"")]),
    ):
        with pytest.raises(Denied, match="link"):
            write()
    assert list(store.list("")) == ["tenants/a/x"]
    assert store.children("tenants/") == ["a"]
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert store.get("tenants/a/x") == b"mine"


def test_the_store_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    """A home that is linked to a large disk is ordinary."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    LocalStore(tmp_path / "home").create("log/1", b"x")
    assert (tmp_path / "disk/log/1").read_bytes() == b"x"


def test_what_others_dropped_into_the_folder_is_not_an_object(store: LocalStore) -> None:
    """Hidden files, names that are no key, and pipes are not listed; folders are not objects, nor files folders."""
    store.put_content([("a/x", b"")])
    root = Path(store.url.removeprefix("file://"))
    (root / ".DS_Store").write_bytes(b"")
    (root / "a" / "not a key").write_bytes(b"")
    os.mkfifo(root / "a" / "fifo")
    assert list(store.list("")) == ["a/x"]
    for key in ("a", "a/x/y", "a/fifo"):
        with pytest.raises(NotFound):
            store.get(key)
        assert store.head(key) is None
    assert list(store.list("a/x/")) == []
    with pytest.raises(Denied, match="file lies where"):
        store.create("a/x/y", b"")


def test_stale_temporary_files_are_swept(store: LocalStore) -> None:
    """What a killed writer left an hour ago goes with the next write of a new process; a younger one may be in use."""
    store.create("log/1", b"")
    hidden = Path(store.url.removeprefix("file://")) / ".tmp"
    for name, age in (("old", 4_000), ("young", 1_000)):
        (hidden / name).write_bytes(b"")
        then = instants.now() // instants.SECOND - age
        os.utime(hidden / name, (then, then))
    LocalStore(store.url.removeprefix("file://")).create("log/2", b"")
    assert [path.name for path in hidden.iterdir()] == ["young"]


def test_deleting_the_last_object_removes_its_folders(store: LocalStore) -> None:
    """An erased entity leaves no folder that tells its name."""
    store.put_content([("tenants/a/entities/secret/segments/1", b""), ("tenants/a/x", b"")])
    store.delete("tenants/a/entities/secret/segments/1")
    assert store.children("tenants/a/") == ["x"]
    store.put_content([("tenants/a/entities/secret/segments/1", b"again")])
    assert store.get("tenants/a/entities/secret/segments/1") == b"again"


def test_a_store_that_was_removed_is_made_again(store: LocalStore) -> None:
    """An open handle outlives the folder: reads find nothing, the next write makes it again."""
    store.create("log/1", b"x")
    shutil.rmtree(store.url.removeprefix("file://"))
    assert list(store.list("")) == []
    assert store.create("log/1", b"y")
    store.put_content([("s/1", b"z")])
    assert store.get("log/1") + store.get("s/1") == b"yz"
