"""`ctx_packages`: a partition a package, rebuilt when a source changed and not otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from context_assets import names
from context_assets.commands import materialize
from context_assets.instance import open_instance
from context_assets.packages import PACKAGE, ranges
from context_plane import ContextPlane
from context_plane.bundles.packages import table
from sensors import packages as sensing
from sensors.packages import build_rebuild
from tests.dagster.test_sensor import Daemon
from tests.dagster.world import QUIET, Home, event, metadata
from tests.dagster.world import home as open_home

KEY = dg.AssetKey(names.CTX_PACKAGES)
TOP = "package: team/top\nscope: team\nchains: [n1]\nqueries: [{query: stage, k: 2}]\n"
OTHER = "package: other\nscope: org\nchains: [m1]\n"


class Made(Home):
    """A home with two packages of two chains."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.declare("top", TOP)
        self.declare("other", OTHER)
        self.ingest([event(n, "2026-03-01", text=f"stage {n}") for n in range(3)])
        for node, text in (("n1", "Uses Postgres"), ("m1", "Pays in EUR")):
            self.plane.remember("acme", "service/pay", text, id=node, at="2026-02-01")

    def declare(self, name: str, text: str) -> Path:
        """Writes a file under `packages/`."""
        path = self.folder / "packages" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def correct(self, text: str) -> None:
        """Makes `team/top` stale, and nothing else."""
        with ContextPlane.open(self.folder) as plane:
            plane.remember("acme", "service/pay", text, supersedes="n1", at="2026-02-02")

    def run(self, instance: dg.DagsterInstance, first: str, last: str | None = None) -> dg.ExecuteInProcessResult:
        """A run of the job over a range of partitions, in the order in which they were added."""
        job = self.graph().definitions().resolve_job_def(names.PACKAGES)
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last or first}
        return job.execute_in_process(instance=instance, tags=tags, run_config=QUIET, raise_on_error=False)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    home = Made(tmp_path / "made")
    yield home
    home.plane.close()


def test_one_run_builds_a_range_of_packages(made: Made, instance: dg.DagsterInstance) -> None:
    """Each partition shows its sizes, sources and how fresh it is; the bytes are those of a second compilation."""
    instance.add_dynamic_partitions(PACKAGE, ["acme/other", "acme/team/top"])
    result = made.run(instance, "acme/other", "acme/team/top")
    assert result.success
    top = made.plane.package("acme", "team/top")
    assert top.freshness.state == "fresh"
    told = metadata(result, names.CTX_PACKAGES, "acme/team/top")
    assert (told["version"], told["tokens"], told["raw tokens"]) == (top.version, top.tokens, top.raw_tokens)
    assert told["ratio"] == round(top.ratio, 4)
    assert "| chain n1 | 1 | 0 |" in told["sources"]
    assert told["compiled"] == top.freshness.built
    assert "Uses Postgres" in told["text"]
    assert (told["built"], told["unchanged"]) == (2, 0)
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("reproducible", True)
    rows = table.read(made.plane.store, "acme").to_pylist()
    assert [(row["name"], row["tokens"]) for row in rows if row["name"] == "team/top"] == [("team/top", top.tokens)]
    again = made.run(instance, "acme/other", "acme/team/top")
    assert metadata(again, names.CTX_PACKAGES, "acme/other")["built"] == 0


