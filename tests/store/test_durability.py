"""`LocalStore`: what is on the disk when. Order of writing, failed syncs, kill -9, torn files."""

from __future__ import annotations

import errno
import gc
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from context_plane.errors import Unavailable
from context_plane.store import barrier, disk, tree
from context_plane.store.local import LocalStore
from tests.store.conftest import Run, fails

Trace = list[tuple[str, str]]

WRITER = """
import sys
from context_plane.store.local import LocalStore
store = LocalStore(sys.argv[1])
for number in range(100_000):
    store.put_content([(f"segments/{number:05d}-{part}", b"%05d" % number * 2_000) for part in range(3)])
    store.sync()
    assert store.create(f"log/{number:05d}", b"%05d" % number * 100)
    print(number, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """An empty store."""
    return LocalStore(tmp_path / "store")


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> Trace:
    """What is flushed, linked and synced, in order."""
    seen: Trace = []

    def watch(module: object, name: str, describe: Callable[..., str]) -> None:
        real = getattr(module, name)

        def spy(*arguments: object, **options: object) -> object:
            seen.append((name, describe(*arguments)))
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, spy)

    def named(fd: int) -> str:
        return Path(os.readlink(f"/proc/self/fd/{fd}")).name

    watch(tree, "flush", named)
    watch(tree, "write_all", lambda fd, body: body.decode())
    watch(os, "link", lambda _, path: Path(path).name)
    watch(barrier, "sync_filesystem", named)
    return seen


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of descriptors are read from /proc")
def test_the_data_reaches_the_disk_before_the_record(store: LocalStore, trace: Trace) -> None:
    """Content, then one syncfs, then the record's bytes, then its name, then its folder and the folders above."""
    store.put_content([("segments/1", b"content")])
    store.sync()
    store.create("log/1", b"record")
    temporary = trace[3][1]
    assert trace[:8] == [
        ("write_all", "content"),
        ("sync_filesystem", "store"),
        ("write_all", "record"),
        ("flush", temporary),
        ("link", "1"),  # finds no folder, which is then made
        ("link", "1"),
        ("flush", "log"),
        ("flush", "store"),
    ]
    assert {name for name, _ in trace[8:]} == {"flush"}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of descriptors are read from /proc")
def test_known_folders_are_not_flushed_again(store: LocalStore, trace: Trace) -> None:
    """A second record in the same folder costs two flushes: the file and the folder."""
    store.create("log/1", b"record")
    trace.clear()
    store.create("log/2", b"record")
    assert [name for name, _ in trace] == ["write_all", "flush", "link", "flush"]
    store.delete("log/1")
    store.delete("log/2")
    trace.clear()
    store.create("log/3", b"record")
    assert [of for name, of in trace if name == "flush"][1:] == ["log", "store"], "a folder made anew is flushed anew"


def test_sync_reaches_the_kernel(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """One syncfs (sync where the system has none) on a descriptor of the folder; none where nothing was written."""
    called: list[str] = []

    class Libc:
        def syncfs(self, fd: int) -> int:
            called.append(os.readlink(f"/proc/self/fd/{fd}"))
            return 0

    store.create("a", b"")
    monkeypatch.setattr(disk, "_libc", Libc)
    store.sync()
    assert called == [store.url.removeprefix("file://")]
    monkeypatch.setattr(disk, "_libc", object)
    monkeypatch.setattr(os, "sync", lambda: called.append("sync"))
    store.sync()
    assert called[1:] == ["sync"]


def test_after_a_failed_sync_nothing_is_trusted(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel forgets pages that it could not write: the same content is written again, not compared."""
    store.put_content([("segments/1", b"content")])
    path = store.path("segments/1")
    assert path is not None
    before = path.stat().st_ino
    store.put_content([("segments/1", b"content")])
    assert path.stat().st_ino == before
    with monkeypatch.context() as patch:
        patch.setattr(barrier, "sync_filesystem", fails(errno.EIO))
        with pytest.raises(Unavailable, match="input/output"):
            store.sync()
    store.put_content([("segments/1", b"content")])
    assert path.stat().st_ino != before
    store.sync()


def test_a_failed_sync_is_told_to_every_thread_that_had_put(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel reports a failure once: the thread whose sync succeeds after another's failed is told all the same."""
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        for thread in (first, second):
            thread.submit(store.put_content, [("segments/1", b"content")]).result()
        with monkeypatch.context() as patch:
            patch.setattr(barrier, "sync_filesystem", fails(errno.EIO))
            with pytest.raises(Unavailable):
                first.submit(store.sync).result()
        with pytest.raises(Unavailable):
            second.submit(store.sync).result()
        for thread in (first, second):
            thread.submit(store.put_content, [("segments/1", b"content")]).result()
            thread.submit(store.sync).result()


def test_the_descriptor_that_reports_failures_is_opened_before_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux tells a descriptor of the failures since it was opened: every sync uses the one of the first write."""
    used: list[int] = []
    stores = [LocalStore(tmp_path)]
    real = disk.open_nofollow
    descriptors: list[int | None] = []

    def watched(path: str, flags: int) -> int:
        descriptors.append(stores[0]._barrier._descriptor)
        return real(path, flags)

    monkeypatch.setattr(barrier, "sync_filesystem", used.append)
    monkeypatch.setattr(tree, "open_nofollow", watched)
    for number in range(2):
        stores[0].put_content([(f"segments/{number}", b"content")])
        stores[0].sync()
    assert descriptors[0] is not None
    assert set(used) == set(descriptors)
    monkeypatch.undo()
    stores.clear()
    gc.collect()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(used[0])


def test_a_sync_of_nothing_makes_nothing(store: LocalStore) -> None:
    """Where nothing was ever written there is no folder afterwards either."""
    store.sync()
    assert not Path(store.url.removeprefix("file://")).exists()


def test_kill_at_any_moment_leaves_whole_records_and_repairable_content(tmp_path: Path, run_python: Run) -> None:
    """After kill -9 every acknowledged record and its content is whole, and a second put repairs what was torn."""
    for acknowledged in (1, 7, 20):
        folder = tmp_path / str(acknowledged)
        writer = run_python(WRITER, str(folder))
        assert writer.stdout is not None
        for _ in range(acknowledged):
            writer.stdout.readline()
        writer.kill()
        last = max([acknowledged - 1, *(int(line) for line in writer.communicate()[0].split())])
        assert writer.returncode == -signal.SIGKILL
        store = LocalStore(folder)
        listed = list(store.list("log/"))
        assert len(listed) in (last + 1, last + 2)
        assert listed == [f"log/{number:05d}" for number in range(len(listed))]
        for number, key in enumerate(listed):
            assert store.get(key) == b"%05d" % number * 100
            assert all(store.get(f"segments/{number:05d}-{part}") == b"%05d" % number * 2_000 for part in range(3))
        left = list(store.list("segments/"))
        store.put_content((key, key[9:14].encode() * 2_000) for key in left)
        assert all(store.get(key) == key[9:14].encode() * 2_000 for key in left)


@pytest.mark.parametrize(
    "torn", [b"", b"cont", b"\0" * 7, b"content and more"], ids=["empty", "cut", "zeros", "longer"]
)
def test_torn_content_is_replaced_by_the_next_put(store: LocalStore, torn: bytes) -> None:
    """Other bytes under a content's name are what a killed writer left: they go, and nothing else appears."""
    store.put_content([("segments/1", b"content")])
    path = store.path("segments/1")
    assert path is not None
    path.write_bytes(torn)
    store.put_content([("segments/1", b"content")])
    assert store.get("segments/1") == b"content"
    assert list(store.list("")) == ["segments/1"]
