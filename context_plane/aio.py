"""`AsyncContextPlane`: the façade for code that runs in an event loop; every call runs in a worker thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar

from context_plane.plane import ContextPlane

if TYPE_CHECKING:
    from context_plane.bundles.answers.replay import Replayed
    from context_plane.bundles.bundle import Bundle
    from context_plane.tenant import Cut

_AT_ONCE: Final = 256
P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    method: Callable[Concatenate[ContextPlane, P], T],
) -> Callable[Concatenate[AsyncContextPlane, P], Coroutine[Any, Any, T]]:
    """The method in a worker thread, with its signature and docstring."""

    @wraps(method)
    async def call(self: AsyncContextPlane, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(method, self.plane, *args, **kwargs)

    return call


class AsyncContextPlane:
    """The same names as `ContextPlane`, awaitable. Callbacks run in the worker thread."""

    def __init__(self, plane: ContextPlane) -> None:
        self.plane = plane

    @classmethod
    def open(cls, home: str | os.PathLike[str] | None = None, **overrides: Any) -> AsyncContextPlane:
        """See `ContextPlane.open`; reads no more than `plane.toml`, so it does not block."""
        return cls(ContextPlane.open(home, **overrides))

    ingest = _awaited(ContextPlane.ingest)
    bundle = _awaited(ContextPlane.bundle)
    entities = _awaited(ContextPlane.entities)
    timeline = _awaited(ContextPlane.timeline)
    sql = _awaited(ContextPlane.sql)
    snapshot = _awaited(ContextPlane.snapshot)
    tenants = _awaited(ContextPlane.tenants)
    specs = _awaited(ContextPlane.specs)
    search = _awaited(ContextPlane.search)
    warm = _awaited(ContextPlane.warm)
    learn = _awaited(ContextPlane.learn)
    topics = _awaited(ContextPlane.topics)
    topic = _awaited(ContextPlane.topic)
    lookup = _awaited(ContextPlane.lookup)
    remember = _awaited(ContextPlane.remember)
    remember_many = _awaited(ContextPlane.remember_many)
    link = _awaited(ContextPlane.link)
    recall = _awaited(ContextPlane.recall)
    node = _awaited(ContextPlane.node)
    nodes = _awaited(ContextPlane.nodes)
    chain = _awaited(ContextPlane.chain)
    package = _awaited(ContextPlane.package)
    packages = _awaited(ContextPlane.packages)
    build_packages = _awaited(ContextPlane.build_packages)
    verify_package = _awaited(ContextPlane.verify_package)
    compose = _awaited(ContextPlane.compose)
    export_package = _awaited(ContextPlane.export_package)
    import_package = _awaited(ContextPlane.import_package)
    proposals = _awaited(ContextPlane.proposals)
    constraints = _awaited(ContextPlane.constraints)
    context = _awaited(ContextPlane.context)
    receipt = _awaited(ContextPlane.receipt)
    receipts = _awaited(ContextPlane.receipts)
    replay = _awaited(ContextPlane.replay)
    run = _awaited(ContextPlane.run)
    start = _awaited(ContextPlane.start)
    dry_run = _awaited(ContextPlane.dry_run)
    resume = _awaited(ContextPlane.resume)
    cancel = _awaited(ContextPlane.cancel)
    pause = _awaited(ContextPlane.pause)
    execution = _awaited(ContextPlane.execution)
    executions = _awaited(ContextPlane.executions)
    react = _awaited(ContextPlane.react)
    due = _awaited(ContextPlane.due)
    start_due = _awaited(ContextPlane.start_due)
    processes = _awaited(ContextPlane.processes)
    check_processes = _awaited(ContextPlane.check_processes)
    process = _awaited(ContextPlane.process)
    find_processes = _awaited(ContextPlane.find_processes)
    process_history = _awaited(ContextPlane.process_history)
    process_diff = _awaited(ContextPlane.process_diff)
    process_problems = _awaited(ContextPlane.process_problems)
    registry = _awaited(ContextPlane.registry)
    gateway = _awaited(ContextPlane.gateway)
    close = _awaited(ContextPlane.close)

    async def bundles(
        self, tenant: str, spec: str, *, as_of: Cut = None, known_at: int | None = None
    ) -> AsyncIterator[Bundle]:
        """See `ContextPlane.bundles`; fetched some hundreds at a time."""
        stream = await asyncio.to_thread(self.plane.bundles, tenant, spec, as_of=as_of, known_at=known_at)
        async for bundle in _portioned(stream, _AT_ONCE):
            yield bundle

    async def replay_all(self, tenant: str | None = None) -> AsyncIterator[Replayed]:
        """See `ContextPlane.replay_all`."""
        async for replayed in _portioned(self.plane.replay_all(tenant), 1):
            yield replayed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _portioned(stream: Iterator[T], count: int) -> AsyncIterator[T]:
    """The items of an iterator that blocks, so many fetched at a time."""
    while group := await asyncio.to_thread(lambda: list(islice(stream, count))):
        for item in group:
            yield item
