"""`probe`: refuses a store that does not do what the log relies on.

Some S3 look-alikes answer 200 to a conditional write and overwrite (npm `s3rver`): two writers would then both own one
commit number. Nothing else in the plane could notice, so writers probe before the first write.
"""

from __future__ import annotations

import contextlib
from typing import Final
from uuid import uuid4

from context_plane.errors import ContextPlaneError, Corrupt, Denied
from context_plane.store.base import Store
from context_plane.store.settled import create_settled

_FOLDER: Final = "probe/"
_FIRST: Final = b"first writer"
_SECOND: Final = b"second one, longer"
_REMEDY: Final = "use a local folder, or an S3 store that supports If-None-Match (AWS, Ceph, R2, MinIO)"

_trusted: set[tuple[str, str]] = set()


def probe(store: Store) -> None:
    """Raises `Denied`, naming the capability, where the store lacks one; asks each store once per process.

    Writes, reads and removes one object under ``probe/``. Raises what the store raises where it cannot be written.
    """
    identity = (type(store).__qualname__, store.url)
    if identity in _trusted:
        return
    key = f"{_FOLDER}{uuid4().hex}"
    try:
        lacking = _first_lacking(store, key)
    finally:
        with contextlib.suppress(ContextPlaneError):  # what the store could not do says more
            store.delete(key)
    if lacking:
        raise Denied(f"the store does not support {lacking}", where=store.url, remedy=_REMEDY)
    _trusted.add(identity)


def _first_lacking(store: Store, key: str) -> str | None:
    """The first capability that the store lacks."""
    if not create_settled(store, key, _FIRST, _FIRST.__eq__):
        return "create-if-absent (it reports an object that is not there)"
    if create_settled(store, key, _SECOND, _SECOND.__eq__) or store.get(key) != _FIRST:
        return "create-if-absent (a second writer overwrote the first)"
    if store.head(key) != len(_FIRST):
        return "reading back what was written"
    try:
        middle = store.get_range(key, 2, 5)
    except Corrupt:
        middle = b""
    if middle != _FIRST[2:7]:
        return "range reads"
    if key not in store.list(_FOLDER, after=key[:-1]):
        return "listing what was just written"
    return None
