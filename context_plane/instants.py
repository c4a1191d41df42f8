"""Instants, days and durations: the one place where time is parsed, cut and written.

Inside the plane an instant is an `int`: microseconds since 1970-01-01T00:00:00Z. Days are `datetime.date` in UTC.
The only wall clock is `now()`; answers never depend on it (architecture: `as_of=None` is the tenant's data clock).
"""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from typing import Final

from context_plane.errors import InputError

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
_EPOCH: Final = date(1970, 1, 1)
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()

# RFC 3339 §5.6, without leap seconds; the fraction is optional. A comma before it is ISO 8601, not RFC 3339.
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DURATION: Final = re.compile(r"(\d{1,9})\s*(s|m|h|d|w)", re.ASCII)
_UNITS: Final = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": DAY, "w": 7 * DAY}


def now() -> int:
    """The wall clock, in microseconds since the epoch. For commit times and progress, never for answers."""
    return time.time_ns() // 1_000


def parse_instant(text: str) -> int:
    """An RFC 3339 time with offset as microseconds since the epoch. Digits beyond microseconds are cut off.

    Raises `InputError` when the text is not such a time or has no offset.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InputError(
            f"time {text[:64]!r} is not RFC 3339 with an offset", remedy="write it like 2026-03-01T09:30:00Z"
        )
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        ordinal = date(int(year), int(month), int(day)).toordinal()
    except ValueError as error:
        raise InputError(f"time {text!r} names a day that does not exist", remedy="correct the date") from error
    hours, minutes, seconds = int(hour), int(minute), int(second)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise InputError(f"time {text!r} is not on a 24-hour clock", remedy="leap seconds are written as :59")
    at = ((ordinal - _EPOCH_ORDINAL) * 86_400 + hours * 3_600 + minutes * 60 + seconds) * SECOND
    if fraction:
        at += int(fraction[:6].ljust(6, "0"))
    if offset not in "Zz":
        shift_hours, shift_minutes = int(offset[1:3]), int(offset[4:6])
        if shift_hours > 23 or shift_minutes > 59:
            raise InputError(f"time {text!r} has an impossible offset", remedy="offsets lie between -23:59 and +23:59")
        shift = (shift_hours * 3_600 + shift_minutes * 60) * SECOND
        at += shift if offset[0] == "-" else -shift
    return at


def format_instant(at: int) -> str:
    """`at` as RFC 3339 in UTC: ``2026-03-01T09:30:00Z``, with six fraction digits only where they are not zero."""
    seconds, micros = divmod(at, SECOND)
    days, rest = divmod(seconds, 86_400)
    day = date.fromordinal(days + _EPOCH_ORDINAL).isoformat()
    hour, rest = divmod(rest, 3_600)
    minute, second = divmod(rest, 60)
    fraction = f".{micros:06d}" if micros else ""
    return f"{day}T{hour:02d}:{minute:02d}:{second:02d}{fraction}Z"


def day_of(at: int) -> date:
    """The UTC day in which the instant lies."""
    return date.fromordinal(at // DAY + _EPOCH_ORDINAL)


def start_of(day: date) -> int:
    """The first instant of a UTC day, in microseconds since the epoch."""
    return (day.toordinal() - _EPOCH_ORDINAL) * DAY


def end_of(day: date) -> int:
    """The first instant after a UTC day, in microseconds since the epoch."""
    return start_of(day) + DAY


def to_datetime(at: int) -> datetime:
    """The instant as an aware `datetime` in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def from_datetime(value: datetime) -> int:
    """An aware `datetime` as microseconds since the epoch. Raises `InputError` for a naive one."""
    if value.tzinfo is None:
        raise InputError(f"time {value.isoformat()} has no offset", remedy="pass an aware datetime")
    delta = value - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds


_FAR: Final = 1 << 62
"""Microseconds beyond which an instant is as far from every event, and no longer fits where instants are kept."""


def parse_cut(value: str | date | datetime | int | None, *, begins: bool = False, where: str = "") -> int | None:
    """What callers pass as `as_of`, as microseconds: RFC 3339, a day (its end), a date, a datetime, or `None`.

    A day means its end, so that ``as_of="2026-03-01"`` includes what happened on 1 March; where the cut begins a span
    (`since`), its start, for the same reason. Raises `InputError` for anything else, at the argument `where`.
    """
    if value is None:
        return None
    try:
        return _cut(value, begins)
    except InputError as error:
        raise InputError(error.what, where=where, remedy=error.remedy) from error


def _cut(value: str | date | datetime | int, begins: bool) -> int:
    if isinstance(value, int):
        return max(-_FAR, min(_FAR, value))
    if isinstance(value, datetime):
        return from_datetime(value)
    if not isinstance(value, date):
        if not isinstance(value, str):
            raise InputError(f"{value!r:.64} is not a time", remedy="give RFC 3339, YYYY-MM-DD, or whole microseconds")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            return parse_instant(value)
        value = parse_day(value)
    return start_of(value) if begins else end_of(value)


def parse_day(text: str) -> date:
    """``YYYY-MM-DD`` as a date. Raises `InputError` otherwise."""
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text[:64]!r} is not a day", remedy="write days as YYYY-MM-DD") from error


def parse_duration(text: str) -> int:
    """A window such as ``30d``, ``12h``, ``2w`` as microseconds. Raises `InputError` otherwise."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise InputError(f"{text[:64]!r} is not a duration", remedy="write a number and s, m, h, d or w, such as 30d")
    micros = int(match[1]) * _UNITS[match[2]]
    if micros > 36_525 * DAY:
        raise InputError(f"duration {text!r} is longer than a century", remedy="leave the window out for all history")
    return micros
