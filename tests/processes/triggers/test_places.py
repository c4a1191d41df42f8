"""Places: one number for all processes of a tenant, and what is known beside it of those that are further."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import ContextPlaneError, Corrupt, Infeasible, InputError, NotFound, Unavailable
from context_plane.log.history import History
from context_plane.processes.triggers.places import Place, lasting, older

NAMES = st.sampled_from("abc")
NUMBERS = st.integers(0, 9)


@given(NUMBERS, st.dictionaries(NAMES, NUMBERS), NUMBERS, st.dictionaries(NAMES, NUMBERS))
def test_nobody_goes_back_unless_he_waits(
    number: int, ahead: dict[str, int], reached: int, behind: dict[str, int]
) -> None:
    """The number is that of the last; a look that ended early takes nothing from those who were further."""
    place = Place(number, {name: number + each for name, each in ahead.items()})
    moved = place.moved("abc", reached, behind, 99)
    for name in "abc":
        assert moved.of(name) == behind.get(name, max(reached, place.of(name)))
    assert moved.number == min(map(moved.of, "abc"))
    assert moved.furthest == max(map(moved.of, "abc"))
    assert moved.number not in moved.ahead.values()


def test_without_processes_a_place_is_the_end_of_the_log() -> None:
    assert Place(3, {"a": 5}).moved((), 4, {}, 9) == Place(9)


def caused(error: ContextPlaneError, cause: Exception) -> ContextPlaneError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "lasts"),
    [
        (InputError("no such input"), True),
        (caused(InputError("not JSON"), ValueError("nan")), True),
        (NotFound("no such process"), True),
        (Infeasible("no model"), True),
        (caused(Infeasible("disk full"), OSError(28, "full")), False),
        (caused(InputError("the URL needs a driver"), ImportError("psycopg2")), False),
        (Unavailable("no answer"), False),
        (Corrupt("damaged"), False),
    ],
)
def test_what_lasts_is_told_by_kind_and_by_what_lies_beneath(error: ContextPlaneError, lasts: bool) -> None:
    assert lasting(error) is lasts


def test_what_is_older_ends_before_the_first_that_is_not() -> None:
    times = [f"2026-03-0{day}T00:00:00Z" for day in (1, 2, 2, 5)]
    history = cast("History", SimpleNamespace(records=lambda: [SimpleNamespace(time=each) for each in times]))
    second: Any = 1_772_409_600_000_000  # 2026-03-02T00:00:00Z
    assert [older(history, second + delta) for delta in (-1, 0, 1)] == [1, 1, 3]
