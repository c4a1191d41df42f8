"""`LocalStore`: what the errors of a disk become. Full, read-only, failing; place and remedy, nothing half visible."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_plane.errors import Denied, Infeasible, InputError, Unavailable
from context_plane.store import disk, tree
from context_plane.store.local import LocalStore
from tests.store.conftest import Run, fails

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
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # the test's store may still hold a descriptor


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
