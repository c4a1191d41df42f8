"""Many writers, one number: exactly one of them creates it, whatever the store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from context_plane.store import keys
from context_plane.store.base import Store
from context_plane.store.local import LocalStore
from context_plane.store.open import open_store
from context_plane.store.settled import create_settled
from tests.store.conftest import Run

THREADS = 8
NUMBERS = 20
PROCESSES = 4

RACER = """
import sys
from context_plane.store import keys
from context_plane.store.open import open_store
store, name = open_store(sys.argv[1]), sys.argv[2].encode()
print("ready", flush=True)
sys.stdin.readline()
won = [number for number in range(25) if store.create(keys.commit("acme", number), name)]
print(*won, flush=True)
"""


def test_one_thread_wins_each_number(store_url: str) -> None:
    """Threads with handles of their own race for the same numbers: one True each, and its bytes are what is kept."""
    barrier = threading.Barrier(THREADS)

    def race(name: int) -> list[int]:
        store = open_store(store_url)
        barrier.wait()
        return [number for number in range(NUMBERS) if store.create(keys.commit("acme", number), b"%d" % name)]

    with ThreadPoolExecutor(THREADS) as threads:
        won = list(threads.map(race, range(THREADS)))
    assert sorted(number for numbers in won for number in numbers) == list(range(NUMBERS))
    store = open_store(store_url)
    for name, numbers in enumerate(won):
        assert all(store.get(keys.commit("acme", number)) == b"%d" % name for number in numbers)


@pytest.mark.parametrize("store_url", ["local", "moto", pytest.param("s3", marks=pytest.mark.s3)], indirect=True)
def test_one_process_wins_each_number(store_url: str, run_python: Run) -> None:
    """The same between processes, each released at one moment."""
    racers = [run_python(RACER, store_url, str(name)) for name in range(PROCESSES)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = [racer.communicate()[0].split() for racer in racers]
    assert sorted(int(number) for numbers in won for number in numbers) == list(range(25))
    store = open_store(store_url)
    for name, numbers in enumerate(won):
        assert all(store.get(keys.commit("acme", int(number))) == str(name).encode() for number in numbers)


def test_appending_writers_leave_no_gap(store: Store) -> None:
    """Writers that take the next free number until they have written their share fill a gap-free log."""
    share = 6

    def write(name: int) -> None:
        number = 0
        for turn in range(share):
            body = b"%d-%d" % (name, turn)
            while not create_settled(store, keys.commit("acme", number), body, body.__eq__):
                number += 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    listed = list(store.list(keys.commits("acme")))
    assert listed == [keys.commit("acme", number) for number in range(4 * share)]
    assert len({store.get(key) for key in listed}) == 4 * share


def test_two_writers_of_the_same_content_both_succeed(store: Store) -> None:
    """Content put by several threads at once is whole afterwards, however they interleave."""
    items = [(f"segments/{number}", b"%d" % number * 500) for number in range(60)]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: store.put_content(iter(items)), range(3)))
    assert all(store.get(key) == body for key, body in items)


def test_pruning_empty_folders_does_not_disturb_writers(tmp_path: object) -> None:
    """The sweep removes folders that become empty while others write into them: every write still lands."""
    store = LocalStore(str(tmp_path))
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            for number in range(5):
                store.put_content([(f"a/b/garbage-{number}", b"")])
                store.delete(f"a/b/garbage-{number}")

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for number in range(60):
            key = f"a/b/c/{number}"
            assert store.create(key, b"kept")
            assert store.get(key) == b"kept"
            store.delete(key)
            store.put_content([(f"a/b/d/{number}", b"kept")])
            store.delete(f"a/b/d/{number}")
    finally:
        stop.set()
        sweeper.join()
