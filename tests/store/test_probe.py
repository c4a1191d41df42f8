"""`probe` refuses stores that lie, names what they lack, cleans up and asks once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from uuid import uuid4

import pytest

from context_plane.errors import Denied, Unavailable
from context_plane.store.faulty import FaultyStore
from context_plane.store.open import open_store
from context_plane.store.probe import probe


class Honest(FaultyStore):
    """A faulty store without faults, from which the liars below derive."""

    def __init__(self) -> None:
        super().__init__(open_store(f"memory://{uuid4().hex}"), random.Random(0))
        self.calls = self._calls


class Overwrites(Honest):
    """Answers every conditional write with 200, as npm s3rver does."""

    def create(self, key: str, body: bytes) -> bool:
        """Overwrites."""
        self._inner.delete(key)
        return self._inner.create(key, body)


class OverwritesQuietly(Honest):
    """Says that the object exists, and overwrites it all the same."""

    def create(self, key: str, body: bytes) -> bool:
        """Overwrites."""
        absent = self._inner.head(key) is None
        self._inner.delete(key)
        self._inner.create(key, body)
        return absent


class WrongRanges(Honest):
    """Ignores the range."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Gives the whole."""
        return self._inner.get(key)


class StaleLists(Honest):
    """Lists nothing that is new."""

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Lists nothing."""
        return iter(())


@pytest.mark.parametrize(
    ("liar", "lacks"),
    [
        (Overwrites, "create-if-absent"),
        (OverwritesQuietly, "create-if-absent"),
        (WrongRanges, "range reads"),
        (StaleLists, "listing"),
    ],
)
def test_a_lying_store_is_refused(liar: type[Honest], lacks: str) -> None:
    """The error names the capability, the store and a remedy, and the probe's object is gone."""
    store = liar()
    with pytest.raises(Denied, match=lacks) as error:
        probe(store)
    assert error.value.where == store.url
    assert "If-None-Match" in error.value.remedy
    assert list(store._inner.list("")) == []


def test_a_store_is_asked_once_per_process() -> None:
    """The second probe costs nothing; a refused store is asked again."""
    store = Honest()
    probe(store)
    before = sum(store.calls.values())
    probe(store)
    assert sum(store.calls.values()) == before


def test_an_unreachable_store_is_not_called_a_liar() -> None:
    """What the store raises comes out as it is, and it is probed again the next time."""
    inner = open_store(f"memory://{uuid4().hex}")
    store = FaultyStore(inner, random.Random(0), plan={("head", 1): "fail"})
    with pytest.raises(Unavailable):
        probe(store)
    assert list(inner.list("")) == []
    probe(store)
