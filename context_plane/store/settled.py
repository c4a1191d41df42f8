"""`create_settled`: creating a numbered object when replies get lost.

Two answers of a store are not answers. `Unavailable` may hide a write that landed. "Already exists" may be a conflict
reported while nothing exists (HTTP 409), or our own write that the client library sent twice. So neither is believed:
the object is read back and the caller says whether it is the caller's own (commit records carry a put-id for that).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from context_plane.errors import NotFound, Unavailable
from context_plane.store.base import Store

_TRIES: Final = 8
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


def create_settled(
    store: Store,
    key: str,
    body: bytes,
    mine: Callable[[bytes], bool],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Creates a numbered object: True where it is now there, durable, and the caller's; False where it is another's.

    `mine` is given the bytes found. Where that cannot be learned in 8 tries (5 s of pauses), or the record found cannot
    be made durable, raises `Unavailable`: the write may have landed or may land yet, and calling again with the same
    body is safe.
    """
    for attempt in range(_TRIES):
        if attempt:
            sleep(min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE))
        try:
            if store.create(key, body):
                return True
        except Unavailable:
            pass
        try:
            found = store.get(key)
        except (NotFound, Unavailable):
            continue
        if not mine(found):
            return False
        store.sync()  # found is not yet durable: its name may be on no disk where the writer was killed
        return True
    raise Unavailable(
        "the store gives no answer that settles whether an object was created",
        where=f"{store.url}/{key}",
        remedy="run the same command again; if it did land, that is noticed",
    )
