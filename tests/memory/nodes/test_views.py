"""Views of memory: the same from tail and parts, in every process and thread, at every number and instant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context_plane import ContextPlane
from context_plane.errors import Conflict, InputError, NotFound
from context_plane.instants import DAY
from context_plane.log.commits import CommitRecord
from context_plane.memory.nodes.keeping import _events
from context_plane.memory.nodes.part import fold
from context_plane.store import keys
from tests.memory.nodes.world import FAR, START, Model, edges, ids, materialize, opened, said, shown


def test_materialized_or_not_is_the_same(told: ContextPlane, tmp_path: Path) -> None:
    """For who told it, for a process that comes later, and for one that was there before."""
    other = opened(tmp_path / "other", store=told.settings.store)
    before, past = shown(told), shown(told, known_at=2)
    hits = [each.to_json() for each in told.recall("acme", "annual billing")]
    materialize(told)
    snapshot = told.snapshot("acme")
    assert snapshot is not None
    assert snapshot.log == 3
    for each in (told, other, opened(tmp_path / "fresh", store=told.settings.store)):
        assert (shown(each), shown(each, known_at=2)) == (before, past)
        assert [found.to_json() for found in each.recall("acme", "annual billing")] == hits


def test_processes_see_each_others_nodes_at_once(tmp_path: Path) -> None:
    """On a disk, whoever told them, with and without parts of their own."""
    home = tmp_path / "home"
    planes = [ContextPlane.open(home, embedder="none") for _ in range(3)]
    for turn in range(6):
        teller = planes[turn % 3]
        teller.remember(
            "acme", "customer/a", f"turn {turn}", id=f"t{turn}", **({"refines": f"t{turn - 1}"} if turn else {})
        )
        for plane in planes:
            assert ids(plane.nodes("acme")) == [f"t{n}" for n in range(turn + 1)]
            assert plane.node("acme", f"t{turn}").chain == "t0"
            assert f"t{turn}" in ids(plane.recall("acme", f"turn {turn}"))
        if turn == 3:
            materialize(planes[1])


def test_threads_that_tell_and_recall(tmp_path: Path) -> None:
    """Nothing is lost, nothing is there twice, and no reader sees half of a call."""
    plane = ContextPlane.open(tmp_path / "home", embedder="none")
    plane.remember("acme", "customer/a", "start", id="start")

    def tell(worker: int) -> None:
        for n in range(8):
            names = [f"{worker}-{n}-{half}" for half in "ab"]
            pair = [{"entity": "customer/a", "content": f"note {e}", "id": e, "refines": "start"} for e in names]
            plane.remember_many("acme", pair)

    def read(_: int) -> None:
        for _ in range(12):
            found = ids(plane.nodes("acme"))
            assert len(found) == len(set(found))
            assert len(found) % 2 == 1
            assert len(plane.recall("acme", "note", k=100)) % 2 == 0
            assert len(plane.nodes("acme", chain="start")) % 2 == 1

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(job, n) for n in range(2) for job in (tell, read)]:
            done.result()
    assert len(plane.nodes("acme")) == 33


def test_what_is_erased_is_forgotten(tmp_path: Path) -> None:
    """At once by who had it loaded; what it took the place of is current again."""
    plane = ContextPlane.open(tmp_path / "home", embedder="none")
    plane.remember("acme", "customer/a", "first", id="a", about="customer/c")
    plane.remember("acme", "customer/b", "second", id="b", supersedes="a")
    materialize(plane)
    assert ids(plane.nodes("acme")) == ["b"]
    history = plane._known("acme").history
    record = CommitRecord(
        number=history.head + 1, kind="tombstone", put_id="erase", prev=history.tip, time=history.record(1).time,
        events=0, ranges=(), first_day=None, last_day=None, segments=(), ids=(), entities=("customer/b",),
    )  # fmt: skip
    assert plane.store.create(keys.commit("acme", record.number), record.encode())
    for each in (plane, ContextPlane.open(tmp_path / "home", embedder="none")):
        assert ids(each.nodes("acme", superseded=True)) == ["a"]
        assert each.node("acme", "a").current
        assert each.recall("acme", "second") == []


actions = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.sampled_from("abcd"), st.integers(0, 3), st.lists(edges("abcd"), max_size=2)),
        st.tuples(st.just("link"), edges("abcd")),
        st.just(("build",)),
        st.just(("other",)),
    ),
    min_size=4,
    max_size=14,
)


@given(steps=actions)
@settings(max_examples=80)
def test_what_was_shown_at_a_number_is_shown_for_ever(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    """By planes that were there, that come later, or that read parts; and it is what a model shows."""
    home = tmp_path_factory.mktemp("home")
    planes = [opened(home)]
    planes.append(opened(home, store=planes[0].settings.store))
    model, known, turn, at = Model(), dict[int, list[dict[str, Any]]](), 0, 0
    for what, *given_ in steps:
        plane = planes[turn % 2]
        if what == "other":
            turn += 1
        elif what == "build" and known:
            materialize(plane)
        elif what in ("tell", "link"):
            at += 1
            _try(plane, what, given_, at)
        if what in ("tell", "link") and plane.tenants():
            known.setdefault(plane._known("acme").history.refresh(), shown(plane))
            _follow(model, plane)
    planes.append(opened(home, store=planes[0].settings.store))
    for plane in planes if known else ():
        for number, expected in known.items():
            assert shown(plane, known_at=number) == expected
            assert said(plane.nodes("acme", superseded=True, known_at=number)) == model.shown(FAR, number)
        for day in range(4):
            cut = START + day * DAY
            assert said(plane.nodes("acme", superseded=True, as_of=cut)) == model.shown(cut)


def _try(plane: ContextPlane, what: str, given_: list[Any], at: int) -> None:
    try:
        if what == "tell":
            name, day, near = given_
            links: dict[str, list[str]] = {}
            for edge in near:
                links.setdefault(edge.kind, []).append(edge.target)
            plane.remember("acme", f"customer/{name}", f"about {name}", id=name, at=START + day * DAY + at, **links)  # type: ignore[arg-type]
        else:
            (edge,) = given_
            plane.link("acme", edge.actor, edge.kind, edge.target, at=START + edge.at * DAY // 2)
    except (InputError, NotFound, Conflict):
        pass


def _follow(model: Model, plane: ContextPlane) -> None:
    """Takes over what the log states, commit by commit."""
    history = plane._known("acme").history
    for record in history.records():
        rows = fold(_events(history, list(history.segments(record))))
        model.tell(record.number, rows.nodes, rows.links)
