"""Processes under Dagster: the job shows gates and steps, sensors start runs once, the log knows what is done."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from context_assets import names
from context_assets.process_run import EXECUTION_TAG, run_config
from context_plane import ContextPlane
from context_plane.processes.engine.sealing import RECORD
from sensors.processes import build_orphans, build_triggers
from tests.dagster.world import QUIET, Home, event

PROCESS = """
process: fix_ci_failure
version: 3
description: Fixes what fails in CI
trigger: {type: event, match: {source: ci, status: failure}}
inputs: {branch: {type: text, default: "${event.data.branch}"}}
gates: [ready]
steps:
  - {id: read_failure, action: look, inputs: {branch: "${inputs.branch}"}}
  - {id: diagnose, action: doubtful}
  - {id: commit, action: look, gates: [ready, also]}
"""
ACTIONS = '''
"""Actions that look into the workspace for what to do."""

from context_plane.processes import action, gate


@gate("ready")
def ready(call):
    return not (call.workspace / "shut").exists()


@gate("also")
def also(call):
    return True


@action("look", keyed=True)
def look(step):
    with open(step.workspace / "looked", "a") as file:
        file.write(step.id + "\\n")
    return {"summary": f"{step.id} looked", "inputs": dict(step.inputs)}


@action("doubtful", keyed=True)
def doubtful(step):
    if (step.workspace / "broken").exists():
        raise ValueError("it is broken")
    return "sure"
'''


def failure(number: int, **data: Any) -> dict[str, Any]:
    made = event(number, "2026-03-01", status="failure", branch="main", **data)
    return {**made, "source": "ci", "type": "ci.run", "subject": "repository/acme"}


@pytest.fixture
def processes(home: Home) -> Home:
    folder = home.folder / "processes"
    folder.mkdir()
    (folder / "fix.yaml").write_text(PROCESS)
    (folder / "acts.py").write_text(ACTIONS)
    (home.folder / "workspaces" / "acme" / "fix_ci_failure").mkdir(parents=True)
    return home


def workspace(home: Home) -> Path:
    return home.folder / "workspaces" / "acme" / "fix_ci_failure"


def launch(
    home: Home, instance: dg.DagsterInstance, execution: str, run: dg.DagsterRun | None = None
) -> dg.ExecuteInProcessResult:
    """One run of an execution, as a worker of Dagster's would do it."""
    job = home.graph().definitions().resolve_job_def(names.PROCESS_RUN)
    return job.execute_in_process(run_config=run_config(execution) | QUIET, instance=instance, raise_on_error=False)


class Daemon:
    """Ticks a sensor and keeps its cursor."""

    def __init__(self, home: Home, instance: dg.DagsterInstance) -> None:
        self.home, self.instance = home, instance
        self.sensor = build_triggers(home.graph())
        self.cursor: str | None = None

    def tick(self) -> list[dg.RunRequest]:
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"plane": self.home.resource}
        ) as context:
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return [each for each in result.run_requests or [] if each.job_name == names.PROCESS_RUN]


def test_the_run_shows_gates_and_steps_by_name(processes: Home, instance: dg.DagsterInstance) -> None:
    """An op for each, in order, with what it found as metadata; the log has the records when the run is over."""
    head = processes.plane.start("fix_ci_failure", tenant="acme", event=failure(1))
    result = launch(processes, instance, head.id)
    assert result.success
    keys = [e.step_key for e in result.all_events if e.event_type_value == "STEP_SUCCESS"]
    assert keys == [
        "plan", "run[gate_0_ready]", "run[read_failure]", "run[diagnose]", "run[gate_0_commit__ready]",
        "run[gate_1_commit__also]", "run[commit]", "outcome",
    ]  # fmt: skip
    found = processes.plane.execution(head.id)
    assert found.status == "succeeded"
    assert found.outputs["read_failure"]["inputs"] == {"branch": "main"}
    events = processes.plane.sql("acme", f"SELECT count(*) AS n FROM events WHERE type = '{RECORD}'")
    assert events["n"].to_pylist()[0] == found.seq
    assert (workspace(processes) / "looked").read_text() == "read_failure\ncommit\n"


