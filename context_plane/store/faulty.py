"""`FaultyStore`: a simulated disk or network in front of a real store, for property tests. Deterministic by its seed.

Here belong the faults that a store can show to a process that survives them, and `crash()` for the process that does
not. What the plane makes of them is for the tests to say. Faults of a process at a known place are in `faults`.

=============  ========================================================================================================
fault          what happens
=============  ========================================================================================================
``fail``       nothing is done, `Unavailable`; of many objects put, only some are written; a failed sync makes nothing
               durable, and what was put before it stays volatile until it is put again (Linux drops dirty pages so)
``lose``       it is done, but the reply is lost: `Unavailable`
``late``       `create` only: `Unavailable`, and the request lands before a later operation, or at the crash, or never
``conflict``   `create` only: False, although nothing is there (HTTP 409)
``duplicate``  the write arrives twice; of `create`, the second answer is returned
``delay``      the injected clock moves on; otherwise as usual
=============  ========================================================================================================
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from context_plane.errors import NotFound, Unavailable
from context_plane.store.base import Names, Store

Fault = Literal["fail", "lose", "late", "conflict", "duplicate", "delay"]
Plan = Mapping[tuple[str, int], Fault]
Rates = Mapping[Fault, float]

ROUGH: Final[Rates] = {"fail": 0.05, "lose": 0.1, "late": 0.05, "conflict": 0.05, "duplicate": 0.1, "delay": 0.1}
"""Rates at which most schedules of some ten operations meet a fault and still end."""

_LONGEST_DELAY: Final = 30.0
_LANDS: Final = 0.3  # chance of a late request to land before the next operation


class FaultyStore:
    """A store with faults: by `rates` (chance per operation), and by `plan` at the n-th call (from 1) of an operation.

    `clock` is told how many seconds pass. Content that was not synced is lost or torn at `crash()`. For one thread: the
    order of calls is part of the schedule.
    """

    def __init__(
        self,
        inner: Store,
        dice: random.Random,
        *,
        rates: Rates | None = None,
        plan: Plan | None = None,
        clock: Callable[[float], None] | None = None,
    ) -> None:
        self._inner = inner
        self._dice = dice
        self._rates = dict(rates or {})
        self._plan = dict(plan or {})
        self._clock = clock or (lambda _: None)
        self._calls: Counter[str] = Counter()
        self._late: list[tuple[str, bytes]] = []
        self._volatile: dict[str, bytes] = {}  # put, and durable at the next sync
        self._dropped: dict[str, bytes] = {}  # put before a failed sync: no later sync makes it durable
        self.faults: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """The inner store's."""
        return self._inner.url

    @property
    def local(self) -> bool:
        """The inner store's."""
        return self._inner.local

    def get(self, key: str) -> bytes:
        """As the inner store, or `Unavailable`."""
        self._read("get")
        return self._inner.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """As the inner store, or `Unavailable`."""
        self._read("get_range")
        return self._inner.get_range(key, start, length)

    def head(self, key: str) -> int | None:
        """As the inner store, or `Unavailable`."""
        self._read("head")
        return self._inner.head(key)

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """As the inner store, or `Unavailable`."""
        self._read("list")
        return self._inner.list(prefix, after)

    def children(self, prefix: str) -> Names:
        """As the inner store, or `Unavailable`."""
        self._read("children")
        return self._inner.children(prefix)

    def path(self, key: str) -> Path | None:
        """As the inner store."""
        return self._inner.path(key)

    def create(self, key: str, body: bytes) -> bool:
        """As the inner store, with every fault. Durable when True."""
        fault = self._draw("create")
        if fault == "late":
            self._late.append((key, body))
        if fault in ("fail", "late"):
            raise self._unavailable("create", key)
        if fault == "conflict" and self._inner.head(key) is None:
            return False
        created = self._inner.create(key, body)
        if fault == "duplicate":
            created = self._inner.create(key, body)
        if fault == "lose":
            raise self._unavailable("create", key)
        return created

    def put_content(self, items: Iterable[tuple[str, bytes]]) -> None:
        """As the inner store, volatile until `sync`; one draw for all, so that a fault hits some of them."""
        fault = self._draw("put_content")
        for key, body in items:
            if fault == "fail" and self._dice.random() < 0.5:
                raise self._unavailable("put_content", key)
            self._put(key, body)
            if fault == "duplicate":
                self._put(key, body)
        if fault in ("fail", "lose"):
            raise self._unavailable("put_content", "")

    def sync(self) -> None:
        """As the inner store. Where it fails before it is done, what was put must be put again."""
        fault = self._draw("sync")
        if fault == "fail":
            self._dropped.update(self._volatile)
            self._volatile.clear()
            raise self._unavailable("sync", "")
        self._inner.sync()
        self._volatile.clear()
        if fault == "lose":
            raise self._unavailable("sync", "")

    def delete(self, key: str) -> None:
        """As the inner store, or `Unavailable` before or after."""
        fault = self._draw("delete")
        if fault == "fail":
            raise self._unavailable("delete", key)
        self._inner.delete(key)
        self._volatile.pop(key, None)
        self._dropped.pop(key, None)
        if fault == "lose":
            raise self._unavailable("delete", key)

    def crash(self) -> None:
        """The power goes: unsynced content is lost, cut short or, by luck, kept; late requests land or do not."""
        for key, body in {**self._dropped, **self._volatile}.items():
            fate = self._dice.choice(("lost", "torn", "kept"))
            if fate == "kept":
                continue
            self._inner.delete(key)
            if fate == "torn":
                self._inner.put_content([(key, body[: self._dice.randrange(len(body) + 1)])])
        self._volatile.clear()
        self._dropped.clear()
        for key, body in self._late:
            if self._dice.random() < 0.5:
                self._inner.create(key, body)
        self._late.clear()

    def _put(self, key: str, body: bytes) -> None:
        """Puts one object; what was durable stays so."""
        waiting = key in self._volatile or key in self._dropped
        if not waiting and self._held(key) == body:
            return
        self._inner.put_content([(key, body)])
        self._dropped.pop(key, None)
        self._volatile[key] = body

    def _held(self, key: str) -> bytes | None:
        try:
            return self._inner.get(key)
        except NotFound:
            return None

    def _read(self, operation: str) -> None:
        if self._draw(operation) in ("fail", "lose"):
            raise self._unavailable(operation, "")

    def _draw(self, operation: str) -> Fault | None:
        """The fault of this call, if any; lets late requests land first."""
        self._land()
        self._calls[operation] += 1
        fault = self._plan.get((operation, self._calls[operation])) or self._by_chance()
        if fault:
            self.faults[fault] += 1
        if fault == "delay":
            self._clock(self._dice.uniform(0, _LONGEST_DELAY))
        return fault

    def _by_chance(self) -> Fault | None:
        """One throw a call, so that the seed's sequence does not depend on what the operation is."""
        point = self._dice.random()
        for fault, rate in self._rates.items():
            if point < rate:
                return fault
            point -= rate
        return None

    def _land(self) -> None:
        waiting, self._late = self._late, []
        for key, body in waiting:
            if self._dice.random() < _LANDS:
                self._inner.create(key, body)
            else:
                self._late.append((key, body))

    def _unavailable(self, operation: str, key: str) -> Unavailable:
        return Unavailable(f"injected fault in {operation}", where=f"{self.url}/{key}", remedy="try again")
