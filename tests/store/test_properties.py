"""Properties of stores under random programs and faults, against a plain dictionary as the oracle."""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from context_plane.errors import Corrupt, NotFound, Unavailable
from context_plane.store.base import Store
from context_plane.store.faulty import ROUGH, FaultyStore
from context_plane.store.local import LocalStore
from context_plane.store.open import open_store
from context_plane.store.settled import create_settled

FOLDERS = st.sampled_from(["log/", "a/", "a/b/", "a-/", "a.b/c/"])
NUMBERS = st.integers(0, 12).map(lambda number: f"{number:03d}")
NUMBERED = st.builds("{}{}".format, FOLDERS, NUMBERS)
BODIES = st.binary(max_size=40)


def content(body: bytes) -> tuple[str, bytes]:
    """Key and body of content: named by its hash."""
    digest = hashlib.sha256(body).hexdigest()
    return f"content/{digest[:2]}/{digest}", body


class LocalMachine(RuleBasedStateMachine):
    """A local store behaves as a sorted dictionary in which nothing is overwritten."""

    @initialize()
    def begin(self) -> None:
        """An empty folder."""
        self.folder = tempfile.mkdtemp()
        self.store: Store = LocalStore(self.folder)
        self.model: dict[str, bytes] = {}

    @rule(key=NUMBERED, body=BODIES)
    def create(self, key: str, body: bytes) -> None:
        """The first creation counts."""
        assert self.store.create(key, body) == (key not in self.model)
        self.model.setdefault(key, body)

    @rule(bodies=st.lists(BODIES, max_size=5))
    def put(self, bodies: list[bytes]) -> None:
        """Content can be put any number of times."""
        self.store.put_content(map(content, bodies))
        self.model.update(map(content, bodies))

    @rule(key=NUMBERED)
    def delete(self, key: str) -> None:
        """Deleting removes one object."""
        self.store.delete(key)
        self.model.pop(key, None)

    @rule(key=NUMBERED, start=st.integers(0, 45), length=st.integers(0, 45))
    def read(self, key: str, start: int, length: int) -> None:
        """Reads, ranges and sizes agree with the model."""
        body = self.model.get(key)
        assert self.store.head(key) == (None if body is None else len(body))
        if body is None:
            with pytest.raises(NotFound):
                self.store.get_range(key, start, length)
        elif start + length > len(body):
            with pytest.raises(Corrupt):
                self.store.get_range(key, start, length)
        else:
            assert self.store.get_range(key, start, length) == body[start : start + length]

    @rule(prefix=st.one_of(st.just(""), FOLDERS), after=st.one_of(st.just(""), NUMBERED))
    def look(self, prefix: str, after: str) -> None:
        """Listings agree with the model."""
        below = sorted(key for key in self.model if key.startswith(prefix))
        assert list(self.store.list(prefix, after)) == [key for key in below if key > after]
        assert self.store.children(prefix) == sorted({key[len(prefix) :].split("/")[0] for key in below})

    @rule(data=st.data())
    def tear(self, data: st.DataObject) -> None:
        """A writer was killed: some content is cut short. Putting it again makes it whole."""
        keys = sorted(key for key in self.model if key.startswith("content/"))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        path = self.store.path(key)
        assert path is not None
        path.write_bytes(self.model[key][: data.draw(st.integers(0, len(self.model[key])))])
        self.store.put_content([(key, self.model[key])])

    @rule()
    def reopen(self) -> None:
        """Another process sees the same."""
        self.store.sync()
        self.store = LocalStore(self.folder)

    @invariant()
    def equal(self) -> None:
        """Every object is there with its bytes, and no other."""
        assert {key: self.store.get(key) for key in self.store.list("")} == self.model

    def teardown(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder)


