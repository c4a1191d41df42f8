"""Schedules: which times there are, in which zone, and what is no schedule."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import InputError
from context_plane.instants import format_instant, parse_instant
from context_plane.processes.language.cron import check, next_after, zone


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "following"),
    [
        ("0 6 * * 1", "UTC", "2026-03-02T06:00:00Z", "2026-03-09T06:00:00Z"),
        ("0 6 * * 1", "UTC", "2026-03-02T05:59:59.999999Z", "2026-03-02T06:00:00Z"),
        ("*/15 * * * *", "UTC", "2026-03-01T09:30:00.5Z", "2026-03-01T09:45:00Z"),
        ("0 6 * * *", "Europe/Berlin", "2026-01-01T00:00:00Z", "2026-01-01T05:00:00Z"),
        ("0 6 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T04:00:00Z"),
        # Clocks go from 2 to 3 on 29 March, and from 3 to 2 on 25 October.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("0 0 29 2 *", "UTC", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 12 * * mon-fri", "America/New_York", "2026-03-06T18:00:00Z", "2026-03-09T16:00:00Z"),
        ("0 0 1 1 *", "UTC", "1969-06-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_the_next_time(cron: str, timezone: str, after: str, following: str) -> None:
    """The first after an instant, in the zone's own time, whatever its clocks do."""
    found = next_after(cron, timezone, parse_instant(after))
    assert found is not None
    assert format_instant(found) == following


@given(st.integers(0, 2**52), st.sampled_from(["* * * * *", "7 3 * * *", "0 */5 1-7 * sun"]))
def test_the_next_time_is_after(instant: int, cron: str) -> None:
    """Asked again with its own answer, it goes on."""
    first = next_after(cron, "Europe/Berlin", instant)
    assert first is not None
    assert first > instant
    second = next_after(cron, "Europe/Berlin", first)
    assert second is not None
    assert second > first


@pytest.mark.parametrize(
    "cron",
    [
        "", "* * * *", "* * * * * *", "60 * * * *", "0 24 * * *", "0 0 32 * *", "0 0 * 13 *", "0 0 * * 9", "0 0 30 2 *",
        "@daily", "a b c d e", "*/0 * * * *", "5-1 * * * *", "1,,2 * * * *", "* * * * mon-funday", "-1 * * * *",
        "0-99999999 * * * *", "1" * 5_000 + " * * * *",
    ],
)  # fmt: skip
def test_what_is_no_schedule(cron: str) -> None:
    """Refused with what to write, at once."""
    begun = time.monotonic()
    with pytest.raises(InputError) as refused:
        check(cron)
    assert refused.value.remedy
    assert time.monotonic() - begun < 1


@given(st.text(alphabet="0123456789*/,-LWmonfri# ?", max_size=30))
def test_any_text_is_a_schedule_or_none(cron: str) -> None:
    """Nothing else is raised, and what passes the check has a next time."""
    try:
        check(cron)
    except InputError:
        return
    assert next_after(cron, "UTC", 0) is not None


@pytest.mark.parametrize(
    "name", ["Europe/Berlinn", "../../etc/passwd", "/etc/localtime", "", "Europe", "a\0b", "x" * 9_999]
)
def test_what_is_no_time_zone(name: str) -> None:
    """Refused, whatever file it might name."""
    with pytest.raises(InputError, match="no time zone"):
        zone(name)
    assert zone("Europe/Berlin").key == "Europe/Berlin"
