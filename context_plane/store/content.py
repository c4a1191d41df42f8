"""Writes many content-addressed objects with several threads, in constant memory.

Here belongs only the handing out of work. How many threads pay off is for each kind of store to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Final

Item = tuple[str, bytes]
Put = Callable[[str, bytes], None]

_BYTES_IN_FLIGHT: Final = 64 << 20


@dataclass(frozen=True)
class Pace:
    """How one kind of store likes to be written to."""

    threads: int
    portion: int
    """Items that one thread takes at a time."""


def put_all(put: Put, items: Iterable[Item], pace: Pace) -> None:
    """Calls `put` for every item; raises the first error. Threads are started where there is more than one portion.

    At most two portions a thread, and 64 MiB (or one larger item), have been taken from `items` and not written.
    """
    portions = _portions(items, pace.portion)
    first = next(portions, [])
    second = next(portions, None)
    if second is None:
        _put_portion(put, first)
        return
    with ThreadPoolExecutor(pace.threads, thread_name_prefix="put") as threads:
        running: deque[tuple[Future[None], int]] = deque()
        flying = 0
        try:
            for portion in chain((first, second), portions):
                size = sum(len(body) for _, body in portion)
                # One fewer than may be taken: while these are written the next is being filled.
                while running and (len(running) == 2 * pace.threads - 1 or flying + size > _BYTES_IN_FLIGHT):
                    flying -= _finish(running)
                running.append((threads.submit(_put_portion, put, portion), size))
                flying += size
            while running:
                _finish(running)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _finish(running: deque[tuple[Future[None], int]]) -> int:
    """Waits for the oldest portion; its bytes."""
    future, size = running.popleft()
    future.result()
    return size


def _put_portion(put: Put, portion: list[Item]) -> None:
    for key, body in portion:
        put(key, body)


def _portions(items: Iterable[Item], count: int) -> Iterator[list[Item]]:
    """The items in order, cut into portions of bounded count and bytes."""
    portion: list[Item] = []
    size = 0
    for item in items:
        portion.append(item)
        size += len(item[1])
        if len(portion) == count or size >= _BYTES_IN_FLIGHT // 16:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
