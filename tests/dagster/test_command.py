"""`cortex materialize`, run as a user runs it: what it prints, how it exits, and what it leaves in Dagster's home."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from sqlalchemy.exc import OperationalError

from context_assets.commands import materialize
from context_assets.instance import open_instance
from context_assets.lost import TAG, end_lost_runs, this_process
from context_plane import ContextPlane
from context_plane.errors import Infeasible, InputError, NotFound
from context_plane.store.faults import VARIABLE
from tests.dagster.world import SPEC, Home, event, events
from tests.dagster.world import home as open_home


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch, dagster_home: Path) -> Any:
    """Runs the command on the home."""
    monkeypatch.setenv("CONTEXT_PLANE_HOME", str(home.folder))
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(materialize, arguments)

    return call


def shape(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["tenants"]


def test_what_is_stale_is_built_and_published(home: Home, run: Any, dagster_home: Path) -> None:
    """The first call builds and publishes; the JSON says what, and the run is in Dagster's history."""
    home.ingest(events("2026-03-01", 3))
    (told,) = shape(run("--json"))
    (run_id,) = told.pop("runs")
    assert told == {
        "tenant": "acme",
        "timeline": {"built": 3, "unchanged": 0},
        "contexts": {"customer_v0": {"built": 3, "unchanged": 0}},
        "indexes": {"bm25_index": {"built": 3, "unchanged": 0}},
        "memory": {"memory_nodes": {"built": 0, "unchanged": 0}, "memory_chains": {"built": 3, "unchanged": 0}},
        "snapshot": 1,
        "log": 1,
    }
    assert home.plane.bundle("acme", "customer/a").fields["notes"] == 3
    with open_instance(dagster_home) as instance:
        recorded = instance.get_run_by_id(run_id)
        assert recorded is not None
        assert recorded.status is dg.DagsterRunStatus.SUCCESS
        assert recorded.job_name == "refresh"
        assert instance.get_materialized_partitions(dg.AssetKey("timeline")) == {
            f"acme|2026-03-0{day}" for day in (1, 2, 3)
        }


def test_nothing_stale_is_said_at_once(home: Home, run: Any) -> None:
    """A second call builds nothing and starts no run; only what a late event made stale is built by the next."""
    home.ingest([*events("2026-03-01", 2), event(98, "2026-03-20"), event(99, "2026-04-10")])
    run()
    (told,) = shape(run("--json"))
    assert (told["runs"], told["timeline"], told["snapshot"]) == ([], {"built": 0, "unchanged": 4}, 1)
    assert run().stdout == "acme: nothing was stale; snapshot 1 holds the log up to 1\n"
    home.ingest([event(100, "2026-03-01")])
    (told,) = shape(run("--json"))
    assert told["timeline"] == {"built": 1, "unchanged": 3}
    assert told["contexts"] == {"customer_v0": {"built": 3, "unchanged": 1}}


def test_nothing_stale_needs_no_dagster(home: Home, run: Any) -> None:
    """Finding nothing to do is quick, because Dagster is not even imported."""
    home.ingest(events("2026-03-01", 1))
    run()
    code = (
        "import sys\nfrom context_assets.commands import materialize\n"
        "materialize.main([], standalone_mode=False)\nassert 'dagster' not in sys.modules, 'dagster'\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_each_tenant_is_told_and_may_be_chosen(home: Home, run: Any) -> None:
    """Without --tenant all tenants are materialized; with it only those, and an unknown one is an error."""
    for tenant in ("acme", "beta", "gamma"):
        home.ingest(events("2026-03-01", 1), tenant=tenant)
    assert [each["tenant"] for each in shape(run("--json", "--tenant", "beta", "--tenant", "acme"))] == ["beta", "acme"]
    assert [(each["tenant"], len(each["runs"])) for each in shape(run("--json"))] == [
        ("acme", 0),
        ("beta", 0),
        ("gamma", 1),
    ]
    assert isinstance(run("--tenant", "nobody").exception, NotFound)


def test_a_range_limits_what_is_built(home: Home, run: Any) -> None:
    """--from and --to build that range only; what is left is stale still, and readers take it from the tail."""
    home.ingest(events("2026-03-01", 4))
    (told,) = shape(run("--json", "--from", "2026-03-02", "--to", "2026-03-03"))
    assert told["timeline"] == {"built": 2, "unchanged": 0}
    assert told["log"] == 0
    (told,) = shape(run("--json", "--from", "2026-03-04"))
    assert told["timeline"]["built"] == 1
    (told,) = shape(run("--json"))
    assert told["timeline"] == {"built": 1, "unchanged": 3}
    assert told["log"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2025-01-01", "--to", "2025-02-01"], "no events in this .* lie from 2026-03-01 to 2026-03-03"),
        (["--from", "2026-04-01"], "no events in this range"),
        (["--from", "2026-03-03", "--to", "2026-03-01"], "2026-03-03 is after 2026-03-01"),
        (["--from", "yesterday"], "'yesterday' is not a day"),
    ],
)  # fmt: skip
def test_a_range_that_cannot_be_meant_is_refused(home: Home, run: Any, arguments: list[str], message: str) -> None:
    """A range outside of events, backwards or not of days names the remedy and builds nothing."""
    home.ingest(events("2026-03-01", 3))
    refused = run(*arguments).exception
    assert isinstance(refused, InputError)
    with pytest.raises(InputError, match=message):
        raise refused
    assert home.plane.snapshot("acme") is None


