"""`ObjectStore`: S3-compatible stores and memory, through obstore.

Imported only when such a store is opened. Here belong the settings and the use of obstore; what its errors mean is in
`replies`. What an object store acknowledged is durable, so `sync` has nothing to do. Not for use on both sides of a
`fork`: obstore's threads do not survive it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import MemoryStore, S3Store

from context_plane.errors import Corrupt, InputError, NotFound
from context_plane.store.base import Names, check_key, check_prefix, check_range
from context_plane.store.content import Pace, put_all
from context_plane.store.replies import FOREIGN, translated

if TYPE_CHECKING:
    from obstore.store import S3Config

_PACE: Final = Pace(threads=64, portion=1)
_SINGLE_PUT: Final = 16 << 20  # larger content goes up in parts, so that no request outlives its timeout
_RETRY_FOR: Final = timedelta(seconds=60)

_memories: dict[str, MemoryStore] = {}
_memories_lock: Final = threading.Lock()


def open_memory(name: str) -> ObjectStore:
    """The process's memory store of that name."""
    with _memories_lock:
        return ObjectStore(_memories.setdefault(name, MemoryStore()), f"memory://{name}")


def open_s3(bucket: str, prefix: str, retry_for: timedelta = _RETRY_FOR) -> ObjectStore:
    """A bucket, or a folder of it, with the usual AWS variables. No request is made yet.

    A custom endpoint is addressed in path style and may be plain HTTP; AWS itself in virtual-hosted style, except for
    bucket names with dots, which its certificate does not cover. `InputError` without a bucket.
    """
    prefix = prefix.strip("/")
    if not bucket:
        raise InputError("an S3 URL needs a bucket", remedy="write s3://bucket/prefix")
    if prefix:
        check_key(prefix)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    custom: S3Config = {"endpoint": endpoint} if endpoint else {}
    store = S3Store(
        bucket,
        prefix=prefix or None,
        config=custom,
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        virtual_hosted_style_request=not endpoint and "." not in bucket,
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": "5s",
            "timeout": "60s",
        },
        retry_config={"max_retries": 10, "retry_timeout": retry_for},
    )
    return ObjectStore(store, f"s3://{bucket}/{prefix}".rstrip("/"))


class ObjectStore:
    """Objects in a bucket or in memory. Safe across threads; S3 across processes and machines too."""

    def __init__(self, store: S3Store | MemoryStore, url: str) -> None:
        self._store = store
        self._url = url

    @property
    def url(self) -> str:
        """``s3://bucket/prefix`` or ``memory://name``."""
        return self._url

    @property
    def local(self) -> bool:
        """False: there are no local files."""
        return False

    def __repr__(self) -> str:
        return f"ObjectStore({self._url!r})"

    def get(self, key: str) -> bytes:
        """The whole object; `NotFound` where it is absent."""
        try:
            return bytes(obstore.get(self._store, check_key(key)).bytes())
        except FOREIGN as error:
            raise translated(error, self._where(key)) from None

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Exactly the bytes ``[start, start + length)``; `NotFound`, or `Corrupt` where the object ends before."""
        check_range(start, length)
        body, failure = b"", None
        if length:
            try:
                body = bytes(obstore.get_range(self._store, check_key(key), start=start, length=length))
            except FOREIGN as error:
                failure = translated(error, self._where(key))
            if len(body) == length:
                return body
        size = self.head(key)  # the error of a range past the end differs from store to store
        if size is None:
            raise NotFound("no such object", where=self._where(key))
        if start + length > size:
            raise Corrupt(f"the object ends at {size}, before {start + length}", where=self._where(key))
        if failure:
            raise failure
        return body

    def head(self, key: str) -> int | None:
        """Size in bytes; None where absent."""
        try:
            return obstore.head(self._store, check_key(key))["size"]
        except FileNotFoundError:
            return None
        except FOREIGN as error:
            raise translated(error, self._where(key)) from None

    def path(self, key: str) -> Path | None:
        """None: there are no local files."""
        check_key(key)
        return None

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Keys under the prefix greater than `after`, in byte order, a page at a time."""
        return self._pages(check_prefix(prefix), after)

    def children(self, prefix: str) -> Names:
        """Sorted names directly under the prefix."""
        check_prefix(prefix)
        try:
            found = obstore.list_with_delimiter(self._store, prefix or None)
        except FOREIGN as error:
            raise translated(error, self._where(prefix)) from None
        paths = {*found["common_prefixes"], *(meta["path"] for meta in found["objects"])}
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def create(self, key: str, body: bytes) -> bool:
        """Creates a numbered object if it is absent. False may be a 409 or our own retried write: `create_settled`."""
        try:
            # never in parts: Ceph ignores the condition there
            obstore.put(self._store, check_key(key), body, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        except FOREIGN as error:
            raise translated(error, self._where(key), writing=True) from None
        return True

    def put_content(self, items: Iterable[tuple[str, bytes]]) -> None:
        """Writes content-addressed objects, 64 requests in flight; durable when it returns."""
        put_all(self._put, items, _PACE)

    def sync(self) -> None:
        """Nothing: what an object store acknowledged is durable."""

    def delete(self, key: str) -> None:
        """Removes an object. Absent is fine."""
        try:
            obstore.delete(self._store, check_key(key))
        except FileNotFoundError:
            return
        except FOREIGN as error:
            raise translated(error, self._where(key), writing=True) from None

    def _where(self, key: str) -> str:
        return f"{self._url}/{key}"

    def _pages(self, prefix: str, after: str) -> Iterator[str]:
        try:
            for page in obstore.list(self._store, prefix or None, offset=after or None):
                yield from (found["path"] for found in page)
        except FOREIGN as error:
            raise translated(error, self._where(prefix)) from None

    def _put(self, key: str, body: bytes) -> None:
        try:
            obstore.put(self._store, check_key(key), body, use_multipart=len(body) > _SINGLE_PUT)
        except FOREIGN as error:
            raise translated(error, self._where(key), writing=True) from None
