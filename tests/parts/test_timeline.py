"""The timeline fold: same events, same bytes; unchanged days stay; damage is an error."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import Corrupt
from context_plane.log.events import Normaliser, row
from context_plane.parts import timeline
from context_plane.parts.part import TIMELINE
from context_plane.store import keys
from context_plane.store.local import LocalStore
from tests.parts.conftest import FIRST_DAY, World, event

EVENTS = [event(n, f"customer/{n % 5}", 1 + n % 4) for n in range(120)]


def versions(world: World) -> dict[int, str]:
    return {day: part.version for day, part in world.snapshots.current().of(TIMELINE).items()}


@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_batching_and_order_gives_the_same_bytes(tmp_path_factory: Any, dice: random.Random, cuts: int) -> None:
    """One batch or several, built at once or after each: every day's file is byte for byte the same."""
    root = tmp_path_factory.mktemp("world")
    whole = World(LocalStore(root / "a"), root / "a-cache")
    whole.ingest(EVENTS)
    whole.build()
    pieces = World(LocalStore(root / "b"), root / "b-cache")
    shuffled = dice.sample(EVENTS, len(EVENTS))
    for piece in range(cuts):
        pieces.ingest(shuffled[piece::cuts])
        if dice.random() < 0.6:
            pieces.build()
    pieces.build()
    assert versions(pieces) == versions(whole)


def test_unchanged_days_are_left_alone(world: World) -> None:
    """Only the day that a commit touched is built again."""
    world.ingest(EVENTS)
    first = world.build()
    assert [part.day - FIRST_DAY for part in first.parts] == [0, 1, 2, 3]
    assert world.build().unchanged == 4
    world.ingest([event(500, day=2)])
    again = world.build()
    assert [part.day - FIRST_DAY for part in again.parts] == [1]
    assert again.unchanged == 3


def test_only_the_days_asked_for_are_built(world: World) -> None:
    """A window of days is a window."""
    world.ingest(EVENTS)
    assert [part.day - FIRST_DAY for part in world.build(2, 3).parts] == [1, 2]


def test_checks_hold_and_count(world: World) -> None:
    """Every check of every day passes on honest input, and rows are the log's."""
    world.ingest(EVENTS)
    parts = world.build().parts
    assert sum(part.rows for part in parts) == len(EVENTS)
    assert all(part.passed for part in parts)
    assert set(parts[0].checks) == {"row_count", "unique_ids", "schema", "day_boundaries", "sorted"}


def table_of(*events: dict[str, Any]) -> Any:
    return timeline.table([row(Normaliser()(raw).line) for raw in events])


def test_each_check_can_fail() -> None:
    """A wrong count, a doubled id, a foreign day, a wrong column, a wrong order: each fails its own check."""
    good = table_of(event(1), event(2, "customer/b"))
    assert all(timeline.check(good, FIRST_DAY, 2).values())
    assert not timeline.check(good, FIRST_DAY, 3)["row_count"]
    assert not timeline.check(good, FIRST_DAY + 1, 2)["day_boundaries"]
    assert not timeline.check(good.rename_columns([*good.column_names[:-1], "x"]), FIRST_DAY, 2)["schema"]
    assert not timeline.check(good.take([1, 0]), FIRST_DAY, 2)["sorted"]
    assert not timeline.check(good.take([0, 0]), FIRST_DAY, 2)["unique_ids"]


def test_one_entity_is_read_without_the_day(world: World) -> None:
    """Row groups are sorted and have statistics: a reader can skip all but the entity's."""
    world.ingest([event(n, f"customer/{n % 40_000:05d}", time="2026-03-01T00:00:00Z") for n in range(20_000)])
    part = world.build().parts[0]
    file = pq.ParquetFile(world.files.fetch(keys.timeline("acme", part.date, part.version), part.version, part.size))
    groups = [file.metadata.row_group(i).column(0).statistics for i in range(file.metadata.num_row_groups)]
    assert len(groups) == 3
    assert sum(s.min <= "customer/00001" <= s.max for s in groups) == 1


def test_rows_hold_what_events_said(world: World) -> None:
    """Time in UTC, canonical data, labels, extension attributes, rendered text."""
    world.ingest(
        [event(1, time="2026-03-01T02:00:00+01:00", labels=["pii"], traceparent="00-ab", data={"b": 1.0, "a": "x"})]
    )
    world.build()
    world.publish()
    (found,) = world.view().events().to_pylist()
    assert found["time"].isoformat() == "2026-03-01T01:00:00+00:00"
    assert (found["data"], found["text"]) == ('{"a":"x","b":1}', "a: x; b: 1")
    assert (found["labels"], found["attributes"]) == (["pii"], '{"traceparent":"00-ab"}')


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_day_is_an_error(world: World, tmp_path: Path, damage: str) -> None:
    """Length and hash are checked before anything parses the file."""
    world.ingest(EVENTS)
    part = world.build().parts[0]
    world.publish()
    path = tmp_path / "store" / keys.timeline("acme", part.date, part.version)
    body = path.read_bytes()
    path.write_bytes(body[:-1] if damage == "cut" else body[:100] + bytes([body[100] ^ 1]) + body[101:])
    with pytest.raises(Corrupt) as caught:
        World(world.store, tmp_path / "cache").view().events()
    assert part.version in caught.value.where


def test_a_damaged_segment_stops_the_build(world: World, tmp_path: Path) -> None:
    """No day is built from less than the log recorded."""
    world.ingest([event(n) for n in range(9)])
    ref = world.history.segments(world.history.record(1))[0]
    path = tmp_path / "store" / ref.key("acme")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(Corrupt):
        world.build()
    assert world.publish() is None