def test_a_failed_check_is_the_answer_no(home: Home, run: Any) -> None:
    """Exit code 1, the check and the day on stderr, the JSON still says what was done."""
    home.ingest(events("2026-03-01", 3))
    run()
    home.smuggle(event(2, "2026-03-02", "b"))
    result = run("--json")
    assert result.exit_code == 1
    assert result.stderr == "error: check failed: unique_ids of timeline on acme 2026-03-02, it is not published\n"
    (told,) = json.loads(result.stdout)["tenants"]
    assert (told["snapshot"], told["log"], len(told["runs"])) == (1, 1, 1)


def test_a_failed_run_is_the_answer_no(home: Home, run: Any) -> None:
    """A damaged segment ends the command with 1 and the plane's own words, not with a traceback of Dagster's."""
    home.ingest(events("2026-03-01", 1))
    for segment in (home.folder / "store").rglob("*.jsonl.zst"):
        segment.chmod(0o644)
        segment.write_bytes(segment.read_bytes()[:-1])
    result = run()
    assert result.exit_code == 1
    assert "bytes are recorded" not in result.stderr
    assert "are recorded" in result.stderr
    assert "restore" in result.stderr
    assert "Traceback" not in result.output


def test_days_before_the_start_are_the_answer_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dagster_home: Path
) -> None:
    """What lies in the partitions is built; the rest is told with the setting that keeps it out."""
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    monkeypatch.setenv("CONTEXT_PLANE_HOME", str(tmp_path / "home"))
    with open_home(tmp_path / "home", 'start = "2026-03-02"\n') as home:
        home.ingest(events("2026-03-01", 3))
        result = CliRunner().invoke(materialize, ["--json"])
        assert result.exit_code == 1
        assert (
            "1 of the days lie before the start 2026-03-02, the first is 2026-03-01, set an earlier start"
            in result.stderr
        )
        assert json.loads(result.stdout)["tenants"][0]["timeline"]["built"] == 2


def test_a_broken_spec_is_a_warning(home: Home, run: Any) -> None:
    """The others are materialized, and stderr names the file."""
    home.ingest(events("2026-03-01", 1))
    home.write_spec("typo", SPEC.replace("customer_v0", "typo").replace("fields", "fieldz"))
    result = run()
    assert result.exit_code == 0
    assert "typo.yaml" in result.stderr
    assert "customer_v0 1 built" in result.stdout


def test_only_publication_is_a_run_of_its_own(home: Home, run: Any) -> None:
    """What another process built and did not publish is published without building anything."""
    home.ingest(events("2026-03-01", 2))
    builder = home.builder()
    builder.build((min(builder.history.touched()), max(builder.history.touched())))
    (told,) = shape(run("--json"))
    assert (len(told["runs"]), told["timeline"], told["snapshot"]) == (1, {"built": 0, "unchanged": 2}, 1)


def test_no_store_is_an_error_and_makes_none(home: Home, run: Any) -> None:
    """Whoever materializes in the wrong folder is told so."""
    assert isinstance(run().exception, NotFound)
    assert not (home.folder / "store").exists()


