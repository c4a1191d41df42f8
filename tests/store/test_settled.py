"""`create_settled`: neither a lost reply nor a false "already exists" loses or doubles a record."""

from __future__ import annotations

import random
from uuid import uuid4

import pytest

from context_plane.errors import Denied, Unavailable
from context_plane.store.faulty import FaultyStore, Plan
from context_plane.store.open import open_store
from context_plane.store.settled import create_settled

KEY = "log/1"


def faulty(plan: Plan) -> FaultyStore:
    """An empty store that shows the planned faults."""
    return FaultyStore(open_store(f"memory://{uuid4().hex}"), random.Random(0), plan=plan)


@pytest.mark.parametrize("fault", ["fail", "lose", "conflict", "duplicate", "late", "delay"])
def test_every_fault_of_a_create_is_settled(fault: str) -> None:
    """Whatever happens to the first request, the record is there once, and ours, at the end."""
    store = faulty({("create", 1): fault})  # type: ignore[dict-item]
    assert create_settled(store, KEY, b"me", b"me".__eq__, sleep=lambda _: None)
    assert store.get(KEY) == b"me"


@pytest.mark.parametrize("fault", ["fail", "lose", "conflict"])
def test_a_fault_does_not_hide_that_another_won(fault: str) -> None:
    """With another's record in the slot the answer is False, and theirs stays."""
    store = faulty({("create", 2): fault})  # type: ignore[dict-item]
    assert store.create(KEY, b"you")
    assert not create_settled(store, KEY, b"me", b"me".__eq__, sleep=lambda _: None)
    assert store.get(KEY) == b"you"


def test_an_unreadable_slot_is_asked_again() -> None:
    """The reply is lost and so is the first read: the next try finds our own record."""
    store = faulty({("create", 1): "lose", ("get", 1): "fail", ("create", 2): "fail"})
    assert create_settled(store, KEY, b"me", b"me".__eq__, sleep=lambda _: None)


def test_a_found_record_is_made_durable_before_it_is_acknowledged() -> None:
    """A writer killed after the link left a name that no disk holds yet: without a sync the answer stays unknown."""
    store = faulty({("sync", 1): "fail"})
    store.create(KEY, b"me")
    with pytest.raises(Unavailable):
        create_settled(store, KEY, b"me", b"me".__eq__, sleep=lambda _: None)
    assert create_settled(store, KEY, b"me", b"me".__eq__, sleep=lambda _: None)
    assert store._calls["sync"] == 2


def test_giving_up_says_unknown_and_pauses_grow() -> None:
    """After 8 tries it raises Unavailable with place and remedy; the pauses double up to 2 s."""
    pauses: list[float] = []
    store = faulty({("create", nth): "fail" for nth in range(1, 9)})
    with pytest.raises(Unavailable, match=KEY) as error:
        create_settled(store, KEY, b"me", b"me".__eq__, sleep=pauses.append)
    assert "again" in error.value.remedy
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0]


def test_a_refusal_is_not_retried() -> None:
    """Denied is an answer: it comes out at once."""

    class Refusing(FaultyStore):
        def create(self, key: str, body: bytes) -> bool:
            raise Denied("no")

    store = Refusing(open_store(f"memory://{uuid4().hex}"), random.Random(0))
    with pytest.raises(Denied):
        create_settled(store, KEY, b"me", b"me".__eq__, sleep=lambda _: pytest.fail("paused"))
