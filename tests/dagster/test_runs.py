"""Runs of the graph: what is built, what is published, and what a failed check keeps from readers."""

from pathlib import Path

import dagster as dg
import pytest
from pydantic import PrivateAttr

from context_assets import failures
from context_plane import ContextPlane
from context_plane.errors import Unavailable
from context_plane.parts.part import TIMELINE
from resources.builders import Builders
from resources.plane import PlaneResource
from tests.dagster.world import Home, event, events, metadata, number
from tests.dagster.world import home as open_home


def test_a_range_is_built_in_one_run_and_published(home: Home, instance: dg.DagsterInstance) -> None:
    """One run covers all windows of a range, every partition is materialized, and readers see the snapshot."""
    home.ingest(events("2026-03-01", 5))
    result = home.refresh(instance, "2026-03-01", "2026-03-06")
    assert result.success
    for asset in ("timeline", "customer_v0"):
        made = result.asset_materializations_for_node(asset)
        assert {each.partition for each in made} == {f"acme|2026-03-0{day}" for day in range(1, 7)}
    assert len(result.asset_materializations_for_node("snapshot")) == 1
    snapshot = home.plane.snapshot("acme")
    assert snapshot is not None
    assert snapshot.log == 1
    assert len(snapshot.catalog.of(TIMELINE)) == 5
    assert home.plane.bundle("acme", "customer/a").fields == {"notes": 5, "stage": "stage 8"}


def test_metadata_say_what_a_run_did(home: Home, instance: dg.DagsterInstance) -> None:
    """Counts, freshness, a plot and the place of the object, for the run and for each window."""
    home.ingest(events("2026-03-01", 3))
    result = home.refresh(instance, "2026-03-01", "2026-03-04")
    whole = metadata(result, "timeline")
    assert whole.items() >= {"built": 3, "unchanged": 0, "events": 6, "dagster/row_count": 6, "log number": 1}.items()
    assert whole["data clock"] == "2026-03-04T00:00:00Z"
    assert whole["tenants"] == "acme"
    day = metadata(result, "timeline", "acme|2026-03-02")
    assert day["dagster/partition_row_count"] == 2
    assert "| 2026-03-02 | 2 |" in day["window"]
    assert "built | passed |" in day["window"]
    assert Path(day["object"]).is_file()
    assert day["trend"] == "███ (most 2)"
    assert day["plot"].startswith("![6 events on 3 days](data:image/png;base64,")
    assert metadata(result, "timeline", "acme|2026-03-04")["window"] == "no events in this window"
    again = home.refresh(instance, "2026-03-01", "2026-03-04")
    assert metadata(again, "customer_v0").items() >= {"built": 0, "unchanged": 3, "bundles": 6}.items()
    assert "1 |" in metadata(again, "snapshot")["by tenant"]
    assert metadata(again, "snapshot").items() >= {"published": 0, "unchanged": 1}.items()


def test_a_long_range_holds_the_picture_once(home: Home, instance: dg.DagsterInstance) -> None:
    """Dagster copies metadata into every event: of many windows the newest has the plot, all have the line."""
    home.ingest([event(1, "2026-01-01"), event(2, "2026-03-10")])
    made = home.refresh(instance, "2026-01-01", "2026-03-10", assets=["timeline"])
    shown = {each.partition: each.metadata for each in made.asset_materializations_for_node("timeline")}
    assert len(shown) == 69
    assert [key for key, values in shown.items() if "plot" in values] == ["acme|2026-03-10"]
    assert all("trend" in values for values in shown.values())


def test_the_same_parts_have_the_same_data_version(home: Home, instance: dg.DagsterInstance) -> None:
    """A data version follows from what is built and readers see, not from when or in which run."""

    def versions() -> list[str]:
        result = home.refresh(instance, "2026-03-01", "2026-03-03")
        names = ("timeline", "customer_v0", "snapshot")
        return [(result.asset_materializations_for_node(name)[0].tags or {})["dagster/data_version"] for name in names]

    home.ingest(events("2026-03-01", 2))
    first = versions()
    assert versions() == first
    home.ingest([event(100, "2026-03-03")])
    assert not set(versions()) & set(first)