def test_processes_may_open_a_new_dagster_home_together(memory_disk: Path) -> None:
    """Dagster itself crashes when an empty home is opened twice at once; here one makes it and the others wait."""
    folder = memory_disk / "shared"
    code = (
        "import sys\nfrom pathlib import Path\nfrom context_assets.instance import open_instance\n"
        "with open_instance(Path(sys.argv[1])) as made:\n    made.add_dynamic_partitions('tenant', [sys.argv[2]])\n"
    )
    names = ["a", "b", "c"]
    started = [
        subprocess.Popen([sys.executable, "-c", code, folder, name], stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    errors = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], errors
    with open_instance(folder) as instance:
        assert sorted(instance.get_dynamic_partitions("tenant")) == names
        assert not instance.telemetry_enabled


def test_the_installed_command_is_quiet(home: Home) -> None:
    """`cortex materialize` prints a line a tenant and one for the whole, and makes its Dagster home in the plane's."""
    home.ingest(events("2026-03-01", 2))
    command = [sys.executable, "-m", "context_plane.cli", "materialize"]
    env = {**os.environ, "CONTEXT_PLANE_HOME": str(home.folder), "CONTEXT_PLANE_EMBEDDER": "wordllama"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    first, last = done.stdout.splitlines()
    assert first == (
        "acme: timeline 2 built, 0 unchanged, customer_v0 2 built, 0 unchanged, bm25_index 2 built, 0 unchanged, "
        "vector_index 2 built, 0 unchanged, memory_chains 2 built, 0 unchanged; snapshot 1 holds the log up to 1"
    )
    assert last.startswith("1 run in ")
    assert "enabled: false" in (home.folder / "dagster" / "dagster.yaml").read_text()


def test_verbose_prints_dagsters_log(home: Home, run: Any) -> None:
    """-v is for whoever wants to see what Dagster does."""
    home.ingest(events("2026-03-01", 1))
    assert "RUN_SUCCESS" in run("-v").stderr


def test_a_relative_dagster_home_is_refused(home: Home, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster would refuse it too, with a stack trace."""
    home.ingest(events("2026-03-01", 1))
    monkeypatch.setenv("DAGSTER_HOME", "here")
    refused = run().exception
    assert isinstance(refused, InputError)
    assert refused.remedy.startswith("give an absolute path")


def test_a_run_whose_process_was_killed_is_ended_by_the_next(home: Home, run: Any, dagster_home: Path) -> None:
    """Dagster would hold it for running for ever, and two of them for all that may run at once."""
    with ContextPlane.open(home.folder) as plane:
        plane.ingest("acme", events("2026-03-01", 2))
    command = [sys.executable, "-m", "context_plane.cli", "materialize"]
    killed = subprocess.run(command, env={**os.environ, VARIABLE: "timeline.noted"}, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    with open_instance(dagster_home) as instance:
        (lost,) = instance.get_runs()
        assert lost.status is dg.DagsterRunStatus.STARTED
    assert shape(run("--json"))[0]["tenant"] == "acme"
    with open_instance(dagster_home) as instance:
        ended = {each.run_id: each.status for each in instance.get_runs()}
        assert ended.pop(lost.run_id) is dg.DagsterRunStatus.FAILURE
        assert set(ended.values()) == {dg.DagsterRunStatus.SUCCESS}


@pytest.mark.parametrize("changed", ["", "boot", "process", "untagged"])
def test_only_runs_whose_process_is_gone_are_ended(dagster_home: Path, changed: str) -> None:
    """Not one of a process that lives, of another machine, or of Dagster's own launcher."""
    machine, process, began = this_process()[TAG].split("/")
    tags = {
        "": this_process(), "boot": {TAG: f"another/{process}/{began}"}, "process": {TAG: f"{machine}/{process}/1"},
        "untagged": {},
    }[changed]  # fmt: skip
    with open_instance(dagster_home) as instance:
        made = instance.add_run(
            dg.DagsterRun("job", run_id=str(uuid4()), status=dg.DagsterRunStatus.STARTED, tags=tags)
        )
        assert end_lost_runs(instance) == ([made.run_id] if changed == "process" else [])


def test_a_disk_that_is_full_is_said_to_be(dagster_home: Path) -> None:
    """SQLite's words, the folder, and what to do; other errors of the database stay what they are."""
    with pytest.raises(Infeasible, match="disk I/O error") as error, open_instance(dagster_home):
        raise OperationalError("PRAGMA x", {}, sqlite3.OperationalError("disk I/O error"))
    assert error.value.where == str(dagster_home)
    assert "free space" in error.value.remedy
    with pytest.raises(OperationalError), open_instance(dagster_home):
        raise OperationalError("SELECT x", {}, sqlite3.OperationalError("no such column: x"))
