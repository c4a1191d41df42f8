"""`FaultyStore`: the simulated disk does what its table says, and the same seed gives the same schedule."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from context_plane.errors import NotFound, Unavailable
from context_plane.store.base import Store
from context_plane.store.faulty import ROUGH, Fault, FaultyStore, Plan
from context_plane.store.open import open_store

CONTENT = [(f"segments/{number}", b"%03d" % number * 50) for number in range(20)]


def faulty(seed: int = 0, plan: Plan | None = None, inner: Store | None = None, **options: object) -> FaultyStore:
    """A store with planned faults over memory."""
    inner = inner or open_store(f"memory://{uuid4().hex}")
    return FaultyStore(inner, random.Random(seed), plan=plan, **options)  # type: ignore[arg-type]


def contents(store: FaultyStore) -> dict[str, bytes]:
    """Everything in the inner store."""
    return {key: store._inner.get(key) for key in store._inner.list("")}


@pytest.mark.parametrize(
    ("fault", "landed"), [("fail", False), ("lose", True), ("late", False)], ids=["fail", "lose", "late"]
)
def test_a_create_without_a_reply(fault: Fault, landed: bool) -> None:
    """`fail` does nothing, `lose` does it, `late` does it later; all say Unavailable."""
    store = faulty(plan={("create", 1): fault})
    with pytest.raises(Unavailable):
        store.create("log/1", b"x")
    assert (store._inner.head("log/1") is not None) == landed


def test_a_late_create_lands_before_a_later_operation_and_only_where_nothing_is() -> None:
    """Sooner or later the request arrives; it does not overwrite what got there first."""
    store = faulty(plan={("create", 1): "late"})
    with pytest.raises(Unavailable):
        store.create("log/1", b"late")
    while store.head("log/1") is None:
        pass
    assert store.get("log/1") == b"late"
    store = faulty(plan={("create", 1): "late"})
    with pytest.raises(Unavailable):
        store.create("log/1", b"late")
    store._inner.create("log/1", b"first")
    while store._late:
        store.head("log/1")
    assert store.get("log/1") == b"first"


def test_false_that_is_no_answer() -> None:
    """`conflict` says False with nothing there; `duplicate` says False to the writer who wrote."""
    store = faulty(plan={("create", 1): "conflict", ("create", 2): "duplicate"})
    assert not store.create("log/1", b"x")
    assert store.head("log/1") is None
    assert not store.create("log/1", b"x")
    assert store.get("log/1") == b"x"


@pytest.mark.parametrize("operation", ["get", "get_range", "head", "list", "children", "delete", "sync", "put_content"])
def test_every_operation_can_fail(operation: str) -> None:
    """The n-th call of any operation can be told to fail, and only that one."""
    acts: dict[str, Callable[[], object]] = {
        "get": lambda: store.get("a/1"),
        "get_range": lambda: store.get_range("a/1", 0, 1),
        "head": lambda: store.head("a/1"),
        "list": lambda: store.list("a/"),
        "children": lambda: store.children("a/"),
        "delete": lambda: store.delete("a/2"),
        "sync": lambda: store.sync(),
        "put_content": lambda: store.put_content([("a/3", b"x")]),
    }
    store = faulty(plan={(operation, 2): "fail"})
    store.create("a/1", b"x")
    acts[operation]()
    with pytest.raises(Unavailable):
        acts[operation]()
    acts[operation]()


def test_time_passes_without_sleeping() -> None:
    """Delays go to the injected clock."""
    clock: list[float] = []
    store = faulty(plan={("head", 1): "delay"}, clock=clock.append)
    store.head("a")
    store.head("a")
    assert len(clock) == 1
    assert 0 < clock[0] <= 30


def test_unsynced_content_is_torn_by_a_crash_and_synced_content_is_not(tmp_path: Path) -> None:
    """At the crash every unsynced object is kept, cut or lost; synced ones and numbered ones are whole."""
    store = faulty(inner=open_store(tmp_path))
    store.put_content(CONTENT[:5])
    store.sync()
    store.put_content(CONTENT)
    store.create("log/1", b"record")
    store.crash()
    left = contents(store)
    assert left.pop("log/1") == b"record"
    assert all(left[key] == body for key, body in CONTENT[:5])
    assert all(body.startswith(left.get(key, b"")) for key, body in CONTENT)
    fates = {"lost" if key not in left else "kept" if left[key] == body else "torn" for key, body in CONTENT[5:]}
    assert fates == {"lost", "kept", "torn"}
    store.put_content(CONTENT)
    store.sync()
    store.crash()
    assert {key: body for key, body in contents(store).items() if key != "log/1"} == dict(CONTENT)


def test_after_a_failed_sync_only_what_is_put_again_becomes_durable() -> None:
    """As Linux drops dirty pages after an error: a later sync that succeeds says nothing about them."""
    store = faulty(plan={("sync", 1): "fail"})
    store.put_content(CONTENT)
    with pytest.raises(Unavailable):
        store.sync()
    store.put_content(CONTENT[:10])
    store.sync()
    store.crash()
    left = contents(store)
    assert all(left[key] == body for key, body in CONTENT[:10])
    assert any(left.get(key) != body for key, body in CONTENT[10:])


def test_a_put_that_fails_may_have_written_some() -> None:
    """A fault in the middle of a batch leaves some of it written."""
    counts = set()
    for seed in range(30):
        store = faulty(seed, plan={("put_content", 1): "fail"})
        with pytest.raises(Unavailable):
            store.put_content(CONTENT)
        counts.add(len(contents(store)))
    assert len(counts) > 2


def test_the_same_seed_gives_the_same_schedule() -> None:
    """Two runs of one program agree in every fault, every delay and every byte left; another seed does not."""

    def run(seed: int) -> tuple[object, ...]:
        clock: list[float] = []
        store = faulty(seed, rates=ROUGH, clock=clock.append)
        answers: list[object] = []
        for number in range(120):
            try:
                if number % 3 == 0:
                    store.put_content(CONTENT[: number % 20])
                elif number % 7 == 0:
                    store.sync()
                answers.append(store.create(f"log/{number // 2:03d}", b"%d" % number))
            except Unavailable:
                answers.append("unavailable")
        store.crash()
        return answers, clock, store.faults, contents(store)

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert set(run(1)[2]) == set(ROUGH), "every fault of the table happens in a run of this length"  # type: ignore[call-overload]


def test_reads_see_what_is_there() -> None:
    """Faults lose replies, never bytes of what was read: no stale reads."""
    store = faulty(rates={"duplicate": 0.5})
    store.put_content(CONTENT)
    assert store.get(CONTENT[3][0]) == CONTENT[3][1]
    assert list(store.list("segments/")) == sorted(key for key, _ in CONTENT)
    assert store.path(CONTENT[3][0]) is None
    with pytest.raises(NotFound):
        store.get("none")