class FaultyMachine(RuleBasedStateMachine):
    """Writers on a store that fails, loses replies, doubles and delays requests, and crashes.

    The oracle knows what was acknowledged (must stay, whole, for ever), and what was tried (nothing else may appear).
    """

    acknowledged = Bundle("acknowledged")

    @initialize(seed=st.integers(0, 2**32), on_disk=st.booleans(), target=acknowledged)
    def begin(self, seed: int, on_disk: bool) -> object:
        """An empty store with faults by chance."""
        self.folder = tempfile.mkdtemp() if on_disk else None
        self.inner = open_store(self.folder or f"memory://{uuid4().hex}")
        self.store = FaultyStore(self.inner, random.Random(seed), rates=ROUGH)
        self.tried: dict[str, set[bytes]] = {}
        self.kept: dict[str, bytes] = {}
        self.unsynced: dict[str, bytes] = {}
        self.serial = 0
        return multiple()

    @rule(number=NUMBERS)
    def append(self, number: str) -> None:
        """One writer tries one number. True is kept for ever; False needs another's record there."""
        key = f"log/{number}"
        self.serial += 1
        body = b"put-id %d" % self.serial
        self.tried.setdefault(key, set()).add(body)
        try:
            if create_settled(self.store, key, body, body.__eq__, sleep=lambda _: None):
                assert key not in self.kept, "two writers own one number"
                self.kept[key] = body
            else:
                found = self.inner.get(key)
                assert found != body
                assert found in self.tried[key]
        except Unavailable:
            self.unsynced.clear()  # it may have been a sync that failed

    @rule(target=acknowledged, bodies=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5))
    def put(self, bodies: list[bytes]) -> object:
        """Content is written; durable it is not."""
        items = list(map(content, bodies))
        try:
            self.store.put_content(iter(items))
        except Unavailable:
            return multiple()
        self.unsynced.update(items)
        return multiple(*items)

    @rule(item=consumes(acknowledged))
    def put_again(self, item: tuple[str, bytes]) -> None:
        """Repairs whatever a crash left of it."""
        try:
            self.store.put_content([item])
        except Unavailable:
            return
        self.unsynced[item[0]] = item[1]

    @rule()
    def sync(self) -> None:
        """What was put is kept from now on; where the sync fails, it must be put again."""
        try:
            self.store.sync()
        except Unavailable:
            self.unsynced.clear()
            return
        self.kept.update(self.unsynced)
        self.unsynced.clear()

    @rule()
    def crash(self) -> None:
        """The power goes, and the store is opened again."""
        self.store.crash()
        self.unsynced.clear()
        if self.folder:
            self.inner = open_store(self.folder)
            self.store._inner = self.inner

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        """Every acknowledged record and all synced content is there, byte for byte."""
        assert all(self.inner.get(key) == body for key, body in self.kept.items())

    @invariant()
    def nothing_unacknowledged_is_half_visible(self) -> None:
        """A number holds exactly what one writer tried to put there."""
        for key in self.inner.list("log/"):
            assert self.inner.get(key) in self.tried[key]

    def teardown(self) -> None:
        """Removes the folder."""
        if self.folder:
            shutil.rmtree(self.folder)


TestLocalMachine = LocalMachine.TestCase
TestFaultyMachine = FaultyMachine.TestCase
TestLocalMachine.settings = settings(stateful_step_count=25)
TestFaultyMachine.settings = settings(stateful_step_count=30)


class NeverSyncs(FaultyStore):
    """The mutant: a store whose sync forgets its work."""

    def sync(self) -> None:
        """Nothing."""


def torn_batches(kind: type[FaultyStore], seed: int) -> list[str]:
    """Acknowledged batches with missing or torn content after a crash, for a writer that syncs before it commits."""
    store = kind(open_store(f"memory://{uuid4().hex}"), random.Random(seed), rates=ROUGH)
    acknowledged: dict[str, list[tuple[str, bytes]]] = {}
    for number in range(5):
        items = [content(b"%d-%d" % (number, part) * 20) for part in range(3)]
        key = f"log/{number}"
        try:
            store.put_content(items)
            store.sync()
            if create_settled(store, key, key.encode(), key.encode().__eq__, sleep=lambda _: None):
                acknowledged[key] = items
        except Unavailable:
            continue
    store.crash()
    torn = []
    for key, items in acknowledged.items():
        assert store._inner.get(key) == key.encode()
        if any(store._inner.head(name) != len(body) or store._inner.get(name) != body for name, body in items):
            torn.append(key)
    return torn


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_content_synced_before_its_record_survives(seed: int) -> None:
    """A writer that syncs and then commits never acknowledges what a crash can take."""
    assert torn_batches(FaultyStore, seed) == []


def test_without_the_sync_the_same_writer_loses_data() -> None:
    """The test above has teeth: with a sync that does nothing, acknowledged batches are torn."""
    assert any(torn_batches(NeverSyncs, seed) for seed in range(20))
