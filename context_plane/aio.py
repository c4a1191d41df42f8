"""`AsyncContextPlane`: the façade for code that runs in an event loop; every call runs in a worker thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

from context_plane.plane import ContextPlane, Events
from context_plane.tenant import Cut

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.bundles.bundle import Bundle
    from context_plane.bundles.spec import ContextSpec
    from context_plane.log.outcome import Commit
    from context_plane.memory.chains.walk import Direction, Walk
    from context_plane.parts.snapshots import Snapshot
    from context_plane.retrieval.hit import Hit
    from context_plane.retrieval.searcher import Asked

_AT_ONCE: Final = 256


class AsyncContextPlane:
    """The same names as `ContextPlane`, awaitable. The docstrings are there."""

    def __init__(self, plane: ContextPlane) -> None:
        self.plane = plane

    @classmethod
    def open(cls, home: str | os.PathLike[str] | None = None, **overrides: Any) -> AsyncContextPlane:
        """See `ContextPlane.open`; reads no more than `plane.toml`, so it does not block."""
        return cls(ContextPlane.open(home, **overrides))

    async def ingest(
        self,
        tenant: str,
        events: Events,
        *,
        source: str | None = None,
        skip_bad: bool = False,
        batch_id: str | None = None,
        on_reject: Callable[[int, str, Any], None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Commit:
        """See `ContextPlane.ingest`; the callbacks run in the worker thread."""
        return await asyncio.to_thread(
            self.plane.ingest,
            tenant,
            events,
            source=source,
            skip_bad=skip_bad,
            batch_id=batch_id,
            on_reject=on_reject,
            progress=progress,
        )

    async def bundle(
        self, tenant: str, entity: str, spec: str | None = None, *, as_of: Cut = None, known_at: int | None = None
    ) -> Bundle:
        """See `ContextPlane.bundle`."""
        return await asyncio.to_thread(self.plane.bundle, tenant, entity, spec, as_of=as_of, known_at=known_at)

    async def bundles(
        self, tenant: str, spec: str, *, as_of: Cut = None, known_at: int | None = None
    ) -> AsyncIterator[Bundle]:
        """See `ContextPlane.bundles`; fetched some hundreds at a time."""
        stream = await asyncio.to_thread(self.plane.bundles, tenant, spec, as_of=as_of, known_at=known_at)
        while group := await asyncio.to_thread(lambda: list(islice(stream, _AT_ONCE))):
            for bundle in group:
                yield bundle

    async def search(
        self,
        tenant: str,
        query: str,
        *,
        entity: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
        labels: str | Sequence[str] | None = None,
        since: Cut = None,
        until: Cut = None,
        as_of: Cut = None,
        known_at: int | None = None,
        mode: Asked = "auto",
        k: int = 10,
        vector: Any = None,
    ) -> list[Hit]:
        """See `ContextPlane.search`."""
        return await asyncio.to_thread(
            self.plane.search,
            tenant,
            query,
            entity=entity,
            type=type,
            labels=labels,
            since=since,
            until=until,
            as_of=as_of,
            known_at=known_at,
            mode=mode,
            k=k,
            vector=vector,
        )

    async def chain(
        self,
        tenant: str,
        start: str,
        *,
        direction: Direction = "back",
        depth: int = 10,
        kinds: str | Sequence[str] | None = None,
        max_tokens: int | None = None,
        as_of: Cut = None,
        known_at: int | None = None,
    ) -> Walk:
        """See `ContextPlane.chain`."""
        return await asyncio.to_thread(
            self.plane.chain, tenant, start, direction=direction, depth=depth, kinds=kinds, max_tokens=max_tokens,
            as_of=as_of, known_at=known_at,
        )  # fmt: skip

    async def warm(self, tenant: str) -> None:
        """See `ContextPlane.warm`."""
        await asyncio.to_thread(self.plane.warm, tenant)

    async def snapshot(self, tenant: str) -> Snapshot | None:
        """See `ContextPlane.snapshot`."""
        return await asyncio.to_thread(self.plane.snapshot, tenant)

    async def entities(
        self, tenant: str, type: str | None = None, *, as_of: Cut = None, known_at: int | None = None
    ) -> list[str]:
        """See `ContextPlane.entities`."""
        return await asyncio.to_thread(self.plane.entities, tenant, type, as_of=as_of, known_at=known_at)

    async def timeline(
        self,
        tenant: str,
        entity: str,
        *,
        since: Cut = None,
        until: Cut = None,
        as_of: Cut = None,
        known_at: int | None = None,
    ) -> pa.Table:
        """See `ContextPlane.timeline`."""
        return await asyncio.to_thread(
            self.plane.timeline, tenant, entity, since=since, until=until, as_of=as_of, known_at=known_at
        )

    async def sql(self, tenant: str, query: str, *, as_of: Cut = None, known_at: int | None = None) -> pa.Table:
        """See `ContextPlane.sql`."""
        return await asyncio.to_thread(self.plane.sql, tenant, query, as_of=as_of, known_at=known_at)

    async def tenants(self) -> list[str]:
        """See `ContextPlane.tenants`."""
        return await asyncio.to_thread(self.plane.tenants)

    async def specs(self) -> dict[str, ContextSpec]:
        """See `ContextPlane.specs`."""
        return await asyncio.to_thread(self.plane.specs)

    async def close(self) -> None:
        """See `ContextPlane.close`."""
        await asyncio.to_thread(self.plane.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
