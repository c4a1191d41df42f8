"""The memory tier: never more than it may hold, what was put is what is got, and scans do not push out what is used."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from context_plane.parts.arc import Arc

CAPACITY = 100


@dataclass(eq=False)
class Held:
    """Something of a size that may change."""

    nbytes: int


class Cache(RuleBasedStateMachine):
    """Any order of calls, against what was put last under each key."""

    def __init__(self) -> None:
        super().__init__()
        self.arc = Arc(CAPACITY)
        self.put_last: dict[int, Held] = {}

    keys = st.integers(0, 12)

    @rule(key=keys, size=st.integers(0, 60))
    def put(self, key: int, size: int) -> None:
        value = self.put_last[key] = Held(size)
        self.arc.put(key, value)
        assert self.arc.get(key) is value  # what was just put is the last to go

    @rule(key=keys, size=st.integers(CAPACITY + 1, 3 * CAPACITY))
    def put_more_than_it_holds(self, key: int, size: int) -> None:
        value = self.put_last[key] = Held(size)
        self.arc.put(key, value)
        assert (len(self.arc), self.arc.get(key)) == (1, value)

    @rule(key=keys)
    def get(self, key: int) -> None:
        assert self.arc.get(key) in (None, self.put_last.get(key))

    @rule(key=keys, size=st.integers(0, 90))
    def grow(self, key: int, size: int) -> None:
        if key in self.put_last:
            self.put_last[key].nbytes = size
        self.arc.measure()

    @rule(key=keys)
    def drop(self, key: int) -> None:
        self.arc.drop(lambda each: each == key)
        self.put_last.pop(key, None)
        assert key not in self.arc

    @rule(key=keys)
    def obtain(self, key: int) -> None:
        made = Held(7)
        was_there = key in self.arc
        found = self.arc.obtain(key, lambda: made)
        assert found is (self.put_last[key] if was_there else made)
        self.put_last[key] = found

    @invariant()
    def no_more_than_may_be_held(self) -> None:
        self.arc.measure()
        assert self.arc.used <= CAPACITY or len(self.arc) == 1
        assert self.arc.used == sum(self.put_last[key].nbytes for key in range(13) if key in self.arc)


TestCache = Cache.TestCase


def test_a_scan_leaves_what_is_asked_for_again() -> None:
    arc = Arc(10)
    for key in "abc":
        arc.put(key, Held(1))
        assert arc.get(key) is not None
    for number in range(1_000):
        arc.put(number, Held(1))
    assert all(key in arc for key in "abc")


def test_what_is_missed_after_it_was_lost_gets_more_room() -> None:
    """Whichever of the two kinds it was: asked for once, or again and again."""
    arc = Arc(4)
    for key in "abcd":
        arc.put(key, Held(1))
        arc.get(key)
    for key in "ef":
        arc.put(key, Held(1))
    assert arc.get("e") is None
    arc.put("e", Held(1))
    assert arc._share == 1
    assert arc.get("a") is None
    arc.put("a", Held(1))
    assert arc._share == 0


def test_nothing_is_held_where_nothing_may_be() -> None:
    """Except the one thing that is worked with."""
    arc = Arc(0)
    arc.put("a", Held(5))
    arc.put("b", Held(5))
    assert ("a" in arc, "b" in arc) == (False, True)


def test_counts() -> None:
    arc = Arc(10)
    assert arc.get("a") is None
    arc.put("a", Held(4))
    arc.get("a")
    arc.put("b", Held(8))
    assert (arc.hits, arc.misses, arc.evictions) == (1, 1, 1)
    assert arc.uses == {"a": 2}


def test_uses_are_forgotten_before_they_fill_memory() -> None:
    arc = Arc(10)
    for _ in range(3):
        arc.get("often")
    for number in range(10_000):
        arc.get(number)
    assert len(arc.uses) <= 4_096
    assert arc.uses["often"] == 3


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_what_is_remembered_of_the_lost_is_bounded(sizes: list[int]) -> None:
    arc = Arc(CAPACITY)
    for number, size in enumerate(sizes * 4):
        arc.put(number, Held(size))
    assert sum(arc._lost_once.values()) <= CAPACITY
    assert sum(arc._lost_again.values()) <= CAPACITY


def test_threads() -> None:
    """Sixteen threads over a cache for four: each gets what belongs to its key."""
    arc = Arc(4)
    wrong = list[object]()
    start = threading.Barrier(16, timeout=30)

    def work(seed: int) -> None:
        start.wait()
        for step in range(2_000):
            key = (seed * step) % 9
            found = arc.obtain(key, lambda key=key: Keyed(key))  # type: ignore[misc]
            if found.key != key:
                wrong.append(found)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert not wrong
    assert arc.used <= 4


@dataclass(eq=False)
class Keyed:
    """Something that knows its key."""

    key: int
    nbytes: int = 1


@pytest.mark.parametrize("size", [0, 1])
def test_one_of_two_made_at_once_stays(size: int) -> None:
    arc = Arc(10)
    other = Held(size)

    def make() -> Held:
        arc.put("a", other)  # another thread was faster
        return Held(size)

    assert arc.obtain("a", make) is other
