"""`LocalStore`: what only a disk can do wrong. Order of writing, kills, torn files, full and read-only disks, links."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from context_plane import instants
from context_plane.errors import Denied, Infeasible, InputError, NotFound, Unavailable
from context_plane.store import barrier, disk, tree
from context_plane.store.local import LocalStore
from tests.store.conftest import Run

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
LIMITED = """
import resource, sys
from context_plane.errors import Infeasible
from context_plane.store.local import LocalStore
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
store = LocalStore(sys.argv[1])
for write in (lambda: store.create("log/1", b"x" * 20_000), lambda: store.put_content([("segments/1", b"x" * 20_000)])):
    try:
        write()
    except Infeasible as error:
        print(error.where, error.remedy)
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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # the test's store may still hold a descriptor


def fails(code: int) -> Callable[..., None]:
    """A system call that fails."""

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


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
    real = tree.open_nofollow
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


def test_a_failing_writer_does_not_spoil_what_another_repaired(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one writer's disk fills up, another replaces its torn file: the good one stays."""
    real = disk.write_all

    def interrupted(fd: int, body: bytes) -> None:
        monkeypatch.setattr(tree, "write_all", real)
        store.put_content([("segments/1", b"content")])
        fails(errno.ENOSPC)()

    monkeypatch.setattr(tree, "write_all", interrupted)
    with pytest.raises(Infeasible):
        store.put_content([("segments/1", b"content")])
    assert store.get("segments/1") == b"content"


def test_a_full_disk_refuses_and_leaves_nothing_half_visible(small_disk: Path) -> None:
    """ENOSPC is Infeasible with place and remedy; no number is taken; with space again the same call works."""
    store = LocalStore(small_disk)
    ballast = small_disk / ".ballast"
    store.create("log/1", b"x" * 5_000)
    ballast.write_bytes(b"x" * 980_000)
    for write in (lambda: store.create("log/2", b"x" * 90_000), lambda: store.put_content([("s/1", b"x" * 90_000)])):
        with pytest.raises(Infeasible, match="disk is full") as error:
            write()
        assert str(small_disk) in error.value.where
        assert "free space" in error.value.remedy
    assert list(store.list("log/")) == ["log/1"]
    ballast.unlink()
    assert store.create("log/2", b"x" * 90_000)
    store.put_content([("s/1", b"x" * 90_000)])
    assert store.get("s/1") == b"x" * 90_000
    assert not list((small_disk / ".tmp").iterdir())


def test_a_read_only_disk_refuses_writes_and_serves_reads(small_disk: Path) -> None:
    """EROFS is Denied with place and remedy; reading and listing go on."""
    store = LocalStore(small_disk)
    store.create("log/1", b"x")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for write in (
        lambda: store.create("log/2", b"x"),
        lambda: store.put_content([("s/1", b"x")]),
        lambda: store.delete("log/1"),
    ):
        with pytest.raises(Denied, match="read-only") as error:
            write()
        assert "CONTEXT_PLANE_STORE" in error.value.remedy
    assert store.get("log/1") == b"x"
    assert list(store.list("")) == ["log/1"]


def test_a_size_limit_is_infeasible(tmp_path: Path, run_python: Run) -> None:
    """EFBIG (`ulimit -f`), which needs no root to provoke, names file and remedy, and nothing is half visible."""
    shown = run_python(LIMITED, str(tmp_path)).communicate()[0].splitlines()
    assert len(shown) == 2
    assert all("ulimit" in line for line in shown)
    assert list(LocalStore(tmp_path).list("log/")) == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, Infeasible),
        (errno.EDQUOT, Infeasible),
        (errno.EACCES, Denied),
        (errno.EROFS, Denied),
        (errno.EIO, Unavailable),
        (errno.EMFILE, Unavailable),
        (errno.ESTALE, Unavailable),
    ],
)
def test_errors_of_a_create_are_translated(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    """Where the temporary file cannot be flushed, nothing is created, and the error says what to do."""
    monkeypatch.setattr(tree, "flush", fails(code))
    with pytest.raises(kind, match="log/1") as error:
        store.create("log/1", b"record")
    assert error.value.__cause__
    assert store.head("log/1") is None


def test_a_name_that_may_not_survive_is_unknown(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder cannot be flushed after the link, `create` says Unavailable, never False and never True."""
    monkeypatch.setattr(tree, "_flush_folder", fails(errno.EIO))
    with pytest.raises(Unavailable, match="power cut"):
        store.create("log/1", b"record")
    assert store.get("log/1") == b"record"


def test_a_part_too_long_for_the_file_system_is_an_input_error(store: LocalStore) -> None:
    """ENAMETOOLONG names the key."""
    with pytest.raises(InputError, match="longer"):
        store.create("a" * 300, b"")


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
