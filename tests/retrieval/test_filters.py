"""Filters: which events a search may return, fresh or materialized, and what is no filter."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane import ContextPlane
from context_plane.errors import InputError
from context_plane.log.events import Normaliser
from context_plane.log.ingest import ingest
from context_plane.retrieval.filters import allowed_labels, allowed_types, make
from context_plane.retrieval.scoring import kernels
from context_plane.retrieval.shards.fulltext import FullText
from tests.retrieval.test_brute_force import indexed

ALL = ["1", "2", "3", "4"]


def event(number: int, entity: str, type: str, time: str, *labels: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": str(number), "source": "crm", "type": type, "subject": entity, "time": time,
        "data": {"text": "alpha"}, "labels": list(labels),
    }  # fmt: skip


EVENTS = [
    event(1, "customer/a", "crm.note", "2026-03-01T00:00:00Z", "pii"),
    event(2, "customer/a", "crm.call", "2026-03-01T23:59:59.999999Z", "pii", "vip"),
    event(3, "customer/ab", "crmxnote", "2026-03-02T00:00:00Z"),
    event(4, "issue/a/b#1", "crm.note.long", "2026-03-03T12:00:00Z", "vip"),
]
OWN = event(9, "customer/a", "cortex.step", "2026-03-02T10:00:00Z")


@pytest.fixture(scope="module", params=["fresh plain", "materialized compiled"])
def plane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContextPlane]:
    home, (state, loops) = tmp_path_factory.mktemp("home"), request.param.split()
    with (
        pytest.MonkeyPatch.context() as patch,
        ContextPlane.open(home, store=f"memory://{uuid4().hex}", max_staleness=0, embedder="none") as plane,
    ):
        patch.setenv(kernels.VARIABLE, loops)
        patch.setattr(kernels, "choice", kernels.Choice())
        plane.ingest("acme", EVENTS)
        ingest(plane.builder("acme").history, [(1, OWN)], normalise=Normaliser(internal=True))
        if state == "materialized":
            builder = plane.builder("acme")
            for window in builder.stale().windows("day"):
                builder.timeline(window)
                builder.search(window)
            builder.publish()
            assert indexed(plane)
        yield plane


def found(plane: ContextPlane, **filters: Any) -> list[str]:
    """Ids of the hits, sorted."""
    return sorted(hit.event_id for hit in plane.search("acme", "alpha", **filters))


@pytest.mark.parametrize(
    ("entity", "ids"),
    [
        (None, ALL),
        ("customer/a", ["1", "2"]),
        (["customer/a", "issue/a/b#1", "customer/a"], ["1", "2", "4"]),
        (("customer/none", "customer/ab"), ["3"]),
        ({"customer/ab"}, ["3"]),
        ("customer/*", []),  # no globs here
        ("customer/none", []),
        ("", []),
        ([], []),
        (["customer/a"] * 5_000 + [f"customer/{n}" for n in range(5_000)], ["1", "2"]),
    ],
)
def test_an_entity_is_one_of_those_named(plane: ContextPlane, entity: Any, ids: list[str]) -> None:
    """Of none, nothing; one that does not exist is no error."""
    assert found(plane, entity=entity) == ids
    assert found(plane, entity=entity) == ids  # from what the index remembers of names


@pytest.mark.parametrize(
    ("globs", "ids"),
    [
        ("crm.note", ["1"]),
        ("crm.*", ["1", "2", "4"]),
        ("*note", ["1", "3"]),
        ("crm?note", []),
        ("crm[.x]note", []),
        ("crm.note|crm.call", []),
        ("CRM.*", []),
        ("*", ALL),
        ("***", ALL),
        ("*.note.*", ["4"]),
        ("", []),
        ([], []),
        (["crm.call", "crmx*"], ["2", "3"]),
        ("cortex.step", ["9"]),
        ("cortex.*", ["9"]),
        (["cortex.*", "*"], [*ALL, "9"]),
        ("cort*", []),
        ("*step", []),
    ],
)
def test_a_type_matches_a_glob(plane: ContextPlane, globs: Any, ids: list[str]) -> None:
    """Only the star is special, and the plane's own types must be named."""
    assert found(plane, type=globs) == ids


