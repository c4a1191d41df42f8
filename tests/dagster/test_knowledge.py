"""`knowledge`: the table of all tenants' topics, its checks, and that nothing waits for it."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest

from context_assets.knowledge import INDEXED, WHOLE
from context_plane.knowledge import building, table
from context_plane.retrieval.building.lance import open_table
from tests.dagster.world import Home, event, events, metadata, today

GUIDE = "# Guide\n\nHow we work.\n\n## Retries\n\nA failed job runs again.\n"


@pytest.fixture
def days() -> tuple[str, str]:
    """The running day and the next: what is learned in a test is learned then."""
    return today().isoformat(), (today() + timedelta(days=1)).isoformat()


def write(home: Home, name: str, text: str, tenant: str = "acme") -> None:
    """Makes a tenant learn a file."""
    path = home.folder / "knowledge" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    home.plane.learn(tenant)


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Of the asset's checks."""
    found = result.get_asset_check_evaluations()
    return {each.check_name: each.passed for each in found if each.asset_key == dg.AssetKey("knowledge")}


def test_a_refresh_builds_the_table(home: Home, instance: dg.DagsterInstance, days: tuple[str, str]) -> None:
    """All chunks are in it, and in the index that the same run built; a person sees the topics."""
    write(home, "ci/guide.md", GUIDE)
    write(home, "notes.txt", "A note.\n")
    result = home.refresh(instance, *days)
    assert result.success
    assert verdicts(result) == {WHOLE: True, INDEXED: True}
    shown = metadata(result, "knowledge")
    assert shown.items() >= {"topics": 2, "chunks": 2, "rows written": 2, "rows deleted": 0}.items()
    assert "| acme | ci/guide | sha256:" in shown["by topic"]
    assert "| Guide |" in shown["by topic"]
    opened = open_table(home.plane.store, "acme", table.NAME)
    assert opened is not None
    assert opened.count_rows() == 2
    again = home.refresh(instance, *days)
    assert metadata(again, "knowledge")["rows written"] == 0


def test_the_data_version_is_that_of_what_is_known(home: Home, instance: dg.DagsterInstance) -> None:
    """It changes with a topic, and with nothing else."""
    found = []
    for text in ("A\n", "A\n", "B\n"):
        write(home, "a.md", text)
        home.ingest([event(len(found), "2026-03-01")])
        result = home.refresh(instance, "2026-03-01", "2026-03-01", assets=["knowledge"])
        (made,) = result.asset_materializations_for_node("knowledge")
        found.append((made.tags or {})["dagster/data_version"])
    assert found[0] == found[1] != found[2]


def test_without_topics(home: Home, instance: dg.DagsterInstance) -> None:
    """The asset says so and opens nothing; so too where there is no tenant."""
    home.ingest(events("2026-03-01", 1))
    result = home.refresh(instance, "2026-03-01", "2026-03-01")
    assert result.success
    assert verdicts(result) == {WHOLE: True, INDEXED: True}
    assert metadata(result, "knowledge")["by topic"] == "no tenant knows a topic yet"
    assert not (home.folder / "store" / "tenants" / "acme" / "lance" / "knowledge.lance").exists()


def test_a_failed_check_names_the_topic(
    home: Home, instance: dg.DagsterInstance, days: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers see the snapshot all the same: it does not depend on the table."""
    write(home, "a.md", "A\n")
    write(home, "b.md", "B\n")
    monkeypatch.setattr(building, "is_whole", lambda topic: topic.name != "b")
    result = home.refresh(instance, *days)
    assert verdicts(result) == {WHOLE: False, INDEXED: True}
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == WHOLE]
    assert check.description == "1 of 2 topics fail: acme b"
    assert home.plane.snapshot("acme") is not None


def test_what_is_wrong_with_one_tenant_keeps_no_other_waiting(
    home: Home, instance: dg.DagsterInstance, days: tuple[str, str]
) -> None:
    """The run fails and says why; the other tenant's table is made, and what is built is published."""
    write(home, "a.md", "A\n", "beta")
    write(home, "a.md", "A\n", "acme")
    (segment,) = (home.folder / "store" / "tenants" / "beta").rglob("*.jsonl.zst")
    segment.write_bytes(b"damaged")
    result = home.refresh(instance, *days)
    assert not result.success
    (failed,) = [each for each in result.all_events if each.is_step_failure]
    assert failed.step_key == "knowledge"
    assert segment.name in str(failed.step_failure_data.user_failure_data)
    opened = open_table(home.plane.store, "acme", table.NAME)
    assert opened is not None
    assert opened.count_rows() == 1
    snapshot = home.plane.snapshot("acme")
    assert snapshot is not None
    assert snapshot.log == 1


def test_a_table_that_was_deleted_comes_back(home: Home, instance: dg.DagsterInstance, days: tuple[str, str]) -> None:
    """With the next refresh, from the log."""
    import shutil

    write(home, "a.md", GUIDE)
    home.refresh(instance, *days)
    shutil.rmtree(home.folder / "store" / "tenants" / "acme" / "lance")
    assert metadata(home.refresh(instance, *days), "knowledge")["rows written"] == 1