def test_one_of_three_changed_days_leaves_readers_right(home: Home, instance: dg.DagsterInstance) -> None:
    """What a run left out is read from the tail: readers see every event, and the next run catches up."""
    home.ingest(events("2026-03-01", 3))
    assert home.refresh(instance, "2026-03-01", "2026-03-03").success
    home.ingest([event(100 + day, f"2026-03-0{day}", "a") for day in (1, 2, 3)])
    assert home.refresh(instance, "2026-03-02", "2026-03-02").success
    with ContextPlane.open(home.folder) as reader:
        assert reader.bundle("acme", "customer/a").fields["notes"] == 6
        assert reader.bundle("acme", "customer/a", as_of="2026-03-01").fields["notes"] == 2
        partial = reader.bundle("acme", "customer/a").json
    assert home.refresh(instance, "2026-03-01", "2026-03-03").success
    with ContextPlane.open(home.folder) as reader:
        snapshot = reader.snapshot("acme")
        assert snapshot is not None
        assert snapshot.log == 2
        assert reader.bundle("acme", "customer/a").json == partial


def test_one_run_may_cover_several_tenants(home: Home, instance: dg.DagsterInstance) -> None:
    """A range that goes over tenants, as the UI can make one, builds each of them, and all are published."""
    home.ingest(events("2026-03-01", 2), tenant="acme")
    home.ingest(events("2026-03-01", 2), tenant="beta")
    instance.add_dynamic_partitions("tenant", ["acme", "beta"])
    job = home.graph().definitions().resolve_job_def("refresh")
    tags = {
        "dagster/asset_partition_range_start": "acme|2026-03-01",
        "dagster/asset_partition_range_end": "beta|2026-03-02",
    }
    result = job.execute_in_process(instance=instance, tags=tags)
    assert metadata(result, "timeline")["built"] == 4
    assert metadata(result, "timeline")["tenants"] == "acme, beta"
    assert metadata(result, "snapshot")["published"] == 2


