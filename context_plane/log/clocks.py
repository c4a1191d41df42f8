"""Times of foreign data: ISO 8601 with or without an offset, or a date, as RFC 3339.

Here belongs the reading of a mapping's `time` column. Inside the plane there is only `instants`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from context_plane.errors import InputError
from context_plane.instants import format_instant, from_datetime
from context_plane.log.templates import RowError

_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)? ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_REMEDY: Final = "write times like 2026-03-01T09:30:00Z or 2026-03-01 09:30, days like 2026-03-01"
_REMEMBERED: Final = 100_000


class Clock:
    """Turns the values of a time column into RFC 3339 text.

    A value with an offset is that instant; without one it is local time in `zone`, and a date alone is its midnight. A
    local time that exists twice (clocks set back) is its first; one that does not exist (clocks set forward) is as far
    after the gap as it lies in it. Both are the rules of PEP 495 with ``fold=0``, the same on every machine.
    """

    def __init__(self, zone: str | None) -> None:
        self._utc = zone in ("UTC", "Z", "Etc/UTC")
        self._zone = None if zone is None or self._utc else _zone(zone)
        self._known: dict[str, str] = {}

    def read(self, value: Any) -> str:
        """RFC 3339 text. Raises `RowError` for anything that is not a time."""
        if not isinstance(value, str):
            shown = "missing" if value is None else f"a {type(value).__name__}, not text"
            raise RowError(f"the time is {shown}; {_REMEDY}")
        found = self._known.get(value)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[value] = self._read(value)
        return found

    def _read(self, text: str) -> str:
        match = _ISO.fullmatch(text.strip())
        if match is None:
            raise RowError(
                f"time {text[:40]!r} is not ISO 8601; {_REMEDY}" if text else f"the time is empty; {_REMEDY}"
            )
        day, minute, second, fraction, offset = match.groups()
        local = f"{day}T{minute or '00:00'}:{second or '00'}{f'.{fraction}' if fraction else ''}"
        if offset and minute:
            return local + _offset(offset)
        if offset or (self._zone is None and not self._utc):
            raise RowError(f"time {text!r} has no offset; add timezone: to the mapping, such as timezone: UTC")
        if self._utc:
            return f"{local}Z"
        try:
            return format_instant(from_datetime(datetime.fromisoformat(local).replace(tzinfo=self._zone)))
        except (ValueError, OverflowError):
            raise RowError(f"time {text!r} does not exist; correct the date or the clock") from None


def _offset(text: str) -> str:
    if text in ("Z", "z", "UTC"):
        return "Z"
    return text if ":" in text else f"{text[:3]}:{text[3:] or '00'}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise InputError(f"there is no time zone {name[:64]!r}", remedy="use a name such as Europe/Berlin") from error
