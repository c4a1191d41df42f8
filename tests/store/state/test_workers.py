"""Workers: a lock that lasts for as long as its process, and no longer."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from context_plane.store.state.workers import Worker

_FORKS = """
import os, sys, time
from pathlib import Path
from context_plane.store.state.workers import Worker
worker = Worker(Path(sys.argv[1]))
worker.enter()
child = os.fork()
if child == 0:
    worker.enter()
    os.write(1, f"{worker.id}\\n".encode())
    sys.stdin.read()
    os._exit(0)
os.write(1, f"{worker.id}\\n".encode())
os.kill(os.getpid(), 9)
"""


def test_threads_enter_together(tmp_path: Path) -> None:
    """Each finds the worker in, whoever of them brought it in."""
    for turn in range(30):
        worker, together = Worker(tmp_path / str(turn)), threading.Barrier(8)

        def enter(of: Worker = worker, together: threading.Barrier = together) -> bool:
            together.wait()
            return of.enter()

        with ThreadPoolExecutor(8) as threads:
            entered = [each.result() for each in [threads.submit(enter) for _ in range(8)]]
        assert sorted(entered) == [False] * 7 + [True]
        assert [file.name for file in (tmp_path / str(turn)).iterdir()] == [f"{worker.id}.lock"]
        worker.leave()


def test_a_forked_child_does_not_keep_its_parents_lock(tmp_path: Path) -> None:
    """The parent is killed and is seen to be gone, though its child lives; the child is a worker of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", _FORKS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first, second = process.stdout.readline().strip(), process.stdout.readline().strip()
        process.wait(10)
        lives = {each: Worker(tmp_path).lives(each) for each in (first, second)}
        assert sorted(map(str, lives.values())) == ["False", "True"]
        assert process.stdin is not None


def test_who_is_looked_at_by_two_is_not_alive_by_that(tmp_path: Path) -> None:
    """Looking takes no lock that another who looks would take for the worker's."""
    gone = "0" * 32
    (tmp_path / f"{gone}.lock").touch()
    looking = os.open(tmp_path / f"{gone}.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    assert Worker(tmp_path).lives(gone) is False
    os.close(looking)


def test_a_worker_is_never_seen_without_its_lock(tmp_path: Path) -> None:
    """Between making a file and locking it, another would take the worker for one that is gone and remove the file."""
    stop = threading.Event()

    def bury() -> None:
        other = Worker(tmp_path)
        while not stop.is_set():
            for each in other.gone():
                other.bury(each)

    thread = threading.Thread(target=bury)
    thread.start()
    for _ in range(300):
        worker = Worker(tmp_path)
        worker.enter()
        assert (tmp_path / f"{worker.id}.lock").exists()
        worker.leave()
    stop.set()
    thread.join()
