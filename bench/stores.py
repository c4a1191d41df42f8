"""Many small files on the local disk: our store beside obstore's and beside plain system calls."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.clock import stopwatch
from context_plane.store.disk import sync_filesystem
from context_plane.store.local import LocalStore

COUNT = 20_000


def small_files(folder: Path) -> Iterator[dict[str, Any]]:
    """Seconds to write the segments of 20,000 entity days and to sync them, in turn."""
    items = list(_segments())
    ways: dict[str, Callable[[Path], None]] = {
        "plain open, write, close": lambda root: _plain(root, items),
        "obstore put(mode=create)": lambda root: _obstore(root, items),
        "LocalStore.put_content": lambda root: LocalStore(root).put_content(items),
    }
    floor = None
    for number, (name, way) in enumerate(ways.items()):
        root = folder / str(number)
        root.mkdir()
        with stopwatch() as put:
            way(root)
        with stopwatch() as sync:
            sync_filesystem(str(root))
        floor = floor or put.seconds
        yield {
            "what": name,
            "files": COUNT,
            "seconds": round(put.seconds, 2),
            "times_plain": round(put.seconds / floor, 2),
            "sync_seconds": round(sync.seconds, 2),
        }


def _segments() -> Iterator[tuple[str, bytes]]:
    for n in range(COUNT):
        body = os.urandom(240)
        day = f"2026/{1 + n % 12:02d}/{1 + n % 28:02d}"
        name = hashlib.sha256(body).hexdigest()
        yield f"tenants/acme/entities/customer%2F{n // 3:06d}/segments/{day}/{name}.jsonl.zst", body


def _plain(root: Path, items: list[tuple[str, bytes]]) -> None:
    for key, body in items:
        path = f"{root}/{key}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(body)


def _obstore(root: Path, items: list[tuple[str, bytes]]) -> None:
    import obstore
    from obstore.store import LocalStore as Theirs

    store = Theirs(root)
    for key, body in items:
        obstore.put(store, key, body, mode="create")