@pytest.mark.parametrize(
    ("labels", "ids"),
    [
        ("pii", ["1", "2"]),
        (["pii", "vip"], ["1", "2", "4"]),
        ("vi", []),
        ("*", []),
        ([], []),
        (["none", "vip"], ["2", "4"]),
    ],
)
def test_an_event_carries_one_of_the_labels(plane: ContextPlane, labels: Any, ids: list[str]) -> None:
    """Any of them, whole."""
    assert found(plane, labels=labels) == ids


@pytest.mark.parametrize(
    ("since", "until", "ids"),
    [
        ("2026-03-01", "2026-03-01", ["1", "2"]),
        ("2026-03-02", None, ["3", "4"]),
        (None, "2026-03-02", ["1", "2", "3"]),
        (date(2026, 3, 2), date(2026, 3, 2), ["3"]),
        ("2026-03-01T00:00:00Z", "2026-03-01T23:59:59.999999Z", ["1"]),
        ("2026-03-01T00:00:00.000001Z", "2026-03-02T00:00:00.000001Z", ["2", "3"]),
        ("2026-03-02T01:00:00+01:00", datetime(2026, 3, 3, tzinfo=UTC), ["3"]),
        ("2026-03-03", "2026-03-01", []),
        (0, 1 << 62, ALL),
    ],
)
def test_a_time_lies_from_since_to_until(plane: ContextPlane, since: Any, until: Any, ids: list[str]) -> None:
    """A day begins the one and ends the other; instants are the first that counts and the first that does not."""
    assert found(plane, since=since, until=until) == ids


@pytest.mark.parametrize("plane", ["materialized compiled"], indirect=True)
@pytest.mark.parametrize("bound", [{"since": -(1 << 70)}, {"until": -(1 << 70)}, {"as_of": 1 << 70}])
def test_instants_beyond_64_bits_are_beyond_every_event(plane: ContextPlane, bound: dict[str, int]) -> None:
    """As they are while the loops run in numpy."""
    assert found(plane, **bound) == ([] if "until" in bound else ALL)
    assert found(plane, entity="customer/a", **bound) == ([] if "until" in bound else ["1", "2"])


def test_all_filters_hold_together(plane: ContextPlane) -> None:
    """And what `as_of` cuts off is no hit either."""
    assert found(plane, entity="customer/a", type="crm.*", labels="vip", since="2026-03-01") == ["2"]
    assert found(plane, entity="customer/a", labels="vip", type="crm.note") == []
    assert found(plane, labels="pii", as_of="2026-03-01T12:00:00Z") == ["1"]
    assert found(plane, until="2026-03-31", as_of="2026-03-02") == ["1", "2", "3"]


def test_a_filter_does_not_change_a_score(plane: ContextPlane) -> None:
    """Statistics are the tenant's."""
    everything = {hit.event_id: hit.score for hit in plane.search("acme", "alpha")}
    for hit in plane.search("acme", "alpha", entity="customer/a", type="*call"):
        assert hit.score == everything[hit.event_id]


@pytest.mark.parametrize("name", ["entity", "type", "labels"])
@pytest.mark.parametrize(
    "value",
    [
        [1], ["a", None], [["a"]], [b"a"], b"a",
        5,
        True,
    ],
)  # fmt: skip
def test_what_is_not_text_is_refused_by_name(plane: ContextPlane, name: str, value: Any) -> None:
    """Place and remedy."""
    with pytest.raises(InputError) as error:
        plane.search("acme", "alpha", **{name: value})
    assert error.value.where == name
    assert error.value.remedy


def test_any_kind_of_str_is_text() -> None:
    """An array of names is a list of texts, as one such name is a text already."""
    assert make(np.array(["customer/a"]), None, None, None, None).entities == ("customer/a",)  # type: ignore[arg-type]


def test_an_entity_that_is_no_unicode_is_refused_or_found_nowhere(plane: ContextPlane) -> None:
    """As a lone surrogate in a type or a label is."""
    assert found(plane, type="\ud800") == found(plane, labels="\ud800") == []
    with suppress(InputError):
        assert found(plane, entity="\ud800") == []