def test_a_failed_step_fails_its_op_and_a_new_run_goes_on(processes: Home, instance: dg.DagsterInstance) -> None:
    """What comes after it says why it was not run; a run of the same execution goes on there, nothing is done twice."""
    (workspace(processes) / "broken").touch()
    head = processes.plane.start("fix_ci_failure", tenant="acme", event=failure(1))
    result = launch(processes, instance, head.id)
    failed = {e.step_key: e.step_failure_data.error.message for e in result.all_events if e.is_step_failure}
    assert "step diagnose failed: ValueError: it is broken" in failed["run[diagnose]"]
    assert failed["run[commit]"].startswith("dagster._core.definitions.events.Failure: not run: step diagnose failed")
    (workspace(processes) / "broken").unlink()
    assert launch(processes, instance, head.id).success
    assert (workspace(processes) / "looked").read_text() == "read_failure\ncommit\n"


def test_a_closed_gate_fails_its_op_with_the_reason(processes: Home, instance: dg.DagsterInstance) -> None:
    (workspace(processes) / "shut").touch()
    head = processes.plane.start("fix_ci_failure", tenant="acme", event=failure(1))
    result = launch(processes, instance, head.id)
    failed = [e.step_key for e in result.all_events if e.is_step_failure]
    assert failed[0] == "run[gate_0_ready]"
    assert processes.plane.execution(head.id).status == "halted"
    (workspace(processes) / "shut").unlink()
    assert launch(processes, instance, head.id).success


@pytest.mark.parametrize("name", ["also", "look"])
def test_a_run_goes_on_at_a_step_whose_gates_are_asked_again(
    processes: Home, instance: dg.DagsterInstance, name: str
) -> None:
    """Where the second of a step's gates was closed, and where the step failed behind its gates: the ops of all of its
    gates take part in the new turn."""
    wrong = {
        "also": ACTIONS.replace("def also(call):\n    return True", "def also(call):\n    return False"),
        "look": ACTIONS.replace("def look(step):\n", "def look(step):\n    assert step.id != 'commit'\n"),
    }
    acts = processes.folder / "processes" / "acts.py"
    acts.write_text(wrong[name])
    head = processes.plane.start("fix_ci_failure", tenant="acme", event=failure(1))
    assert not launch(processes, instance, head.id).success
    acts.write_text(ACTIONS)
    result = launch(processes, instance, head.id)
    assert [e.step_key for e in result.all_events if e.is_step_failure] == []
    assert (workspace(processes) / "looked").read_text() == "read_failure\ncommit\n"


def test_a_run_of_what_is_done_does_nothing(processes: Home, instance: dg.DagsterInstance) -> None:
    head = processes.plane.start("fix_ci_failure", tenant="acme", event=failure(1))
    processes.plane.engine.run(head.id)
    assert launch(processes, instance, head.id).success
    assert (workspace(processes) / "looked").read_text() == "read_failure\ncommit\n"


def test_a_run_stays_on_its_version(processes: Home, instance: dg.DagsterInstance) -> None:
    head = processes.plane.start("fix_ci_failure", tenant="acme", event=failure(1))
    text = PROCESS.replace("version: 3", "version: 4").replace("{id: commit,", "{id: publish,")
    (processes.folder / "processes" / "fix.yaml").write_text(text)
    result = launch(processes, instance, head.id)
    assert "run[commit]" in [e.step_key for e in result.all_events]
    assert result.success


def test_an_event_starts_one_run_however_often_the_sensor_looks(processes: Home, instance: dg.DagsterInstance) -> None:
    """Once for the event; not for what was there before the process was seen; not again without the cursor."""
    processes.ingest([failure(1)])
    daemon = Daemon(processes, instance)
    assert daemon.tick() == []
    processes.ingest([failure(2), event(3, "2026-03-01"), {**failure(4), "data": {"status": "success"}}])
    (request,) = daemon.tick()
    id = request.tags[EXECUTION_TAG]
    assert request.run_key == id
    assert request.run_config == run_config(id)
    assert daemon.tick() == []
    daemon.cursor = None
    assert daemon.tick() == []
    assert [head.id for head in processes.plane.executions("acme")] == [id]
    assert launch(processes, instance, id).success
    # A new version does not make the same event run again, also for whoever lost his place.
    text = PROCESS.replace("version: 3", "version: 4")
    (processes.folder / "processes" / "fix.yaml").write_text(text)
    daemon.cursor = None
    assert daemon.tick() == []
    assert len(processes.plane.executions("acme")) == 1


