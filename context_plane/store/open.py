"""Opens a store from its URL. Here is the only place that knows which kinds of store there are.

Nothing is read or written while opening; `probe` asks a store whether it can be trusted.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from context_plane.errors import InputError
from context_plane.store.base import Store

_REMEDY = "use a folder, file:///folder, s3://bucket/prefix or memory://name"


def open_store(url: str | Path) -> Store:
    """The store at a folder, ``file:///folder``, ``s3://bucket/prefix`` or ``memory://name``.

    S3 takes its region, keys and endpoint from the usual AWS variables and ``AWS_ENDPOINT_URL``. A memory store is
    shared by everyone in the process who opens the same name. Raises `InputError` for anything else.
    """
    text = os.fspath(url)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _local(text)
    parts = urlsplit(text)
    if parts.username or parts.password or parts.query or parts.fragment:
        shown = f"{scheme}://{parts.hostname or ''}{parts.path}"
        raise InputError(
            "a store URL holds neither credentials nor options", where=shown, remedy="set the AWS variables instead"
        )
    if scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return _local(unquote(parts.path))
    if scheme in ("s3", "memory"):
        from context_plane.store import objects

        return objects.open_s3(parts.netloc, parts.path) if scheme == "s3" else objects.open_memory(rest.strip("/"))
    raise InputError(f"{text[:200]!r} is not a store URL", remedy=_REMEDY)


def _local(folder: str) -> Store:
    from context_plane.store.local import LocalStore

    if not folder or "\0" in folder:
        raise InputError(f"{folder[:200]!r} is not a folder", remedy=_REMEDY)
    return LocalStore(folder)
