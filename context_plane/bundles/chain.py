"""The chain of a spec's packs in one snapshot: which bundle holds for an entity at an instant.

Each pack holds the differences to the one before, so an entity's bundle at a pack's instant is in the newest pack up to
there that names it. It holds on after that instant while nothing happened to the entity and nothing left its windows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from context_plane.bundles.pack import Pack, entity_hash
from context_plane.store import keys

if TYPE_CHECKING:
    from context_plane.parts.files import Files, Object
    from context_plane.parts.part import Part

_ROW_BITS: Final = 32
_ROW_MASK: Final = (1 << _ROW_BITS) - 1
_PER_PACK: Final = 1_024
_PER_ENTITY: Final = 136
"""Bytes of an entry of a dictionary of numbers."""
Place = tuple[Pack, int]


class Chain:
    """Packs oldest first, memory-mapped as they are needed."""

    def __init__(self, tenant: str, spec: str, parts: Sequence[Part], files: Files) -> None:
        self._tenant = tenant
        self._spec = spec
        self._parts = parts
        self._files = files
        self._packs: list[Pack | None] = [None] * len(parts)
        self._instants = [part.instant or 0 for part in parts]
        self._newest: dict[int, int] | None = None

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about: the packs themselves are memory-mapped."""
        return _PER_PACK * len(self._parts) + _PER_ENTITY * len(self._newest or ())

    def load(self) -> None:
        """Fetches all packs, and finds the newest bundle of every entity."""
        self._fetch(len(self._parts) - 1)
        if self._newest is None and self._parts:
            self._newest = self._heads(len(self._parts) - 1)
            self._files.grown()

    def find(self, entity: str, instant: int) -> bytes | None:
        """The body of the entity's bundle at an instant, or `None` where packs cannot tell."""
        at = self._before(instant)
        if at < 0:
            return None
        hashed = entity_hash(entity)
        between = self._between(at, instant)
        if between is not None and between.find(entity, hashed) is not None:
            return None
        place = self._newest_place(entity, hashed) if at + 1 == len(self._parts) else self._walk(at, entity, hashed)
        if place is None:
            return None
        pack, row = place
        return pack.body(row) if pack.valid_through[row] >= instant else None

    def split(self, instant: int, touched: Collection[str]) -> tuple[dict[str, Place], list[str]] | None:
        """Bundles that hold at an instant, by entity, and the entities whose bundle must be computed.

        `touched` are entities of which the tail knows more than the packs. `None` where no pack is old enough.
        """
        at = self._before(instant)
        if at < 0:
            return None
        between = self._between(at, instant)
        changing = set(touched)
        if between is not None:
            changing.update(between.entity(row) for row in range(between.count))
        held: dict[str, Place] = {}
        rest = set(changing)
        for place in self._heads(at).values():
            pack, row = self._pack(place >> _ROW_BITS), place & _ROW_MASK
            entity = pack.entity(row)
            if entity in changing or pack.valid_through[row] < instant:
                rest.add(entity)
            else:
                held[entity] = (pack, row)
        return held, sorted(rest)

    def knows(self, entity: str, instant: int) -> bool:
        """Whether a pack up to an instant names the entity."""
        at = self._before(instant)
        return at >= 0 and self._walk(at, entity, entity_hash(entity)) is not None

    def _before(self, instant: int) -> int:
        """Index of the newest pack at or before an instant; -1 where there is none."""
        if instant >= self._instants[-1]:
            return len(self._instants) - 1
        return bisect_right(self._instants, instant) - 1

    def _between(self, at: int, instant: int) -> Pack | None:
        """The pack after `at` where the instant lies between the two: whom it names, something happened to."""
        if instant == self._instants[at] or at + 1 == len(self._parts):
            return None
        return self._pack(at + 1)

    def _newest_place(self, entity: str, hashed: int) -> Place | None:
        self.load()
        assert self._newest is not None
        place = self._newest.get(hashed)
        if place is None:
            return None
        pack, row = self._pack(place >> _ROW_BITS), place & _ROW_MASK
        if pack.entity(row) == entity:
            return pack, row
        return self._walk(len(self._parts) - 1, entity, hashed)  # two entities share the hash: the tables decide

    def _walk(self, at: int, entity: str, hashed: int) -> Place | None:
        for index in range(at, -1, -1):
            pack = self._pack(index)
            if (row := pack.find(entity, hashed)) is not None:
                return pack, row
        return None

    def _heads(self, at: int) -> dict[int, int]:
        """Pack and row of each entity's newest bundle up to pack `at`, by hash: decoding names costs ten times more.

        Of two entities with one 64-bit hash only one is in it (at a million entities: once in 37 million snapshots).
        """
        heads: dict[int, int] = {}
        self._fetch(at)
        for index in range(at + 1):
            base = index << _ROW_BITS
            heads.update((hashed, base | row) for hashed, row in self._pack(index).index())
        return heads

    def _fetch(self, at: int) -> None:
        """Fetches the packs up to one from a remote store, in parallel."""
        self._files.prefetch(self._object(index) for index in range(at + 1) if self._packs[index] is None)

    def _object(self, index: int) -> Object:
        part = self._parts[index]
        return keys.pack(self._tenant, self._spec, part.date, part.version), part.version, part.size

    def _pack(self, index: int) -> Pack:
        pack = self._packs[index]
        if pack is None:
            found = self._object(index)
            pack = self._packs[index] = Pack(self._files.map(*found), found[0])
        return pack
