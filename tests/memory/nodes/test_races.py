"""Races: what two writers may not make together, what both may tell, and what is left of who was killed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.errors import Conflict, InputError, Unavailable
from context_plane.log import ingest as ingest_module
from context_plane.log.history import History
from context_plane.log.segments import read_segment
from context_plane.store.faulty import FaultyStore, Plan
from context_plane.store.local import LocalStore
from tests.memory.nodes.worker import Worker, race
from tests.memory.nodes.world import ids, shown

Late = Callable[[Callable[[], Any]], None]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home where two nodes are remembered."""
    with ContextPlane.open(tmp_path / "home", embedder="none") as plane:
        plane.remember("acme", "customer/a", "first", id="first")
        plane.remember("acme", "customer/a", "second", id="second")
    return tmp_path / "home"


@pytest.fixture
def plane(home: Path) -> ContextPlane:
    return ContextPlane.open(home, embedder="none")


@pytest.fixture
def rival(home: Path) -> ContextPlane:
    """Another process, as far as the first can tell."""
    return ContextPlane.open(home, embedder="none")


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Late:
    """Lets something happen when a batch has been checked and is about to take its number."""
    todo: list[Callable[[], Any]] = []
    original = ingest_module.Batch._create

    def create(batch: Any, record: Any) -> bool:
        if todo:
            todo.pop()()
        return original(batch, record)

    monkeypatch.setattr(ingest_module.Batch, "_create", create)
    return todo.append


def stated(home: Path) -> list[str]:
    """Ids of all events in the log, read back through the records."""
    store = LocalStore(home / "store")
    history = History(store, "acme")
    history.refresh()
    lines = (
        line
        for record in history.records()
        for ref in history.segments(record)
        for line in read_segment(store, "acme", ref)
    )
    return [line.decode().partition('"id":"')[2].partition('"')[0] for line in lines]


# --- between the check and the number --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["links", "nodes"])
def test_two_writers_make_no_circle_together(plane: ContextPlane, rival: ContextPlane, late: Late, how: str) -> None:
    """Who loses the number is checked again against the winner, told the path, and leaves nothing behind."""
    if how == "links":
        late(lambda: rival.link("acme", "second", "supersedes", "first"))
        with pytest.raises(InputError) as error:
            plane.link("acme", "first", "refines", "second")
        assert error.value.what == "first refines second would close a circle: second comes after first"
    else:
        late(lambda: rival.remember("acme", "customer/a", "x", id="x", supersedes="second", led_to="first"))
        with pytest.raises(
            InputError,
            match="y caused_by first would close a circle: first comes after x comes after second comes after y",
        ):
            plane.remember("acme", "customer/a", "y", id="y", caused_by="first", led_to="second")
    assert plane._tenant("acme").history.refresh() == 3
    assert shown(plane) == shown(rival)
    assert "y" not in ids(plane.nodes("acme", superseded=True))


def test_a_chain_of_three_writers_makes_no_circle(plane: ContextPlane, rival: ContextPlane, late: Late) -> None:
    """Each number that is lost is one more check."""
    rival.remember("acme", "customer/a", "third", id="third")

    def once() -> None:
        rival.link("acme", "second", "supersedes", "first")
        late(lambda: rival.link("acme", "third", "supersedes", "second"))

    late(once)
    with pytest.raises(InputError, match="third comes after second comes after first"):
        plane.link("acme", "first", "supersedes", "third")


def test_two_corrections_of_one_node_are_both_kept(plane: ContextPlane, rival: ContextPlane, late: Late) -> None:
    """And each names the other, to who wrote it as to everybody else."""
    late(lambda: rival.remember("acme", "customer/a", "their billing", id="theirs", supersedes="first"))
    ours = plane.remember("acme", "customer/a", "our billing", id="ours", supersedes="first")
    assert ours.conflicts == ("theirs",)
    for each in (plane, rival):
        assert each.node("acme", "theirs").conflicts == ("ours",)
        assert each.node("acme", "first").superseded_by == ("ours", "theirs")
        assert sorted(ids(each.nodes("acme"))) == ["ours", "second", "theirs"]
        found = {hit.id: hit.node.conflicts for hit in each.recall("acme", "billing")}
        assert found == {"ours": ("theirs",), "theirs": ("ours",)}


