"""Rows of foreign files as CloudEvents, after a source mapping.

Here belongs one row: its identity, its type and subject, its time, its data. What may be mapped is `mapping`'s; whether
the result is an event of ours is decided in `events`, as for every other event.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from context_plane.errors import InputError
from context_plane.log import strict, templates
from context_plane.log.clocks import Clock
from context_plane.log.mapping import Mapping, column_or_template
from context_plane.log.readers import Bad
from context_plane.log.templates import RowError, Template

if TYPE_CHECKING:
    from context_plane.log.sources import Opened


class RowEvents:
    """Turns the rows of one file into CloudEvents."""

    def __init__(self, mapping: Mapping, opened: Opened) -> None:
        file = mapping.file
        self._encode = opened.encode
        self._source = file.source
        self._id = column_or_template(file.id) if file.id else None
        self._subject = templates.parse(file.subject)
        self._type = templates.parse(file.type)
        self._time = file.time
        self._clock = Clock(file.timezone)
        self._text = column_or_template(file.text) if file.text else None
        self._data = [(name, opened.converters.get(name)) for name in mapping.data_columns(opened.columns)]
        self._json = frozenset(file.json_)
        self._seen: dict[bytes, tuple[int, bytes]] = {}
        self._ordinals: Counter[bytes] = Counter()

    def event(self, line: int, row: dict[str, Any]) -> dict[str, Any] | Bad:
        """The row's CloudEvent, or why it is none."""
        try:
            event: dict[str, Any] = {
                "specversion": "1.0",
                "id": self._identity(line, row),
                "source": self._source,
                "type": self._type.fill(row),
                "subject": self._subject.fill(row),
                "time": self._clock.read(row.get(self._time)),
            }
            if data := self._values(row):
                event["data"] = data
        except (RowError, InputError) as error:
            return Bad(line, str(error), json.dumps(row, ensure_ascii=False))
        return event

    def _identity(self, line: int, row: dict[str, Any]) -> str:
        digest = hashlib.sha256(self._encode(row)).digest()[:16]
        if self._id is None:
            self._ordinals[digest] += 1
            return f"{digest.hex()}-{self._ordinals[digest]}"
        found = self._id.fill(row)
        key = hashlib.sha256(found.encode(errors="surrogatepass")).digest()[:16]
        first, known = self._seen.setdefault(key, (line, digest))
        if known != digest:
            raise RowError(
                f"id {found[:80]!r} stands for different rows, in line {first} and line {line}; "
                "add columns to the id template until it is unique, or leave id out"
            )
        return found

    def _values(self, row: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, convert in self._data:
            if name in row:
                value = row[name]
                data[name] = value if convert is None else _converted(name, value, convert)
        for name in self._json & data.keys():
            data[name] = _parsed(name, data[name])
        if self._text is not None and (text := _text(self._text, row)):
            data["text"] = text
        return data


def _text(template: Template, row: dict[str, Any]) -> str:
    """The event's text; what has no value leaves a gap in a template, and nothing at all where it is all there is."""
    gaps = [name for name in template.columns if row.get(name) in (None, "")]
    if not gaps:
        return template.fill(row)
    if len(gaps) == len(template.columns):
        return ""
    return template.fill({**row, **dict.fromkeys(gaps, " ")}).strip()


def _converted(name: str, value: Any, convert: Callable[[Any], Any]) -> Any:
    try:
        return convert(value)
    except RowError as error:
        raise RowError(f"column {name}: {error}") from None


def _parsed(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return strict.loads(value)
    except strict.NotJSON as error:
        raise RowError(f"column {name}: {error}") from None
