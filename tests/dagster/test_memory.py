"""The assets of memory: what a run shows of nodes and links, what fails, and what makes them stale."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from context_plane.memory.chains import kind as chains
from context_plane.memory.nodes import kind as nodes
from context_plane.parts.part import LINKS, MEMORY
from context_plane.retrieval.building.lance import open_table
from tests.dagster.world import Home, event, metadata

SOURCE = "source: crm\nformat: cloudevents\nlinks: {after: after}\n"
FIRST, LAST = "2026-03-01", "2026-03-03"


def noted(number: int, day: str, text: str = "", **data: Any) -> dict[str, Any]:
    """A note about an issue."""
    return {**event(number, day, text=text, **data), "subject": f"issue/a/b#{number}"}


EVENTS = [
    noted(1, FIRST, "Exports stop | at 10,000 rows"),
    noted(2, "2026-03-02", "Rewrite, see #1", after="#1"),
    noted(3, LAST, "Closes #1, superseded by #2"),
]


@pytest.fixture
def linked(home: Home) -> Home:
    """A home that declares a column of links, with three issues."""
    (home.folder / "sources").mkdir()
    (home.folder / "sources" / "crm.yaml").write_text(SOURCE)
    home.ingest(EVENTS)
    return home


def rows(home: Home, name: str) -> list[dict[str, Any]]:
    table = open_table(home.plane.store, "acme", name)
    assert table is not None
    found: list[dict[str, Any]] = table.to_arrow().to_pylist()
    return found


def test_links_are_built_shown_and_written(linked: Home, instance: dg.DagsterInstance) -> None:
    """Days, kinds and rules, the most linked, a chain; the table has a row for each."""
    result = linked.refresh(instance, FIRST, LAST)
    assert result.success
    found = metadata(result, "memory_chains", f"acme|{LAST}")
    assert (found["built"], found["unchanged"], found["links"]) == (3, 0, 4)
    assert found["links of acme"] == 4
    assert found["links of acme by rule"].splitlines()[2:] == [
        "| after | column | 1 |", "| refs | number | 1 |", "| closes | closes | 1 |",
        "| supersedes | superseded-by | 1 |",
    ]  # fmt: skip
    assert "| issue/a/b#1 | Exports stop \\| at 10,000 rows |" in found["most linked of acme"]
    assert "└─ closed by issue/a/b#3" in found["chain"]
    assert "built" in found["window"]
    assert found["dagster/partition_row_count"] == 2
    checks = {
        each.check_name: each.passed
        for each in result.get_asset_check_evaluations()
        if each.asset_key == dg.AssetKey("memory_chains")
    }
    assert checks == {"row_count": True, "stated": True, "deterministic": True}
    assert sorted((row["id"], row["actor"], row["kind"], row["target"]) for row in rows(linked, chains.TABLE)) == [
        ("2", "issue/a/b#2", "after", "issue/a/b#1"), ("2", "issue/a/b#2", "refs", "issue/a/b#1"),
        ("3", "issue/a/b#2", "supersedes", "issue/a/b#3"), ("3", "issue/a/b#3", "closes", "issue/a/b#1"),
    ]  # fmt: skip


def test_readers_see_links_of_the_snapshot(linked: Home, instance: dg.DagsterInstance) -> None:
    """The snapshot waits for them, and chains are walked along them."""
    assert linked.refresh(instance, FIRST, LAST).success
    snapshot = linked.plane.snapshot("acme")
    assert snapshot is not None
    assert len(snapshot.catalog.of(LINKS)) == 3
    assert [step.thing.id for step in linked.plane.chain("acme", "issue/a/b#3").steps] == ["issue/a/b#1"]


def test_another_declaration_makes_links_stale_alone(linked: Home, instance: dg.DagsterInstance) -> None:
    """Also for the sensor, whose requests are made from what is stale."""
    assert linked.refresh(instance, FIRST, LAST).success
    before = linked.builder().identity
    assert not linked.builder().stale()
    (linked.folder / "sources" / "crm.yaml").write_text(SOURCE.replace("{after", "{caused_by"))
    stale = linked.builder().stale()
    assert linked.builder().identity != before
    assert (len(stale.memory[LINKS]), stale.timeline, any(stale.contexts.values())) == (3, (), False)
    assert linked.refresh(instance, FIRST, LAST).success
    assert not linked.builder().stale()
    assert {row["kind"] for row in rows(linked, chains.TABLE)} == {"caused_by", "refs", "closes", "supersedes"}


def test_a_plugin_that_fails_names_itself(
    linked: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails with what was wrong, and what was published stays."""
    from context_plane.errors import InputError

    assert linked.refresh(instance, FIRST, LAST).success

    class Wrong:
        id = "wrong"

        def extract(self, said: Any) -> Any:
            raise InputError("no such kind", where="link extractor 'wrong'", remedy="install another")

    monkeypatch.setattr("context_plane.memory.links.extractor.open_extractor", lambda _: Wrong())
    result = linked.refresh(instance, FIRST, LAST)
    assert not result.success
    failed = next(each for each in result.all_events if each.is_step_failure)
    assert failed.step_key == "memory_chains"
    failure = failed.step_failure_data.user_failure_data
    assert failure is not None
    assert failure.description == "no such kind (link extractor 'wrong'): install another"
    snapshot = linked.plane.snapshot("acme")
    assert snapshot is not None
    assert snapshot.catalog.about[LINKS]["extractor"] == "rules/1"


def test_nodes_are_built_shown_and_written(home: Home, instance: dg.DagsterInstance) -> None:
    """Of the days that have such, and of no other."""
    home.ingest([event(n, f"2026-03-0{n}") for n in (1, 2, 3)])
    old = home.plane.remember("acme", "customer/a", "prefers | tea", type="preference", at="2026-03-02")
    new = home.plane.remember("acme", "customer/a", "prefers coffee", type="preference", at=LAST, supersedes=old.id)
    result = home.refresh(instance, FIRST, LAST)
    assert result.success
    found = metadata(result, "memory_nodes")
    assert (found["built"], found["nodes"], found["nodes of acme"]) == (2, 2, 2)
    assert found["nodes of acme by type"].splitlines()[2:] == ["| preference | 2 |"]
    snapshot = home.plane.snapshot("acme")
    assert snapshot is not None
    assert [part.date.isoformat() for part in snapshot.catalog.of(MEMORY).values()] == ["2026-03-02", LAST]
    told = {row["key"]: (row["text"], row["type"], row["entity"]) for row in rows(home, nodes.TABLE)}
    assert told == {
        old.id: ("prefers | tea", "preference", "customer/a"), new.id: ("prefers coffee", "preference", "customer/a"),
    }  # fmt: skip
    assert not home.builder().stale()
    home.ingest([event(4, "2026-03-04")])
    assert home.builder().stale().memory == {MEMORY: (), LINKS: (20516,)}
