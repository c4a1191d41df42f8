"""Instants: parsing, writing, cutting."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane import instants
from context_plane.errors import InputError


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_round_trip_of_every_instant(value: datetime) -> None:
    """Writing and parsing agree with `datetime`."""
    at = instants.from_datetime(value)
    assert instants.to_datetime(at) == value
    assert instants.parse_instant(instants.format_instant(at)) == at
    assert instants.day_of(at) == value.date()
    assert instants.start_of(value.date()) <= at < instants.end_of(value.date())


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2099, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_offsets_are_taken_off(value: datetime, minutes: int) -> None:
    """Any offset between -23:59 and +23:59 means what RFC 3339 says."""
    sign = "-" if minutes < 0 else "+"
    text = f"{value.isoformat(timespec='microseconds')}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    expected = value.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    assert instants.to_datetime(instants.parse_instant(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "2026-03-01", "2026-03-01T09:30Z", "2026-03-01T24:00:00Z", "2026-03-01T09:30:60Z", "2026-13-01T00:00:00Z",
     "2026-03-01T09:30:00", "2026-03-01T09:30:00+24:00", "٢٠٢٦-03-01T09:30:00Z", "2026-03-01T09:30:00.Z"],
)  # fmt: skip
def test_other_times_are_refused(text: str) -> None:
    """Every refusal names a remedy."""
    with pytest.raises(InputError) as caught:
        instants.parse_instant(text)
    assert caught.value.remedy


def test_nanoseconds_are_cut() -> None:
    """What Go and Java write is read, to the microsecond."""
    assert instants.parse_instant("1970-01-01T00:00:00.123456789Z") == 123_456


def test_a_day_as_a_cut_includes_the_day() -> None:
    """`as_of="2026-03-01"` is the end of that day, however it is given."""
    end = instants.parse_instant("2026-03-02T00:00:00Z")
    assert instants.parse_cut("2026-03-01") == instants.parse_cut(date(2026, 3, 1)) == end
    assert instants.parse_cut(datetime(2026, 3, 2, tzinfo=UTC)) == end
    assert instants.parse_cut(None) is None


def test_a_naive_datetime_is_no_cut() -> None:
    """Its offset would be a guess."""
    with pytest.raises(InputError, match="offset"):
        instants.parse_cut(datetime(2026, 3, 2))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "micros"), [("30d", 30 * instants.DAY), ("2w", 14 * instants.DAY), ("90s", 90_000_000)]
)
def test_durations(text: str, micros: int) -> None:
    """A number and a unit."""
    assert instants.parse_duration(text) == micros


@pytest.mark.parametrize("text", ["", "30", "0d", "-1d", "1y", "40000d", "1.5d"])
def test_other_durations_are_refused(text: str) -> None:
    """No unit, nothing, the past, years, more than a century, fractions."""
    with pytest.raises(InputError):
        instants.parse_duration(text)
