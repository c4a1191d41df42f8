"""Partitions: tenant by window, and the way between their keys and days.

Tenants are dynamic: the sensor registers them. Windows are days, or months for long histories; a month's key names no
day, so that it cannot be taken for one. Dagster sorts the dimensions by name, which makes a key ``acme|2026-03-01``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg

from context_plane import ContextPlane
from context_plane.errors import ContextPlaneError, Unavailable
from context_plane.instants import DAY, day_of, parse_day, start_of
from context_plane.parts.grain import Grain, parse_window, window_key

if TYPE_CHECKING:
    from context_plane.store.base import Store

TENANT: Final = "tenant"
tenants = dg.DynamicPartitionsDefinition(name=TENANT)

_FALLBACK: Final = date(2020, 1, 1)
_GAP: Final = 30  # windows
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Span:
    """The days that the partitions cover, and why from there on."""

    grain: Grain
    first: date
    reason: str
    ahead: int = 1
    """Windows after the last whole one: the running one, and more where events lie in the future."""

    def covers(self, day: int) -> bool:
        """Whether there is a partition for the day (days since 1970)."""
        return start_of(self.first) // DAY <= day < self.end

    @property
    def end(self) -> int:
        """The first day after the last window (days since 1970)."""
        return _after(_today(), self.grain, self.ahead)

    @property
    def windows(self) -> dg.TimeWindowPartitionsDefinition:
        """The time windows alone."""
        if self.grain == "month":
            return dg.MonthlyPartitionsDefinition(self.first.isoformat()[:7], fmt="%Y-%m", end_offset=self.ahead)
        return dg.DailyPartitionsDefinition(self.first.isoformat(), end_offset=self.ahead)

    @property
    def partitions(self) -> dg.MultiPartitionsDefinition:
        """What timelines and contexts are partitioned by."""
        return dg.MultiPartitionsDefinition({TENANT: tenants, "window": self.windows})


def read_span(plane: ContextPlane) -> Span:
    """The span of a plane: from its setting `start`, else from the year of the oldest event in the store.

    A store that cannot be read gives the fallback with the reason, and a warning in the log: the graph must load, or
    nobody could see what is wrong.
    """
    settings = plane.settings
    try:
        days = _days(plane)
    except ContextPlaneError as error:
        _log.warning("partitions start on %s: the store cannot be read: %s", _FALLBACK, error)
        days, reason = None, f"the store could not be read: {error}"
    else:
        reason = f"the year of the oldest event ({day_of(days[0] * DAY)})" if days else "there are no events yet"
    first = day_of(days[0] * DAY).replace(month=1, day=1) if days else _FALLBACK
    if settings.start is not None:
        first, reason = parse_day(settings.start), "the setting start"
    if settings.grain == "month":
        first = first.replace(day=1)
    newest = days[1] if days else 0
    return Span(settings.grain, first, reason, _windows_between(_today(), newest, settings.grain) + 1)


def keys_of(tenant: str, days: tuple[int, int], grain: Grain) -> tuple[str, str]:
    """First and last partition key of a range of days."""
    return f"{tenant}|{window_key(days[0], grain)}", f"{tenant}|{window_key(days[1], grain)}"


def days_of(key: str) -> tuple[str, tuple[int, int]]:
    """Tenant, first and last day of a partition key."""
    tenant, _, window = key.partition("|")
    return tenant, parse_window(window)


def ranges(keys: Iterable[str]) -> list[tuple[str, tuple[int, int]]]:
    """The fewest (tenant, range of days) that cover the partitions, in order."""
    found: list[tuple[str, tuple[int, int]]] = []
    for tenant, (first, last) in sorted(days_of(key) for key in keys):
        if found and found[-1][0] == tenant and first <= found[-1][1][1] + 1:
            found[-1] = tenant, (found[-1][1][0], max(last, found[-1][1][1]))
        else:
            found.append((tenant, (first, last)))
    return found


def range_tags(tenant: str, days: tuple[int, int], grain: Grain) -> dict[str, str]:
    """The tags of a run that covers a range of days in one."""
    first, last = keys_of(tenant, days, grain)
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def joined(windows: Sequence[tuple[int, int]], grain: Grain) -> list[tuple[int, int]]:
    """Ranges of days in order, with those made one that few windows part.

    A run costs seconds, a window in which nothing changed a fraction of one.
    """
    gap = _GAP * (1 if grain == "day" else 31)
    found: list[tuple[int, int]] = []
    for first, last in windows:
        if found and first - found[-1][1] - 1 <= gap:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def _days(plane: ContextPlane) -> tuple[int, int] | None:
    """Oldest and newest event day of all tenants. Only reads: a store that does not exist is not created."""
    from context_plane.store import keys
    from context_plane.store.open import open_store

    url = plane.settings.store
    if "://" not in url and not Path(url).exists():
        return None
    store = open_store(url)
    seen = {day for tenant in store.children(keys.tenants()) for day in _ends(store, tenant)}
    return (min(seen), max(seen)) if seen else None


def _ends(store: Store, tenant: str) -> set[int]:
    """Oldest and newest event day of a tenant; nothing for one whose log does not read, which its own runs will say."""
    from context_plane.log.history import History

    try:
        history = History(store, tenant)
        history.refresh()
    except Unavailable:
        raise
    except ContextPlaneError as error:
        _log.warning("partitions are made without tenant %s: %s", tenant, error)
        return set()
    touched = history.touched()
    return {min(touched), max(touched)} if touched else set()


def _today() -> int:
    return start_of(datetime.now(UTC).date()) // DAY


def _windows_between(first: int, last: int, grain: Grain) -> int:
    """How many windows after the one of `first` that of `last` is; 0 where it is not after it."""
    if grain == "day":
        return max(0, last - first)
    a, b = day_of(first * DAY), day_of(last * DAY)
    return max(0, (b.year - a.year) * 12 + b.month - a.month)


def _after(day: int, grain: Grain, windows: int) -> int:
    """The first day of the window that many windows after the one of `day`."""
    if grain == "day":
        return day + windows
    at = day_of(day * DAY)
    months = at.year * 12 + at.month - 1 + windows
    return start_of(date(months // 12, months % 12 + 1, 1)) // DAY