def test_the_same_told_by_both_is_one_node(plane: ContextPlane, rival: ContextPlane, late: Late, home: Path) -> None:
    """As of a call that is repeated while the first one is under way; with other words it is a conflict."""
    late(lambda: rival.remember("acme", "customer/a", "x", id="x", refines="first"))
    ours = plane.remember("acme", "customer/a", "x", id="x", refines="first")
    assert ours.to_json() == rival.node("acme", "x").to_json()
    late(lambda: rival.remember("acme", "customer/a", "y", id="y"))
    both = plane.remember_many("acme", [{"entity": "customer/a", "content": each, "id": each} for each in "yz"])
    assert [node.recorded for node in both] == [rival.node("acme", each).recorded for each in "yz"]
    late(lambda: rival.link("acme", "second", "refines", "first"))
    assert plane.link("acme", "second", "refines", "first") is not None
    late(lambda: rival.remember("acme", "customer/a", "theirs", id="q"))
    with pytest.raises(Conflict, match="memory q says something else already"):
        plane.remember("acme", "customer/a", "ours", id="q")
    found = stated(home)
    assert len(found) == len(set(found)) == 7


def test_a_node_that_is_gone_when_its_number_comes(plane: ContextPlane, rival: ContextPlane, late: Late) -> None:
    """Told in the meantime it may be linked; the check is of what there is."""
    late(lambda: rival.remember("acme", "customer/a", "third", id="third"))
    assert plane.remember("acme", "customer/a", "fourth", id="fourth", refines="second").edges
    assert plane.link("acme", "fourth", "refines", "third").edges[-1].target == "third"


# --- answers that are lost -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "there"),
    [({("sync", 1): "fail"}, False), ({("create", 1): "lose"}, True), ({("put_content", 1): "fail"}, False)],
)
def test_a_lost_answer_is_asked_for_again(home: Path, plan: Plan, there: bool) -> None:
    """With the id of the first call it is the same node, whether that had come to be or not."""
    flaky = ContextPlane.open(home, embedder="none")
    flaky._store = FaultyStore(LocalStore(home / "store"), random.Random(7), plan=plan)
    flaky._check_writable = lambda: None  # type: ignore[method-assign] - its probe would take the fault
    if there:
        assert flaky.remember("acme", "customer/a", "x", id="x").id == "x"
    else:
        with pytest.raises(Unavailable):
            flaky.remember("acme", "customer/a", "x", id="x")
    assert ("x" in stated(home)) == there
    again = ContextPlane.open(home, embedder="none").remember("acme", "customer/a", "x", id="x")
    assert again.text == "x"
    assert sorted(stated(home)) == ["first", "second", "x"]


@pytest.mark.parametrize(("point", "there"), [("ingest.segments-synced", False), ("ingest.committed", True)])
def test_who_is_killed_leaves_all_or_nothing(home: Path, point: str, there: bool) -> None:
    """Nothing before the record is there; after it the node is, and telling it again changes nothing."""
    assert race(Worker(home, "correct", "ours", fault=point)) == [None]
    with ContextPlane.open(home, embedder="none") as plane:
        assert ("ours" in ids(plane.nodes("acme"))) == there
        assert ("first" in ids(plane.nodes("acme"))) != there
        told = {"type": "correction", "id": "ours", "supersedes": "first"}
        assert plane.remember("acme", "customer/a", "as ours says", **told).current  # type: ignore[arg-type]
        assert ids(plane.nodes("acme")) == ["second", "ours"]
    assert sorted(stated(home)) == ["first", "ours", "second"]


# --- processes -------------------------------------------------------------------------------------------------------


def test_processes_that_correct_the_same_node(home: Path) -> None:
    """Both are kept, and each is in conflict with the other."""
    answers = race(*(Worker(home, "correct", name) for name in ("ada", "bob")))
    assert [answer and answer["id"] for answer in answers] == ["ada", "bob"]
    with ContextPlane.open(home, embedder="none") as plane:
        assert sorted(ids(plane.nodes("acme"))) == ["ada", "bob", "second"]
        assert {n.id: n.conflicts for n in plane.nodes("acme", type="correction")} == {"ada": ("bob",), "bob": ("ada",)}


def test_processes_that_link_against_each_other(home: Path) -> None:
    """Of each pair one is taken, and the other is refused with the path."""
    pairs = [(f"a{n}", f"b{n}") for n in range(12)]
    with ContextPlane.open(home, embedder="none") as plane:
        names = [name for pair in pairs for name in pair]
        plane.remember_many("acme", [{"entity": "customer/a", "content": name, "id": name} for name in names])
    answers = race(
        Worker(home, "link", *(f"{a}>{b}" for a, b in pairs)),
        Worker(home, "link", *(f"{b}>{a}" for a, b in pairs)),
    )
    refused = {pair: why for answer in answers if answer for pair, why in answer["refused"].items()}
    with ContextPlane.open(home, embedder="none") as plane:
        current = set(ids(plane.nodes("acme")))
    for a, b in pairs:
        assert (f"{a}>{b}" in refused) != (f"{b}>{a}" in refused)
        winner, loser = (b, a) if f"{a}>{b}" in refused else (a, b)
        assert f"{winner} comes after {loser}" in refused[f"{loser}>{winner}"]
        assert winner in current
        assert loser not in current