def test_a_package_that_is_not_what_the_log_makes_fails_its_check(
    made: Made, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check names it. (Nothing in the code can make it so, hence a source that says something else every time.)"""
    from context_plane.bundles.packages import sources

    counter = iter(range(100))
    real = sources._of_node
    monkeypatch.setattr(sources, "_of_node", lambda node, of: real(_changed(node, next(counter)), of))
    instance.add_dynamic_partitions(PACKAGE, ["acme/other"])
    result = made.run(instance, "acme/other")
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.metadata["failing"].value == "acme/other"


def _changed(node: Any, number: int) -> Any:
    class Other:
        text = f"{node.text} {number}"

        def __getattr__(self, name: str) -> Any:
            return getattr(node, name)

    return Other()


def test_one_that_cannot_be_compiled_fails_the_run_and_not_the_others(made: Made, instance: dg.DagsterInstance) -> None:
    """The failure has its place and remedy; a partition whose package is gone says nothing."""
    made.declare("gone", "package: gone\nscope: org\nchains: [nowhere]\n")
    instance.add_dynamic_partitions(PACKAGE, ["acme/gone", "acme/other", "acme/removed"])
    result = made.run(instance, "acme/gone", "acme/removed")
    assert not result.success
    (failed,) = [each for each in result.all_events if each.is_step_failure]
    assert "packages/gone.yaml:3: chains.0" in failed.step_failure_data.user_failure_data.description  # type: ignore[union-attr]
    assert made.plane.package("acme", "other").freshness.state == "fresh"
    assert made.run(instance, "acme/removed").success


def test_the_condition_asks_for_exactly_what_changed(made: Made, instance: dg.DagsterInstance) -> None:
    """The sensor tells which packages' sources changed, and registers their partitions; nothing else is asked for."""
    graph = made.graph()
    definitions = dg.Definitions.merge(graph.definitions(), dg.Definitions(sensors=[build_rebuild(graph)]))
    daemon = Daemon(made, instance, graph)

    def asked(before: Any = None) -> Any:
        tick(daemon)
        return dg.evaluate_automation_conditions(
            defs=definitions, instance=instance, cursor=before.cursor if before else None
        )

    daemon.settle()
    first = dg.evaluate_automation_conditions(defs=definitions, instance=instance)
    assert sorted(instance.get_dynamic_partitions(PACKAGE)) == ["acme/other", "acme/team/top"]
    made.run(instance, "acme/other", "acme/team/top")
    second = asked(first)
    assert second.total_requested == 0
    made.correct("Uses Aurora")
    third = asked(second)
    assert third.get_requested_partitions(KEY) == {"acme/team/top"}
    made.run(instance, "acme/team/top")
    fourth = asked(third)
    assert fourth.total_requested == 0
    made.ingest([event(9, "2026-03-09", text="nothing that a package holds")])
    assert asked(fourth).total_requested == 0


def tick(daemon: Daemon) -> dg.SensorResult:
    """A tick, and what the daemon makes of it."""
    result = daemon.tick()
    for each in result.asset_events:
        daemon.instance.report_runless_asset_event(each)
    return result


def test_the_sensor_tells_of_a_change_once_and_again_where_nothing_came_of_it(
    made: Made, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that failed would else be forgotten; a file that changed without any event is noticed too."""
    daemon = Daemon(made, instance)
    daemon.settle()
    moment = [1_000_000.0]
    monkeypatch.setattr(sensing, "time", lambda: moment[0])
    daemon.cursor = None

    def told() -> list[str | None]:
        return [e.partition for e in tick(daemon).asset_events if isinstance(e, dg.AssetMaterialization)]

    both = ["acme/other", "acme/team/top"]
    assert told() == both
    assert told() == []
    moment[0] += 61
    assert told() == both
    moment[0] += 61
    assert told() == []
    with ContextPlane.open(made.folder) as plane:
        plane.build_packages("acme", table=False)
    assert told() == []
    assert "packages" not in json.loads(daemon.cursor or "")
    made.declare("other", OTHER.replace("scope: org", "scope: domain"))
    assert told() == ["acme/other"]


def test_partitions_follow_what_is_declared(made: Made, instance: dg.DagsterInstance) -> None:
    """A package that is taken out loses its partition; one that is broken has none, and the tick says why."""
    daemon = Daemon(made, instance)
    tick(daemon)
    assert sorted(instance.get_dynamic_partitions(PACKAGE)) == ["acme/other", "acme/team/top"]
    (made.folder / "packages" / "top.yaml").write_text("package: team/top\n")
    daemon.settle()
    assert instance.get_dynamic_partitions(PACKAGE) == ["acme/other"]
    assert "package left out: key 'scope' is missing" in str(daemon.tick().skip_reason)


@pytest.fixture
def run(made: Made, monkeypatch: pytest.MonkeyPatch, dagster_home: Path) -> Any:
    """`cortex materialize` on the home."""
    monkeypatch.setenv("CONTEXT_PLANE_HOME", str(made.folder))
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    return lambda *arguments: CliRunner().invoke(materialize, arguments)


def test_materialize_builds_what_is_stale(made: Made, run: Any, dagster_home: Path) -> None:
    """With the rest or alone, told with the rest; a second call starts no run."""

    def shape(result: Any) -> Any:
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)["tenants"][0]

    assert shape(run("--json"))["packages"] == {"built": 2, "unchanged": 0}
    quiet = shape(run("--json"))
    assert (quiet["packages"], quiet["runs"]) == ({"built": 0, "unchanged": 2}, [])
    made.declare("other", OTHER.replace("scope: org", "scope: domain"))
    only = shape(run("--json"))
    assert (only["packages"], len(only["runs"])) == ({"built": 1, "unchanged": 1}, 1)
    made.correct("Uses Aurora")
    assert "packages 1 built, 1 unchanged" in run().stdout
    assert "Uses Aurora" in made.plane.package("acme", "team/top", compile=False).text
    made.declare("gone", "package: gone\nscope: org\nchains: [nowhere]\n")
    done = run()
    assert done.exit_code == 0
    assert "warning: package left out: chain nowhere: there is no memory 'nowhere'" in done.stderr
    with open_instance(dagster_home) as opened:
        assert opened.get_materialized_partitions(KEY) == {"acme/other", "acme/team/top"}


def test_a_home_without_packages_has_nothing_to_do(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Neither partitions nor events."""
    with open_home(tmp_path / "home") as home:
        home.ingest([event(1, "2026-03-01")])
        result = Daemon(home, instance).tick()
        assert not [each for each in result.asset_events if isinstance(each, dg.AssetMaterialization)]
        assert len(result.dynamic_partitions_requests or []) == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("", []), ("b", [("b", "b")]), ("abc", [("a", "c")]), ("abde", [("a", "b"), ("d", "e")]),
        ("aez", [("a", "a"), ("e", "e")]),
    ],
)  # fmt: skip
def test_ranges_hold_what_is_wanted_and_no_more(wanted: str, expected: list[tuple[str, str]]) -> None:
    """In the order of registration; what is not registered is in none."""
    assert ranges(wanted, "abcde") == expected
