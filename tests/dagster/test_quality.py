"""`retrieval_quality`: evaluated in process, kept beside the tenants, plotted, and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from context_assets import names, quality
from context_plane.evaluation import history
from context_plane.evaluation.measures import Interval
from context_plane.evaluation.report import Figures, Report
from tests.dagster.world import QUIET, Home, metadata
from tests.evaluation.world import write, write_talks
from tests.retrieval.oracle import Hashed


def run(home: Home, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Materializes the asset as a person does in the UI."""
    definitions = home.graph().definitions()
    return (
        definitions.resolve_implicit_global_asset_job_def()
        .get_subset(asset_selection={dg.AssetKey(names.RETRIEVAL_QUALITY)})
        .execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
    )


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = result.get_asset_check_evaluations()
    return found


def test_the_asset_is_there_with_the_first_data_set(home: Home) -> None:
    """A home without data sets has nothing to show; the job `refresh` never waits for an evaluation."""
    key = dg.AssetKey(names.RETRIEVAL_QUALITY)
    assert key not in home.graph().definitions().resolve_asset_graph().get_all_asset_keys()
    write(home.folder / "quality" / "tiny")
    definitions = home.graph().definitions()
    dg.Definitions.validate_loadable(definitions)
    node = definitions.resolve_asset_graph().get(key)
    assert (node.group_name, node.partitions_def) == (names.SEARCH_GROUP, None)
    assert names.RETRIEVAL_QUALITY not in definitions.resolve_job_def("refresh").graph.node_dict


def test_a_run_measures_and_keeps_every_data_set(home: Home, instance: dg.DagsterInstance) -> None:
    """Tables, numbers that Dagster plots, and one object an evaluation; the home's tenants are as before."""
    write(home.folder / "quality" / "tiny")
    write_talks(home.folder / "quality" / "talks")
    result = run(home, instance)
    assert result.success
    values = metadata(result, names.RETRIEVAL_QUALITY)
    assert values["data sets"] == 2
    assert values["tiny bm25 nDCG@10"] == values["tiny bm25 recall@10"] == values["tiny bm25 MRR@10"] == 1
    assert "| bm25 | 1.000 [1.000, 1.000] |" in values["tiny"]
    assert "4 documents, 2 queries; embedder none, analyzer english" in values["tiny"]
    assert values["tiny: nDCG@10 over time"].startswith("![tiny: nDCG@10 of 1 evaluations; last bm25 1.000]")
    assert check(result).passed
    assert str(check(result).description) == "without vectors there is no hybrid search"
    assert [len(history.kept(home.plane.store, name)) for name in ("tiny", "talks")] == [1, 1]
    assert home.plane.tenants() == []


def test_the_history_shows_where_the_embedder_changed(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs are two points; with another embedder they are two measurements, and the plot says so."""
    drawn: list[tuple[Any, ...]] = []
    real = quality.courses
    monkeypatch.setattr(quality, "courses", lambda *given: drawn.append(given) or real(*given))
    monkeypatch.setattr("context_plane.retrieval.embedders.open_embedder", Hashed)
    write(home.folder / "quality" / "tiny")
    assert run(home, instance).success
    monkeypatch.setenv("CONTEXT_PLANE_EMBEDDER", "words")
    result = run(home, instance)
    assert result.success
    first, second = history.kept(home.plane.store, "tiny")
    assert (first.embedder, second.embedder) == ("none", "hashed/words/16")
    title, times, values, marks = drawn[-1]
    assert title == "tiny: nDCG@10 of 2 evaluations"
    assert len(times) == 2
    assert list(values) == ["bm25", "vector", "hybrid"]
    assert values["hybrid"][0] != values["hybrid"][0]  # NaN: there were no vectors
    assert marks == {1: "hashed/words/16"}
    shown = metadata(result, names.RETRIEVAL_QUALITY)
    assert "| hybrid less bm25 |" in shown["tiny"]
    assert len(shown["tiny: nDCG@10 over time"]) < 20_000
    assert check(result).passed
    assert str(check(result).description) == "1 data sets hold"


def test_a_broken_data_set_leaves_the_others(home: Home, instance: dg.DagsterInstance) -> None:
    """What could be measured is kept; the run fails with the place and the remedy of what could not."""
    (home.folder / "quality" / "broken").mkdir(parents=True)
    write(home.folder / "quality" / "tiny")
    result = run(home, instance)
    assert not result.success
    (failure,) = [each for each in result.all_events if each.is_step_failure]
    assert "there is no corpus.jsonl" in str(failure.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]
    assert len(history.kept(home.plane.store, "tiny")) == 1


def test_without_data_sets_the_metadata_say_where_to_put_one(home: Home, instance: dg.DagsterInstance) -> None:
    """They may be gone since the code location was loaded."""
    folder = write(home.folder / "quality" / "tiny")
    job = (
        home.graph()
        .definitions()
        .resolve_implicit_global_asset_job_def()
        .get_subset(asset_selection={dg.AssetKey(names.RETRIEVAL_QUALITY)})
    )
    folder.rename(home.folder / "elsewhere")
    result = job.execute_in_process(instance=instance, run_config=QUIET)
    values = metadata(result, names.RETRIEVAL_QUALITY)
    assert values["data sets"] == 0
    assert str(home.folder / "quality") in values["nothing measured"]


def test_the_check_warns_of_hybrid_that_is_worse_than_its_parts() -> None:
    """By more than .005 nDCG@10; it stops nothing."""

    def measured(hybrid: float, **more: Any) -> quality.Measured:
        scores = {"bm25": 0.5, "vector": 0.6, "hybrid": hybrid}
        modes = {mode: Figures({"nDCG@10": Interval(mean, mean, mean)}, 1, 1) for mode, mean in scores.items()}
        report = Report("tiny", "f", 0, 4, 2, 0, 0, "a", "english", modes, {}, 1.0)
        return quality.Measured(replace(report, **more), [report])

    assert quality._check([measured(0.5951)]).passed
    result = quality._check([measured(0.65), measured(0.59, dataset="worse")])
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.description == "worse is 0.010 behind"
    assert {name: value.value for name, value in result.metadata.items()} == {"tiny ahead": 0.05, "worse ahead": -0.01}