def test_the_first_event_of_a_new_tenant_is_reacted_to(processes: Home, instance: dg.DagsterInstance) -> None:
    processes.ingest([event(1, "2026-03-01")], tenant="other")
    daemon = Daemon(processes, instance)
    daemon.tick()
    processes.ingest([failure(2)], tenant="acme")
    (request,) = daemon.tick()
    assert request.tags[EXECUTION_TAG].startswith("acme.")


def test_a_process_that_was_added_needs_no_reload(processes: Home, instance: dg.DagsterInstance) -> None:
    processes.ingest([event(1, "2026-03-01")])
    daemon = Daemon(processes, instance)
    daemon.tick()
    text = PROCESS.replace("fix_ci_failure", "tell").replace("failure}", "broken}")
    (processes.folder / "processes" / "tell.yaml").write_text(text)
    processes.ingest([{**failure(2), "data": {"status": "broken", "branch": "main"}}])
    (request,) = daemon.tick()
    assert launch(processes, instance, request.tags[EXECUTION_TAG]).success


def test_orphans_are_asked_for_once(processes: Home, instance: dg.DagsterInstance) -> None:
    """An execution that was accepted and of which no run was asked for; not while a run of it is queued."""
    head = processes.plane.start("fix_ci_failure", tenant="acme", event=failure(1))
    sensor = build_orphans(processes.graph())

    def tick() -> Any:
        with dg.build_sensor_context(instance=instance, resources={"plane": processes.resource}) as context:
            return sensor(context)

    result = tick()
    assert [each.run_key for each in result.run_requests] == [f"{head.id}/0"]
    job = processes.graph().definitions().resolve_job_def(names.PROCESS_RUN)
    instance.create_run_for_job(job, run_config=run_config(head.id), tags={EXECUTION_TAG: head.id})
    assert isinstance(tick(), dg.SkipReason)
    processes.plane.engine.run(head.id)
    assert isinstance(tick(), dg.SkipReason)


def test_the_catalog_is_an_asset_with_a_diagram(processes: Home, instance: dg.DagsterInstance) -> None:
    child = "process: child\nversion: 1\nextends: fix_ci_failure\n"
    (processes.folder / "processes" / "child.yaml").write_text(child)
    definitions = processes.graph().definitions()
    job = definitions.resolve_job_def(names.CATALOG_JOB)
    result = job.execute_in_process(instance=instance)
    (made,) = result.asset_materializations_for_node(names.PROCESS_CATALOG)
    assert made.metadata["processes"].value == 2
    assert str(made.metadata["inheritance"].value).startswith("![what extends")
    (check,) = result.get_asset_check_evaluations()
    assert check.passed
    (processes.folder / "processes" / "child.yaml").write_text(child.replace("fix_ci_failure", "gone"))
    (check,) = job.execute_in_process(instance=instance).get_asset_check_evaluations()
    assert not check.passed


def test_a_broken_folder_does_not_stop_the_sensor(processes: Home, instance: dg.DagsterInstance) -> None:
    (processes.folder / "processes" / "odd.yaml").write_text("process: [")
    processes.ingest([event(1, "2026-03-01")])
    daemon = Daemon(processes, instance)
    daemon.tick()
    processes.ingest([failure(2)])
    assert len(daemon.tick()) == 1
    assert json.loads(str(daemon.cursor))["tenants"]["acme"] >= 2


def test_schedules_start_what_is_due_once(processes: Home, instance: dg.DagsterInstance) -> None:
    """Of several times that were missed only the last; the same time is not run twice by whoever lost the cursor."""
    text = PROCESS.replace("{type: event, match: {source: ci, status: failure}}", '{type: schedule, cron: "0 * * * *"}')
    text = text.replace('"${event.data.branch}"', "main")
    (processes.folder / "processes" / "fix.yaml").write_text(text)
    processes.ingest([event(1, "2026-03-01")])
    daemon = Daemon(processes, instance)
    assert daemon.tick() == []
    held = json.loads(str(daemon.cursor))
    held["looked"] -= 3 * 3_600 * 1_000_000
    daemon.cursor = json.dumps(held)
    (request,) = daemon.tick()
    assert launch(processes, instance, request.tags[EXECUTION_TAG]).success
    daemon.cursor = json.dumps(held)
    again = daemon.tick()
    assert [each.run_key for each in again] == [request.run_key]
    assert len(ContextPlane.open(processes.folder).executions("acme")) == 1