def test_a_month_is_one_window(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """With grain `month` a partition covers a month, and its key cannot be taken for a day."""
    with open_home(tmp_path / "home", 'grain = "month"\n') as home:
        home.ingest(events("2026-01-20", 30))
        result = home.refresh(instance, "2026-01-01", "2026-02-28")
        assert result.success
        made = result.asset_materializations_for_node("timeline")
        assert {each.partition for each in made} == {"acme|2026-01", "acme|2026-02"}
        january = metadata(result, "timeline", "acme|2026-01")
        assert january["dagster/partition_row_count"] == 24
        assert january["built"] == 30
        assert metadata(result, "customer_v0")["built"] == 2
        assert not home.builder().stale()


def test_a_failed_check_ends_the_run_and_is_not_published(home: Home, instance: dg.DagsterInstance) -> None:
    """A day that holds an event twice fails by name, nothing is built upon it, and readers keep what they had."""
    home.ingest(events("2026-03-01", 3))
    assert home.refresh(instance, "2026-03-01", "2026-03-03").success
    wrong = home.smuggle(event(2, "2026-03-02", "b"))  # the log's promise is broken: this id is there already
    result = home.refresh(instance, "2026-03-01", "2026-03-03")
    assert not result.success
    (failed,) = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert failed.check_name == "unique_ids"
    assert failed.metadata["failing"].value == "acme 2026-03-02"
    assert not result.asset_materializations_for_node("customer_v0")
    assert not result.asset_materializations_for_node("snapshot")

    alone = home.refresh(instance, "2026-03-01", "2026-03-03", assets=["snapshot"])
    assert alone.success
    snapshot = ContextPlane.open(home.folder).snapshot("acme")
    assert snapshot is not None
    assert (snapshot.number, snapshot.log) == (1, 1)
    assert number("2026-03-02") in home.builder().stale().timeline

    home.take_back(wrong)
    home.ingest([event(100, "2026-03-02")])
    assert home.refresh(instance, "2026-03-01", "2026-03-03").success
    recovered = ContextPlane.open(home.folder).snapshot("acme")
    assert recovered is not None
    assert recovered.log == 4


def test_damaged_objects_fail_with_place_and_remedy(home: Home, instance: dg.DagsterInstance) -> None:
    """The plane's error is the step's failure, with its parts as metadata, and is not tried again."""
    home.ingest(events("2026-03-01", 1))
    for segment in (home.folder / "store").rglob("*.jsonl.zst"):
        segment.chmod(0o644)
        segment.write_bytes(segment.read_bytes()[:-1])
    result = home.refresh(instance, "2026-03-01", "2026-03-01")
    assert not result.success
    (failure,) = [each for each in result.all_events if each.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert "are recorded" in str(data.description)
    assert "segments/2026/03/01" in str(data.metadata["where"].value)
    assert "restore" in str(data.metadata["remedy"].value)
    assert not [each for each in result.all_events if each.is_step_up_for_retry]


class LateStore(PlaneResource):
    """A plane whose store answers only at the third call."""

    _calls: int = PrivateAttr(default=0)

    @property
    def builders(self) -> Builders:
        self._calls += 1
        if self._calls < 3:
            raise Unavailable("no answer")
        return super().builders


def test_a_store_that_answers_late_is_asked_again(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step waits and tries again in the same run, and the run succeeds."""
    monkeypatch.setattr(failures, "_WAIT", 0.0)
    home.ingest(events("2026-03-01", 1))
    home.resource = LateStore(home=str(home.folder))
    result = home.refresh(instance, "2026-03-01", "2026-03-01", assets=["timeline"])
    assert result.success
    assert len([each for each in result.all_events if each.is_step_up_for_retry]) == 2


def test_one_damaged_tenant_does_not_keep_the_others_from_being_published(
    home: Home, instance: dg.DagsterInstance
) -> None:
    """Publication goes on with the next tenant, then fails naming the first that was wrong."""
    for tenant in ("acme", "beta"):
        home.ingest(events("2026-03-01", 1), tenant=tenant)
        assert home.refresh(instance, "2026-03-01", "2026-03-01", tenant, ["timeline", "customer_v0"]).success
    record = home.folder / "store" / "tenants" / "acme" / "log" / f"{1:020d}.json"
    record.chmod(0o644)
    record.write_text("{}")
    result = home.refresh(instance, "2026-03-01", "2026-03-01", "beta", ["snapshot"])
    assert not result.success
    assert ContextPlane.open(home.folder).snapshot("beta") is not None


def test_the_log_can_be_observed(home: Home, instance: dg.DagsterInstance) -> None:
    """An observation of `events` counts commits, events and bytes, and its version changes with every commit."""
    observed = []
    for batch in (events("2026-03-01", 2), [event(100, "2026-03-09")]):
        home.ingest(batch)
        definitions = home.graph().definitions()
        job = dg.Definitions.merge(
            definitions, dg.Definitions(jobs=[dg.define_asset_job("observe", dg.AssetSelection.assets("events"))])
        ).resolve_job_def("observe")
        result = job.execute_in_process(instance=instance)
        (made,) = result.asset_observations_for_node("observe_events")
        observed.append(made)
    values = {name: value.value for name, value in observed[-1].metadata.items()}
    assert values.items() >= {"tenants": 1, "commits": 2, "events": 5}.items()
    assert isinstance(values["bytes"], int)
    assert values["bytes"] > 500
    assert "| acme | 2 | 5 | 3 | 2026-03-10T00:00:00Z |" in str(values["by tenant"])
    assert len({each.tags["dagster/data_version"] for each in observed}) == 2


@pytest.mark.parametrize("window", ["7d", "30d"])
def test_a_spec_is_read_anew_by_every_run(home: Home, instance: dg.DagsterInstance, window: str) -> None:
    """A changed file needs no reload: the next run finds its packs stale and builds them."""
    home.ingest(events("2026-03-01", 2))
    assert home.refresh(instance, "2026-03-01", "2026-03-02").success
    home.write_spec("customer_v0", (home.folder / "contexts/customer_v0.yaml").read_text().replace("7d", window))
    result = home.refresh(instance, "2026-03-01", "2026-03-02")
    assert metadata(result, "customer_v0")["built"] == (0 if window == "7d" else 2)
    assert metadata(result, "timeline")["built"] == 0
