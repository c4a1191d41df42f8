"""The fold of links: timeline rows in, links out.

Here belongs the reading of rows. It is pure, and its parts merge: the links of two sets of events are those of both
together, whatever the order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from context_plane.instants import parse_instant
from context_plane.memory.links.declared import Linking
from context_plane.memory.links.extractor import Extractor, Said, open_extractor
from context_plane.memory.links.link import Link

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS: Final = ("entity", "time", "source", "id", "type", "data")
TIME: Final = "time"


def fold(
    events: pa.Table | Iterable[Mapping[str, Any]],
    linking: Linking | None = None,
    extractor: Extractor | None = None,
) -> list[Link]:
    """The links that events state, in order and without repeats.

    Events are a table of the timeline, or mappings with its columns `entity`, `time` (microseconds since 1970, or RFC
    3339 text), `source`, `id`, `type` and `data` (JSON text, or what it holds). `extractor` is the one that `linking`
    names, if it is open already. Raises what `open_extractor` does.
    """
    linking = linking or Linking()
    extractor = extractor or open_extractor(linking.extractor)
    found = {link for row in _rows(events) for link in _links(row, linking, extractor)}
    return sorted(found)


def _rows(events: pa.Table | Iterable[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    if hasattr(events, "column_names"):
        import pyarrow as pa

        table: pa.Table = events
        columns = [table[name].cast(pa.int64()) if name == TIME else table[name] for name in _COLUMNS]
        yield from zip(*(column.to_pylist() for column in columns), strict=True)
    else:
        for event in events:
            yield tuple(event.get(name) for name in _COLUMNS)


def _links(row: tuple[Any, ...], linking: Linking, extractor: Extractor) -> Iterator[Link]:
    entity, time, source, id_, type_, data = row
    values = _values(data)
    if values is None:
        return
    at = parse_instant(time) if isinstance(time, str) else int(time)
    for each in extractor.extract(Said(entity, at, source, id_, type_ or "", values, linking.of(source))):
        yield Link(at, source, id_, entity, each.kind, each.target, each.inverse, each.rule, each.evidence)


def _values(data: Any) -> Mapping[str, Any] | None:
    """The fields of an event's data; `None` for data that has none, such as a mere text."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            return None
    return data if isinstance(data, Mapping) else None