@pytest.mark.parametrize("name", ["since", "until", "as_of"])
@pytest.mark.parametrize(
    "value",
    [
        "yesterday", "2026-02-31", "2026-03-01T09:30:00", datetime(2026, 3, 1),  # noqa: DTZ001 - that is what is wrong
        1.5,
        ["2026-03-01"],
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(plane: ContextPlane, name: str, value: Any) -> None:
    """Times without an offset, days that do not exist, numbers that are not whole; by the name of the argument."""
    with pytest.raises(InputError) as error:
        plane.search("acme", "alpha", **{name: value})
    assert error.value.where == name
    assert error.value.remedy
    with pytest.raises(InputError) as error:
        plane.timeline("acme", "customer/a", **{name: value})
    assert error.value.where == name


def test_an_impossible_time_is_named() -> None:
    """Of three times that a search takes."""
    with ContextPlane.open(store=f"memory://{uuid4().hex}") as plane, pytest.raises(InputError) as error:
        plane.search("acme", "alpha", since="2026-03-01", until="2026-02-31")
    assert error.value.where == "until"


def shard(types: tuple[str, ...] = (), labels: tuple[tuple[str, ...], ...] = ()) -> FullText:
    """One of which only the lists are looked at."""
    return FullText({}, types, (), labels, 0)


def matches(name: str, glob: str) -> bool:
    """What a glob means, letter by letter."""
    if not glob:
        return not name
    if glob[0] == "*":
        return any(matches(name[at:], glob[1:]) for at in range(len(name) + 1))
    return name[:1] == glob[0] and matches(name[1:], glob[1:])


@given(
    types=st.lists(st.text("ab.*?[]\\^$\n", min_size=1, max_size=6), min_size=1, unique=True),
    globs=st.lists(st.text("ab.*?[]\\^$\n", max_size=5), max_size=3),
)
def test_globs_mean_what_they_mean_letter_by_letter(types: list[str], globs: list[str]) -> None:
    """Whatever of them is special to regular expressions."""
    flags = allowed_types(shard(tuple(types)), tuple(globs))
    wanted = [any(matches(name, glob) for glob in globs) for name in types]
    assert (flags is None) == all(wanted)
    assert flags is None or flags.tolist() == wanted


@given(st.lists(st.lists(st.sampled_from("abc")), max_size=4), st.one_of(st.none(), st.lists(st.sampled_from("abcd"))))
def test_labels_are_sets_that_meet(held: list[list[str]], wanted: list[str] | None) -> None:
    """`None` where the filter leaves every set."""
    flags = allowed_labels(shard(labels=tuple(map(tuple, held))), None if wanted is None else tuple(wanted))
    good = [wanted is None or bool({*wanted} & {*each}) for each in held]
    assert (flags is None) == all(good)
    assert flags is None or flags.tolist() == good


@pytest.mark.parametrize("glob", ["*" * 20 + "x", "a*" * 20 + "x"])
def test_many_stars_do_not_hang_a_search(glob: str) -> None:
    """One search with such a filter would hold a server's thread for hours."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        assert allowed_types(shard(("a" * 60,)), (glob,)) is not None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_texts_are_kept_once_and_in_order() -> None:
    """One text is a list of one; anything that gives texts is a list."""
    assert make(None, iter(["a"]), None, None, None).types == ("a",)  # type: ignore[arg-type]
    filters = make("a", ["b", "a", "b"], None, 1, 2)
    assert (filters.entities, filters.types, filters.labels) == (("a",), ("b", "a"), None)
    assert (filters.since, filters.until) == (1, 2)


def test_a_home_without_a_tenant_is_not_made_by_a_filter(tmp_path: Path) -> None:
    """Filters are checked before anything is looked for."""
    with ContextPlane.open(tmp_path / "home") as plane, pytest.raises(InputError):
        plane.search("acme", "alpha", entity=[1])  # type: ignore[list-item]
    assert not (tmp_path / "home").exists()
