"""The code location: what is in the graph, that it loads whatever the home holds, and that importing it does nothing.

`graph.txt` is the graph of a home with one spec. When a change of it is meant, write it anew and read the difference:
``UPDATE_GRAPH=1 python -m pytest tests/dagster/test_graph.py``
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.dagster.world import SPEC, Home, events

RECORDED = Path(__file__).with_name("graph.txt")
REPOSITORY = Path(__file__).parents[2]


def load(home: Home, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    """The code location as Dagster loads it, of the home that the environment names."""
    monkeypatch.setenv("CONTEXT_PLANE_HOME", str(home.folder))
    from definitions import defs

    loaded: dg.Definitions = defs()
    return loaded


def described(definitions: dg.Definitions) -> Iterator[str]:
    """Everything about the graph that a change should be noticed of."""
    graph = definitions.resolve_asset_graph()
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        yield f"asset {key.to_user_string()}"
        yield f"  group {node.group_name}, kinds {', '.join(sorted(node.kinds))}, owners {', '.join(node.owners)}"
        yield f"  is {'observed' if node.is_observable else 'built' if node.is_executable else 'external'}"
        yield f"  after {', '.join(sorted(parent.to_user_string() for parent in node.parent_keys)) or 'nothing'}"
        yield f"  partitions {partitions(node.partitions_def)}"
        yield f"  backfill {node.backfill_policy.policy_type.name if node.backfill_policy else 'none'}"
        if node.automation_condition is not None:
            yield f"  asked for when {node.automation_condition.get_label()}"
        for check in sorted(node.check_keys):
            yield f"  check {check.name}{' (blocking)' if graph.get_check_spec(check).blocking else ''}"
    repository = definitions.get_repository_def()
    for job in sorted(repository.get_all_jobs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            yield f"job {job.name}: {', '.join(sorted(job.graph.node_dict))}; executor {job.executor_def.name}"
    for sensor in repository.sensor_defs:
        every = f"{sensor.minimum_interval_seconds} s"
        automatic = isinstance(sensor, dg.AutomationConditionSensorDefinition)
        jobs = ", ".join(sorted(each.job_name for each in sensor.targets))
        target = f"conditions of {sensor.asset_selection}" if automatic else jobs
        yield f"sensor {sensor.name}: {target}, {sensor.default_status.name}, {every}"
    for schedule in repository.schedule_defs:
        yield f"schedule {schedule.name}: {schedule.job_name}, {schedule.default_status.name}, {schedule.cron_schedule}"
    yield f"resources {', '.join(sorted(definitions.resources or {}))}"


def partitions(found: dg.PartitionsDefinition | None) -> str:
    if not isinstance(found, dg.MultiPartitionsDefinition):
        return "none" if found is None else type(found).__name__
    return " by ".join(
        f"{each.name} ({type(each.partitions_def).__name__})" for each in found.partitions_defs
    )  # fmt: skip


def test_the_graph_is_the_recorded_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, dependencies, partitions, checks, kinds, jobs and what starts them, with the default embedder."""
    monkeypatch.setenv("CONTEXT_PLANE_EMBEDDER", "wordllama")
    text = "\n".join(described(load(home, monkeypatch))) + "\n"
    if os.environ.get("UPDATE_GRAPH"):
        RECORDED.write_text(text)
    assert text == RECORDED.read_text()


def test_the_code_location_is_loadable(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """With events, without, and with a home that does not exist."""
    dg.Definitions.validate_loadable(load(home, monkeypatch))
    home.ingest(events("2026-03-01", 2))
    dg.Definitions.validate_loadable(load(home, monkeypatch))
    home.folder = home.folder.with_name("nowhere")
    dg.Definitions.validate_loadable(load(home, monkeypatch))
    assert not home.folder.exists()


def test_a_broken_spec_is_shown_and_leaves_the_others(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The graph loads; the broken file is an asset that nobody can materialize, with the error as its description."""
    home.write_spec("my typo", SPEC.replace("customer_v0", "other").replace("fields", "fieldz"))
    home.write_spec("my.typo", "- a list")
    definitions = load(home, monkeypatch)
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    broken = [graph.get(dg.AssetKey(name)) for name in ("broken_my_typo", "broken_my_typo_")]
    assert [node.is_executable for node in broken] == [False, False]
    assert "did you mean fields?" in str(broken[0].description)
    assert graph.get(dg.AssetKey("customer_v0")).is_executable
    assert "broken_my_typo" not in definitions.resolve_job_def("refresh").graph.node_dict
    assert "context spec left out" in caplog.text


def test_importing_the_code_location_reads_and_writes_nothing(tmp_path: Path) -> None:
    """No file but Python's own is opened at import, and nothing is started."""
    script = tmp_path / "watch.py"
    script.write_text(
        "import os, sys, dagster\n"
        "seen = []\n"
        "def hook(name, args):\n"
        "    if name in ('open', 'os.mkdir', 'os.listdir', 'os.scandir', 'socket.connect', 'subprocess.Popen'):\n"
        "        seen.append((name, str(args[0]) if args else ''))\n"
        "sys.addaudithook(hook)\n"
        "import definitions, sensors.commits, sensors.daily, context_assets.graph, resources.serving\n"
        f"print([each for each in seen if {str(tmp_path / 'home')!r} in each[1] or 'context-plane' in each[1]])\n"
        "print([each for each in seen if each[0] in ('os.mkdir', 'socket.connect', 'subprocess.Popen')])\n"
    )
    env = {**os.environ, "CONTEXT_PLANE_HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run([sys.executable, script], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == ["[]", "[]"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["watch.py"]


def test_the_operations_page_says_what_the_code_does() -> None:
    """Names, times and budgets of docs/operations.md are those of the code."""
    from context_assets import checks, partitions
    from context_assets.failures import RETRIES
    from sensors import attempts, commits, daily

    page = " ".join((REPOSITORY / "docs" / "operations.md").read_text().split())
    minutes = [int(seconds / 60) for seconds in attempts.DELAYS]
    assert minutes == [1, 5, 30, 360]
    assert "one minute after it ended, then after 5 minutes, half an hour, and every 6 hours" in page
    assert RETRIES == 3
    assert "after 10, 20 and 40 s" in page
    assert f"every {commits.INTERVAL} s, on from the start" in page
    assert f"{commits.SECONDS:.0f} seconds and {commits.REQUESTS} requests" in page
    assert daily.CRON == "0 3 * * *"
    assert partitions.joined([(0, 0), (31, 31), (63, 63)], "day") == [(0, 31), (63, 63)]
    assert "at most 30 windows part are one" in page
    assert all(f"`{name}`" in page for name in [*checks.TIMELINE, *checks.CONTEXTS, *checks.VECTOR, checks.RECALL])
