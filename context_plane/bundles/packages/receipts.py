"""What receipts tell of packages and chains: folds over what was served.

Here belong the folds and reading the receipts of a view. What a receipt is, `answers` says; one that says nothing of
packages or chains is passed over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from context_plane.log.events import RECEIPT
from context_plane.store import keys

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.parts.view import View


def accesses(receipts: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """In how many answers each package was, by name."""
    return Counter(name for data in receipts for name in {_package(item) for item in _items(data)} if name)


def together(receipts: Iterable[Mapping[str, Any]]) -> Iterator[frozenset[str]]:
    """Of each answer the chains of memory that it drew on; answers without any count too."""
    for data in receipts:
        found = {item.get("chain") for item in _items(data) if item.get("kind") == "memory"}
        yield frozenset(chain for chain in found if isinstance(chain, str))


def read(view: View) -> Iterator[Mapping[str, Any]]:
    """The data of the receipts that a view shows, in the order of the timeline. Only days of the plane's own events are
    looked at."""
    import pyarrow.parquet as pq

    own = {day for each in view.history.records(0, view.number) if each.own for day in view.history.days(each)}
    parts = [part for part in view.parts() if part.day in own]
    paths = view.files.fetch_all((keys.timeline(view.tenant, p.date, p.version), p.version, p.size) for p in parts)
    for path in paths:
        yield from _data(pq.read_table(path, columns=["type", "data"], filters=[("type", "=", RECEIPT)]))
    yield from _data(view.fresh())


def _data(events: pa.Table) -> Iterator[Mapping[str, Any]]:
    for type_, data in zip(events["type"].to_pylist(), events["data"].to_pylist(), strict=True):
        if type_ == RECEIPT and data is not None:
            yield json.loads(data)


def _items(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    items = data.get("items")
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


def _package(item: Mapping[str, Any]) -> str:
    """The name of the package that an item is; empty for another."""
    name = item.get("package") or item.get("name") if item.get("kind") == "package" else ""
    return name if isinstance(name, str) else ""
