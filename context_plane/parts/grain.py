"""Grain: at which instants packs are made, and which windows of days a partition covers.

With grain `day` there is a pack at the end of every day that has events, with grain `month` one at the end of every
month that has events; the newest ends at the data clock. Everything here is a pure function of days.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from context_plane.instants import DAY, day_of, start_of

Grain = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant at which a pack is made."""

    instant: int
    previous: int | None
    """The mark before it; `None` for the first."""

    @property
    def day(self) -> int:
        """The last day it covers, under which its pack is filed."""
        return self.instant // DAY - 1


def marks(days: Iterable[int], grain: Grain) -> list[Mark]:
    """The marks of a history whose events lie on these days (days since 1970), oldest first."""
    ordered = sorted(days)
    if not ordered:
        return []
    clock = (ordered[-1] + 1) * DAY
    if grain == "day":
        instants = [(day + 1) * DAY for day in ordered]
    else:
        instants = sorted({min(_month_end(day), clock) for day in ordered})
    return [Mark(instant, previous) for instant, previous in zip(instants, [None, *instants], strict=False)]


def window_of(day: int, grain: Grain) -> tuple[int, int]:
    """First and last day (inclusive) of the partition in which a day lies."""
    if grain == "day":
        return day, day
    first = day_of(day * DAY).replace(day=1)
    return start_of(first) // DAY, _month_end(day) // DAY - 1


def window_key(day: int, grain: Grain) -> str:
    """Partition key of a day's window: ``2026-03-01``, or ``2026-03`` which cannot be taken for a day."""
    return day_of(day * DAY).isoformat()[: 10 if grain == "day" else 7]


def parse_window(key: str) -> tuple[int, int]:
    """First and last day (inclusive) of a partition key of either grain."""
    if len(key) == 7:
        return window_of(start_of(date.fromisoformat(f"{key}-01")) // DAY, "month")
    day = start_of(date.fromisoformat(key)) // DAY
    return day, day


def runs(days: Iterable[int], grain: Grain) -> list[tuple[int, int]]:
    """The fewest contiguous ranges of windows that cover the days, as (first day, last day)."""
    found: list[list[int]] = []
    for day in sorted(days):
        first, last = window_of(day, grain)
        if found and first <= found[-1][1] + 1:
            found[-1][1] = max(last, found[-1][1])
        else:
            found.append([first, last])
    return [(first, last) for first, last in found]


def _month_end(day: int) -> int:
    first = day_of(day * DAY).replace(day=1)
    return start_of((first + timedelta(days=32)).replace(day=1))
