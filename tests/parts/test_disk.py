"""The disk tier: bounded, fair to what is used, safe to share, and never in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.parts.disk import HALF_LIFE, Disk, credited

NOW = 1_790_000_000.0


def names(disk: Disk) -> list[str]:
    return sorted(path.name for path, _ in disk.files())


def test_what_is_kept_is_there(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 100)
    assert disk.path("parts/a") is None
    kept = disk.keep("parts/a", b"x" * 60)
    assert kept is not None
    assert disk.path("parts/a") == kept
    assert kept.read_bytes() == b"x" * 60
    assert disk.usage() == (1, 60)
    assert (disk.hits, disk.misses) == (1, 1)
    disk.forget("parts/a")
    assert disk.usage() == (0, 0)


def test_more_than_may_be_kept_is_not_tried(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 100)
    assert disk.keep("parts/a", b"x" * 101) is None
    assert disk.usage() == (0, 0)


def test_what_is_used_stays(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 100)
    for name in "abc":
        disk.keep(f"parts/{name}", b"x" * 30)
    for _ in range(3):
        disk.path("parts/a")
    disk.keep("parts/d", b"x" * 30)
    assert "a" in names(disk)
    assert "d" in names(disk)
    assert disk.usage()[1] <= 100
    assert disk.evictions >= 1


def test_use_fades(tmp_path: Path) -> None:
    """A file used a hundred times a month ago goes before one used once today."""
    disk = Disk(tmp_path, 100)
    for name, stamp in (("old", time.time() - 30 * HALF_LIFE + 7 * HALF_LIFE), ("new", time.time())):
        path = disk.keep(f"parts/{name}", b"x" * 40)
        assert path is not None
        os.utime(path, (stamp, stamp))
    disk.keep("parts/newest", b"x" * 40)
    assert names(disk) == ["new", "newest"]


@given(st.lists(st.floats(0, 40), min_size=1, max_size=30))
def test_a_stamp_orders_like_the_sum_of_faded_uses(days: list[float]) -> None:
    """At any later time: two files' sums are in the order of their stamps."""
    uses = sorted(NOW + each * HALF_LIFE for each in days)
    stamp = uses[0]
    for at in uses[1:]:
        stamp = credited(stamp, at)
    later = NOW + 50 * HALF_LIFE
    faded = sum(0.5 ** ((later - at) / HALF_LIFE) for at in uses)
    assert 0.5 ** ((later - stamp) / HALF_LIFE) == pytest.approx(faded, rel=1e-4)


def test_a_clock_that_was_wrong_is_caught_up_with() -> None:
    assert credited(NOW + 1e12, NOW) == NOW + 64 * HALF_LIFE


def test_processes_share_it(tmp_path: Path) -> None:
    """Each counts what it wrote itself and looks at the folder when that is too much; so the bound holds in the end."""
    one, other = Disk(tmp_path, 100), Disk(tmp_path, 100)
    for number in range(20):
        (one if number % 2 else other).keep(f"parts/{number}", b"x" * 20)
    assert one.usage()[1] <= 180  # no more than each of both may keep
    one.keep("parts/last", b"x" * 90)
    assert one.usage()[1] <= 100


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    disk = Disk(tmp_path / "cache", 100)
    assert disk.keep("parts/a", b"x") is None
    assert disk.path("parts/a") is None
    assert disk.usage() == (0, 0)


def test_leftovers_of_killed_writers_go(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 100)
    disk.keep("parts/a", b"x")
    for name, age in (("old.tmp", 7_200), ("young.tmp", 60)):
        path = tmp_path / "parts" / name
        path.write_bytes(b"y")
        os.utime(path, (time.time() - age, time.time() - age))
    assert names(disk) == ["a"]
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["a", "young.tmp"]


WRITER = """
import sys
from pathlib import Path
from context_plane.parts.disk import Disk
disk = Disk(Path(sys.argv[1]), 5_000_000)
print("ready", flush=True)
number = 0
while True:
    number += 1
    disk.keep(f"parts/{number % 40}", bytes([number % 256]) * 200_000)
"""


def test_a_killed_writer_leaves_whole_files(tmp_path: Path) -> None:
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.1)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = list(Disk(tmp_path, 5_000_000).files())
        assert found
        for path, about in found:
            body = path.read_bytes()
            assert (len(body), len(set(body)), about.st_size) == (200_000, 1, 200_000)
