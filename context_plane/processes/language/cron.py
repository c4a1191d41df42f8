"""Cron: times of schedules, checked and counted.

Here belongs everything about five fields and a time zone; the arithmetic, with days on which clocks are set, is
`cronsim`'s.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from context_plane.errors import InputError
from context_plane.instants import SECOND
from context_plane.processes.language.findings import kind_of, shown
from context_plane.processes.language.marks import REFUSED
from context_plane.processes.language.scalars import DROP, Report

_HOW: Final = 'write minute, hour, day of month, month, day of week: "0 6 * * 1" is Mondays at 6'
_LONGEST: Final = 400
_SOMEWHEN: Final = datetime(2024, 1, 1, tzinfo=UTC)


@lru_cache(1_024)
def check(text: str) -> None:
    """Raises `InputError` for what is no cron expression of five fields, or never comes true."""
    from cronsim import CronSim, CronSimError

    if len(text) > _LONGEST:
        raise InputError(f"cron {shown(text)} is longer than {_LONGEST}", remedy=_HOW)
    if len(text.split()) != 5:
        raise InputError(f"cron {shown(text)} has not five fields", remedy=_HOW)
    try:
        next(CronSim(text, _SOMEWHEN))
    except CronSimError as error:
        raise InputError(f"cron {shown(text)}: {str(error).lower()}", remedy=_HOW) from error
    except StopIteration:
        remedy = "name a day that the month has"
        raise InputError(f"cron {shown(text)} never comes true", remedy=remedy) from None


@lru_cache(256)
def zone(name: str) -> ZoneInfo:
    """A time zone. Raises `InputError` with the nearest name."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # also of names that are a folder, or have odd characters
        close = get_close_matches(name, available_timezones(), 1)
        remedy = f"did you mean {close[0]}?" if close else "write one such as UTC or Europe/Berlin"
        raise InputError(f"there is no time zone {shown(name)}", remedy=remedy) from error


def next_after(cron: str, timezone: str, instant: int) -> int | None:
    """The first time after an instant, both in microseconds since 1970; `None` where there is none for 50 years."""
    from cronsim import CronSim

    check(cron)
    at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=instant // SECOND)
    try:
        return int(next(CronSim(cron, at.astimezone(zone(timezone)))).timestamp()) * SECOND
    except StopIteration:
        return None


class CronShape:
    """A cron expression."""

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if value is REFUSED:
            return DROP
        if type(value) is not str:
            return report.drop("bad-cron", spot, f"{label} is {kind_of(value)}", _HOW)
        try:
            check(value)
        except InputError as error:
            return report.drop("bad-cron", spot, error.what, error.remedy)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\s*\S+(\s+\S+){4}\s*$"}


class ZoneShape:
    """A time zone."""

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if value is REFUSED:
            return DROP
        if type(value) is not str:
            return report.drop("bad-timezone", spot, f"{label} is {kind_of(value)}", "write one such as Europe/Berlin")
        try:
            zone(value)
        except InputError as error:
            return report.drop("bad-timezone", spot, error.what, error.remedy)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"\S"}
