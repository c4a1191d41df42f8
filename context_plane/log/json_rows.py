"""JSONL files (or JSON arrays) of foreign objects as rows.

Here belongs what the objects of a file have in common: their keys, and the types a `where` compares. Values stay as
they were written: integers exact, null and absent different.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from context_plane.log.readers import Bad, read_events
from context_plane.log.row_filter import batches, common_kind, found, kinds_of


class JsonRows:
    """The objects of a file; reading twice reads the file twice."""

    def __init__(self, path: str, *, max_row_bytes: int) -> None:
        self._path = path
        self._limit = max_row_bytes

    def read(self) -> Iterator[tuple[int, dict[str, Any] | Bad]]:
        """``(line, object)``, where a line that cannot be read, or is something else, is a `Bad`."""
        for line, value in read_events(self._path, max_event_bytes=self._limit):
            if isinstance(value, (dict, Bad)):
                yield line, value
            else:
                yield line, Bad(line, "the line is not a JSON object", str(value)[:1_000])

    def columns(self, wanted: set[str] | None) -> tuple[str, ...]:
        """The keys of the file's objects; where only some are wanted, reads on no further than until all were met."""
        names: dict[str, None] = {}
        for _, row in self.read():
            if isinstance(row, dict):
                names.update(dict.fromkeys(row))
                if wanted is not None and wanted <= names.keys():
                    break
        return tuple(names)

    def kinds(self, paths: Sequence[str]) -> dict[str, str]:
        """The type of each column path over the whole file."""
        kinds: dict[str, set[str]] = {path: set() for path in paths}
        for batch in batches(self.read()):
            rows = [row for _, row in batch if isinstance(row, dict)]
            for path in paths:
                kinds[path] |= kinds_of(found(row, path) for row in rows)
        return {path: common_kind(each) for path, each in kinds.items()}
