"""`cortex doctor`: says what works and what does not, with the remedy, and exits with 1 where something is missing."""

from __future__ import annotations

from tests.cli.conftest import Provide, Shell


def by_name(report: dict[str, list[dict[str, str]]]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in report["checks"]}


def test_a_home_that_works_is_well(acme: Shell) -> None:
    """Every check is there and nothing is missing; what is not materialized is a note."""
    report = acme.json("doctor")
    checks = by_name(report)
    assert report["ok"] is True
    assert {each["state"] for each in report["checks"]} <= {"ok", "note"}
    for name in ("python", "dagster import", "tokenizer", "command materialize", "home", "disk", "store"):
        assert checks[name]["state"] == "ok", checks[name]
    assert checks["spec notes_v0.yaml"]["detail"] == "notes_v0: 2 fields of customer"
    tenant = checks["tenant acme"]
    assert (tenant["state"], tenant["detail"]) == ("note", "log ends at 1, no snapshot yet, 3 days to build")
    assert "cortex materialize" in tenant["remedy"]


def test_it_says_where_each_setting_comes_from(acme: Shell) -> None:
    """Default, file or environment."""
    (acme.home / "plane.toml").write_text(
        'grain = "month"\nmax_staleness = 2.5\n[ingest]\nearliest = "1990-01-01T00:00:00Z"\n'
    )
    acme.env["CONTEXT_PLANE_START"] = "2020-01-01"
    checks = by_name(acme.json("doctor"))
    assert checks["setting home"]["detail"] == f"{acme.home} (CONTEXT_PLANE_HOME)"
    assert checks["setting grain"]["detail"] == "month (plane.toml)"
    assert checks["setting start"]["detail"] == "2020-01-01 (CONTEXT_PLANE_START)"
    assert checks["setting max_staleness"]["detail"] == "2.5 (plane.toml)"
    assert checks["setting store"]["detail"] == f"{acme.home / 'store'} (default)"
    assert checks["setting ingest.earliest"]["detail"] == "1990-01-01T00:00:00Z (plane.toml)"


def test_every_broken_file_is_named_with_its_line(acme: Shell) -> None:
    """One broken spec does not hide the next, and the exit code is 1."""
    (acme.home / "contexts" / "a.yaml").write_text("context: a\nentity: customer\nfields:\n  n: {cuont: true}\n")
    (acme.home / "contexts" / "b.yaml").write_text("context: [\n")
    (acme.home / "sources").mkdir()
    (acme.home / "sources" / "c.yaml").write_text("source: c\nformat: exe\n")
    done = acme("doctor")
    assert done.exit_code == 1
    broken = [line for line in done.stdout.splitlines() if line.startswith("MISSING ")]
    assert len(broken) == 3
    for name, line in zip(("a.yaml:4", "b.yaml:", "c.yaml:"), broken, strict=True):
        assert name in line
        assert "->" in line
    assert done.stdout.splitlines()[-1] == "3 missing"


def test_bad_settings_are_a_line_and_not_the_end_of_the_report(acme: Shell) -> None:
    """What does not depend on them is still checked."""
    (acme.home / "plane.toml").write_text('grian = "month"\n')
    done = acme("doctor")
    assert done.exit_code == 1
    assert "did you mean 'grain'" in done.stdout
    assert "tokenizer" in done.stdout


def test_a_home_that_is_not_there_is_no_error_and_is_not_made(cortex: Shell) -> None:
    """A newcomer runs it first."""
    done = cortex("doctor")
    assert done.exit_code == 0
    assert "cortex init" in done.stdout
    assert not cortex.home.exists()


def test_a_store_that_cannot_be_used_is_missing(cortex: Shell) -> None:
    """The remedy is the store's own."""
    cortex.home.mkdir()
    (cortex.home / "store").write_text("in the way")
    done = cortex("doctor")
    assert done.exit_code == 1
    assert "MISSING store" in done.stdout


def test_a_command_that_does_not_load_is_missing(cortex: Shell, provide: Provide) -> None:
    """With the reason."""
    provide("other", "hello", "hello_broken:hello", "import no_such_module\n")
    done = cortex("doctor")
    assert done.exit_code == 1
    assert "MISSING command hello: the command 'hello' does not load: ModuleNotFoundError" in done.stdout


def test_a_damaged_log_is_reported_for_its_tenant(acme: Shell) -> None:
    """The other checks go on."""
    record = next((acme.home / "store" / "tenants" / "acme" / "log").glob("*.json"))
    record.chmod(0o600)
    record.write_bytes(record.read_bytes()[:40])
    done = acme("doctor")
    assert done.exit_code == 1
    assert "MISSING tenant acme" in done.stdout
