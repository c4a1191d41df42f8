"""The memory tier: what a process holds decoded, bounded by bytes, with adaptive replacement.

ARC (Megiddo and Modha, FAST 2003), counting bytes instead of pages: what was asked for once and what was asked for
again compete for one budget, and what each lost lately decides who gets more of it. So a scan over all tenants does not
push out those that are asked for all day.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, Protocol

_REMEMBERED: Final = 4_096
"""Names of evicted entries that are remembered, at most, and of entries whose uses are counted."""


class Sized(Protocol):
    """Something that says how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes; may change while it is held."""


@dataclass
class _Entry:
    value: Any
    size: int


class Arc:
    """Entries by key, at most `capacity` bytes of them, except that one may be larger alone. Safe for threads.

    What an entry takes is asked again whenever something is added or `measure` is called, because indexes grow while
    they are used.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.hits = self.misses = self.evictions = 0
        self.uses: dict[Hashable, int] = {}
        """How often each key was asked for lately, whether it was there or not."""
        self._once: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._again: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lost_once: OrderedDict[Hashable, int] = OrderedDict()
        self._lost_again: OrderedDict[Hashable, int] = OrderedDict()
        self._share = 0
        """Bytes that entries asked for once may take before others have to go."""
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """The value under a key, or `None`."""
        with self._lock:
            self.uses[key] = self.uses.get(key, 0) + 1
            if len(self.uses) > _REMEMBERED:
                self._forget_rare()
            entry = self._again.get(key)
            if entry is not None:
                self._again.move_to_end(key)
            else:
                entry = self._once.pop(key, None)
                if entry is None:
                    self.misses += 1
                    return None
                self._again[key] = entry
            self.hits += 1
            return entry.value

    def put(self, key: Hashable, value: Sized) -> None:
        """Holds a value under a key; what has to go for it is dropped."""
        with self._lock:
            size = value.nbytes
            if key in self._again or key in self._once:
                (self._again if key in self._again else self._once)[key] = _Entry(value, size)
            elif key in self._lost_once:
                ratio = max(1.0, sum(self._lost_again.values()) / max(1, sum(self._lost_once.values())))
                self._share = min(self.capacity, self._share + int(size * ratio))
                del self._lost_once[key]
                self._again[key] = _Entry(value, size)
            elif key in self._lost_again:
                ratio = max(1.0, sum(self._lost_once.values()) / max(1, sum(self._lost_again.values())))
                self._share = max(0, self._share - int(size * ratio))
                del self._lost_again[key]
                self._again[key] = _Entry(value, size)
            else:
                self._once[key] = _Entry(value, size)
            self._fit(key)

    def obtain(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The value under a key, made and held where it is not there. Of two made at once one stays."""
        found = self.get(key)
        if found is None:
            made = make()
            with self._lock:
                entry = self._again.get(key) or self._once.get(key)
            if entry is not None:
                return entry.value
            self.put(key, found := made)
        return found

    def measure(self) -> None:
        """Asks every entry again what it takes, and drops what has to go."""
        with self._lock:
            self._fit(None)

    def drop(self, wanted: Callable[[Hashable], bool]) -> None:
        """Forgets the entries whose keys are wanted, and that they ever were."""
        with self._lock:
            for held in (self._once, self._again, self._lost_once, self._lost_again, self.uses):
                for key in [key for key in held if wanted(key)]:
                    del held[key]

    @property
    def used(self) -> int:
        """Bytes of all entries, as last measured."""
        with self._lock:
            return self._bytes(self._once) + self._bytes(self._again)

    def __len__(self) -> int:
        return len(self._once) + len(self._again)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._once or key in self._again

    def _forget_rare(self) -> None:
        for key in sorted(self.uses, key=self.uses.__getitem__)[: _REMEMBERED // 2]:
            del self.uses[key]

    def _fit(self, newest: Hashable) -> None:
        for held in (self._once, self._again):
            for entry in held.values():
                entry.size = entry.value.nbytes
        once, again = self._bytes(self._once), self._bytes(self._again)
        while once + again > self.capacity and len(self) > 1:
            from_once = bool(self._once) and (once > self._share or not self._again)
            held, lost = (self._once, self._lost_once) if from_once else (self._again, self._lost_again)
            key = next(iter(held))
            if key == newest:  # what was just asked for is the last to go
                other = self._again if from_once else self._once
                if len(held) > 1:
                    held.move_to_end(key)
                    continue
                held, lost, from_once = other, self._lost_again if from_once else self._lost_once, not from_once
                key = next(iter(held))
            size = held.pop(key).size
            lost[key] = size
            self.evictions += 1
            once, again = (once - size, again) if from_once else (once, again - size)
        for lost in (self._lost_once, self._lost_again):
            while lost and (len(lost) > _REMEMBERED or sum(lost.values()) > self.capacity):
                lost.popitem(last=False)

    @staticmethod
    def _bytes(held: OrderedDict[Hashable, _Entry]) -> int:
        return sum(entry.size for entry in held.values())
