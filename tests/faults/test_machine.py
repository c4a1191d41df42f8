"""A faulty store under random schedules, with a model of what must be true: the promise of ingest and publication.

The model knows which batches were acknowledged and which were attempted. Whatever the store does: an acknowledged
batch is there with the counts that were told, an attempted one whole or not at all, and readers see every event once.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from context_plane.errors import Unavailable
from context_plane.log import ingest as ingest_module
from context_plane.parts import publish as publish_module
from context_plane.store.faulty import ROUGH, FaultyStore
from context_plane.store.local import LocalStore
from context_plane.store.settled import create_settled
from tests.parts.conftest import World, event

# A batch is some ten operations: at a third of `ROUGH` about a half of them get through.
UNEASY = {fault: rate / 3 for fault, rate in ROUGH.items()}


class Faults(RuleBasedStateMachine):
    """Two writers, builders and publishers on one disk that fails, delays, repeats, loses replies and forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        hasty = partial(create_settled, sleep=lambda _: None)
        self.patch.setattr(ingest_module, "create_settled", hasty)
        self.patch.setattr(publish_module, "create_settled", hasty)
        self.root = Path(tempfile.mkdtemp(prefix="cp-"))
        self.disk = FaultyStore(LocalStore(self.root / "store"), random.Random(0))
        self.worlds = [self.world(n) for n in range(2)]
        self.next = 0
        self.batches: list[list[dict[str, Any]]] = []
        self.acknowledged: set[int] = set()
        self.accepted = 0
        self.unknown = False

    def world(self, number: int) -> World:
        return World(self.disk, self.root / f"cache-{number}")

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.root)

    def rough(self, seed: int) -> None:
        self.disk._dice, self.disk._rates = random.Random(seed), UNEASY

    def calm(self) -> None:
        self.disk._rates = {}

    @rule(who=st.integers(0, 1), days=st.lists(st.integers(1, 5), min_size=1, max_size=30), seed=st.integers(0, 2**32))
    def ingest_new(self, who: int, days: list[int], seed: int) -> None:
        batch = [event(self.next + n, f"customer/{n % 3}", day) for n, day in enumerate(days)]
        self.next += len(days)
        self.batches.append(batch)
        self.send(who, len(self.batches) - 1, seed)

    @rule(who=st.integers(0, 1), which=st.integers(0, 50), seed=st.integers(0, 2**32))
    def ingest_again(self, who: int, which: int, seed: int) -> None:
        if self.batches:
            self.send(who, which % len(self.batches), seed)

    def send(self, who: int, which: int, seed: int) -> None:
        batch = self.batches[which]
        self.rough(seed)
        try:
            commit = self.worlds[who].ingest(batch)
        except Unavailable:
            self.unknown = True
            return
        finally:
            self.calm()
        assert commit.accepted + commit.duplicates == len(batch)
        assert commit.accepted in (0, len(batch))
        assert not (which in self.acknowledged and commit.accepted)
        self.acknowledged.add(which)

    @rule(who=st.integers(0, 1), first=st.integers(1, 5), seed=st.integers(0, 2**32))
    def build_and_publish(self, who: int, first: int, seed: int) -> None:
        if not self.acknowledged:
            return
        self.rough(seed)
        try:
            self.worlds[who].build(first, first + 2)
            self.worlds[who].publish()
        except Unavailable:
            pass
        finally:
            self.calm()

    @rule()
    def power_cut(self) -> None:
        """Everything that was not synced is gone; all processes start anew."""
        self.disk.crash()
        self.worlds = [self.world(n) for n in range(2)]

    @invariant()
    def the_promise_holds(self) -> None:
        if not self.acknowledged:
            return
        fresh = self.world(9)
        seen = fresh.ids()
        assert len(seen) == len(set(seen))
        found = set(seen)
        for number, batch in enumerate(self.batches):
            ids = {e["id"] for e in batch}
            assert ids <= found or not ids & found, "a batch is half visible"
            assert number not in self.acknowledged or ids <= found, "an acknowledged batch is lost"


TestFaults = Faults.TestCase
TestFaults.settings = settings(
    max_examples=60, stateful_step_count=25, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)


@pytest.mark.soak
def test_many_schedules() -> None:
    """The same machine for as long as `make soak` wants."""
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Faults, settings=settings(max_examples=1_500, stateful_step_count=30, deadline=None))
