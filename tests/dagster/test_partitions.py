"""Partitions: which days they cover, and the way between their keys and days."""

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_assets.partitions import TENANT, Span, days_of, joined, keys_of, ranges, read_span
from context_plane import ContextPlane
from context_plane.parts.grain import Grain, runs, window_of
from tests.dagster.world import Home, closed_port, event, number, today
from tests.dagster.world import home as open_home


def test_partitions_start_with_the_year_of_the_oldest_event(home: Home) -> None:
    """The oldest day of all tenants decides; the span says so."""
    home.ingest([event(1, "2024-05-06")], tenant="beta")
    home.ingest([event(1, "2025-01-01")])
    span = read_span(home.plane)
    assert span.first == date(2024, 1, 1)
    assert span.reason == "the year of the oldest event (2024-05-06)"
    assert span.covers(number("2024-01-01"))
    assert not span.covers(number("2023-12-31"))


def test_a_store_without_events_has_partitions_all_the_same(tmp_path: Path) -> None:
    """Before the first event the graph loads, and looking does not make a store."""
    span = read_span(ContextPlane.open(tmp_path / "home"))
    assert (span.first, span.reason) == (date(2020, 1, 1), "there are no events yet")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("url", "reason"), [("s3://bucket", "cannot be reached"), ("gs://b", "not a store URL")])
def test_a_store_that_cannot_be_read_has_partitions_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    """The graph loads with the fallback; the reason is in the log and in the span."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    span = read_span(ContextPlane.open(tmp_path, store=url))
    assert span.first == date(2020, 1, 1)
    assert span.reason.startswith("the store could not be read: ")
    assert reason in span.reason
    assert "partitions start on 2020-01-01" in caplog.text


def test_a_damaged_tenant_does_not_move_the_start(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Partitions are made from the other tenants; the log names the damaged one."""
    home.ingest([event(1, "2024-05-06")])
    home.ingest([event(1, "2025-05-06")], tenant="beta")
    record = home.folder / "store" / "tenants" / "beta" / "log" / f"{1:020d}.json"
    record.chmod(0o644)
    record.write_text("{}")
    assert read_span(home.plane).first == date(2024, 1, 1)
    assert "without tenant beta" in caplog.text


@pytest.mark.parametrize(("grain", "first"), [("day", date(2025, 3, 15)), ("month", date(2025, 3, 1))])
def test_the_setting_start_wins(tmp_path: Path, grain: str, first: date) -> None:
    """`start` in plane.toml is taken as it is, or as the month around it."""
    with open_home(tmp_path / "home", f'start = "2025-03-15"\ngrain = "{grain}"\n') as home:
        home.ingest([event(1, "2024-05-06")])
        span = read_span(home.plane)
        assert (span.first, span.reason) == (first, "the setting start")
        assert not span.covers(number("2024-05-06"))


@pytest.mark.parametrize("grain", ["day", "month"])
@pytest.mark.parametrize("ahead", [0, 400])
def test_the_running_window_and_those_of_future_events_have_partitions(tmp_path: Path, grain: str, ahead: int) -> None:
    """A day of today or of a clock that is wrong is covered, and what `covers` says is what Dagster has."""
    day = today() + timedelta(days=ahead)
    with open_home(tmp_path / "home", f'grain = "{grain}"\n') as home:
        home.ingest([event(1, day.isoformat())])
        span = read_span(home.plane)
    key = keys_of("acme", (number(day.isoformat()),) * 2, span.grain)[0].partition("|")[2]
    keys = span.windows.get_partition_keys()
    assert key in keys
    assert span.covers(number(day.isoformat()))
    assert keys[-1] == key
    assert not span.covers(span.end)


def test_keys_are_tenant_and_window(instance: dg.DagsterInstance) -> None:
    """Dagster sorts the dimensions by name: the text of a key is what the range tags need."""
    instance.add_dynamic_partitions(TENANT, ["acme"])
    grains: list[tuple[Grain, str]] = [("day", "acme|2026-03-01"), ("month", "acme|2026-03")]
    for grain, key in grains:
        span = Span(grain, date(2026, 3, 1), "test")
        assert span.partitions.get_partition_keys(dynamic_partitions_store=instance)[0] == key
        assert keys_of("acme", window_of(number("2026-03-01"), grain), grain)[0] == key


@given(
    st.sampled_from(["day", "month"]),
    st.lists(st.tuples(st.sampled_from(["acme", "be-ta_1"]), st.integers(18_000, 18_200)), max_size=20),
)
def test_keys_and_ranges_of_days_are_each_others_reverse(grain: Grain, days: list[tuple[str, int]]) -> None:
    """The ranges of any set of partitions cover exactly the windows of these partitions."""
    windows = {(tenant, window_of(day, grain)) for tenant, day in days}
    keys = [keys_of(tenant, window, grain)[0] for tenant, window in windows]
    assert {days_of(key) for key in keys} == windows
    covered = [(tenant, day) for tenant, (first, last) in ranges(keys) for day in range(first, last + 1)]
    assert len(covered) == len(set(covered))
    assert set(covered) == {(t, day) for t, (first, last) in windows for day in range(first, last + 1)}


@given(st.sampled_from(["day", "month"]), st.sets(st.integers(18_000, 19_000), max_size=20))
def test_joined_ranges_cover_all_and_lie_far_apart(grain: Grain, days: set[int]) -> None:
    """Near ranges become one run, far ones stay apart, and none is lost."""
    windows = runs(days, grain)
    found = joined(windows, grain)
    assert all(any(a <= first and last <= b for a, b in found) for first, last in windows)
    gap = 30 if grain == "day" else 30 * 31
    assert all(after[0] - before[1] - 1 > gap for before, after in pairwise(found))
    assert {first for first, _ in found} <= {first for first, _ in windows}
