"""Building: what is made of a tenant's knowledge ahead of time, and the checks of it.

Here belongs what the asset `knowledge` calls: the table, whether every version has all its chunks, and whether they are
found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from context_plane.errors import Corrupt
from context_plane.instants import DAY
from context_plane.knowledge.catalog import Catalog, Change, Head
from context_plane.knowledge.events import SOURCE, is_whole
from context_plane.knowledge.topic import Topic, TopicInfo
from context_plane.parts.part import FULLTEXT, Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from context_plane.log.history import History
    from context_plane.parts.files import Files
    from context_plane.parts.snapshots import Snapshots


@dataclass(frozen=True)
class Built:
    """What a tenant knows, and what became of it."""

    tenant: str
    topics: tuple[TopicInfo, ...]
    """Those that there are, by name."""
    written: int
    """Rows of the table that were lacking or told otherwise."""
    deleted: int
    """Rows of the table that no version has any more."""
    broken: tuple[str, ...]
    """Topics whose chunks are not the file that their version was made of."""
    unindexed: tuple[str, ...]
    """Topics of which a chunk is in no full-text index, although their day's holds the commit that brought them."""
    fresh: int
    """Topics that are so new that the index does not hold them yet: the tail answers for them."""


def build(history: History, snapshots: Snapshots, files: Files) -> Built | None:
    """Brings a tenant's table up to date, and checks its topics; `None` where it never knew any.

    Raises `Corrupt` for what does not read at all, `Unavailable`.
    """
    catalog, head = Catalog(), Head(history, history.refresh())
    if not catalog.knows_any(head):
        return None
    from context_plane.knowledge import table

    current = catalog.current(head)
    changes = {name: change for name in current if (change := catalog.newest(head, name)[0]) is not None}
    broken = [name for name, change in changes.items() if not _is_whole(catalog, history, change)]
    whole = {name: change for name, change in changes.items() if name not in broken}
    shards = _Shards(history.tenant, files, snapshots.current().of(FULLTEXT))
    fresh = [name for name, change in whole.items() if shards.part_of(change) is None]
    unindexed = [
        name
        for name, change in whole.items()
        if name not in fresh and not shards.hold(change, catalog.topic(history, change))
    ]
    written, deleted = table.settle(catalog, head) if not broken else (0, 0)
    topics = tuple(current.values())
    return Built(history.tenant, topics, written, deleted, tuple(broken), tuple(unindexed), len(fresh))


def _is_whole(catalog: Catalog, history: History, change: Change) -> bool:
    try:
        return is_whole(catalog.topic(history, change))
    except Corrupt:
        return False


class _Shards:
    """The full-text index as it is built, day by day."""

    def __init__(self, tenant: str, files: Files, parts: Mapping[int, Part]) -> None:
        self._tenant = tenant
        self._files = files
        self._parts = parts
        self._keys: dict[int, NDArray[Any]] = {}

    def part_of(self, change: Change) -> Part | None:
        """The shard that should hold a change; `None` where it came after."""
        part = self._parts.get(change.at // DAY)
        return part if part is not None and part.number >= change.number else None

    def hold(self, change: Change, topic: Topic) -> bool:
        """Whether all chunks of a topic are in its day's shard."""
        import numpy as np

        from context_plane.retrieval.text.documents import event_key

        wanted: Sequence[int] = [event_key(SOURCE, chunk.event_id) for chunk in topic.chunks]
        return bool(np.isin(np.array(wanted, np.uint64), self._keys_of(change.at // DAY)).all())

    def _keys_of(self, day: int) -> NDArray[Any]:
        from context_plane.parts.daily import open_part
        from context_plane.retrieval.shards import fulltext

        if day not in self._keys:
            body = open_part(self._files, self._tenant, FULLTEXT, self._parts[day])
            self._keys[day] = fulltext.decode(*body).arrays["key"]
        return self._keys[day]
