"""`cortex init`: a home that works as it is, and is never written over."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from context_plane.bundles.folder import load_specs
from context_plane.config import Settings, load_settings
from context_plane.log.mapping import load_mapping
from tests.cli.conftest import Shell, refused

FILES = [
    "contexts/customer_context_v0.yaml",
    "examples/deals.csv",
    "examples/events.jsonl",
    "knowledge/sales/upgrades.md",
    "plane.toml",
    "processes/note_limit.yaml",
    "sources/deals.yaml",
]


def test_makes_the_files_and_names_the_next_three_commands(cortex: Shell) -> None:
    """What it prints can be run as it stands."""
    done = cortex("init")
    assert done.exit_code == 0
    assert sorted(str(path.relative_to(cortex.home)) for path in cortex.home.rglob("*") if path.is_file()) == FILES
    commands = [line.strip() for line in done.stdout.splitlines() if line.startswith("  cortex ")]
    assert len(commands) == 3
    for command in (commands[0], commands[2]):  # the second needs Dagster and is tested with it
        assert cortex(*command.split()[1:]).exit_code == 0


def test_json_names_what_was_made(cortex: Shell) -> None:
    """For scripts."""
    assert cortex.json("init") == {"home": str(cortex.home), "created": FILES}


def test_another_folder_than_the_environments_must_be_exported(cortex: Shell, tmp_path: Path) -> None:
    """Otherwise the next commands would not find it."""
    assert f"export CONTEXT_PLANE_HOME={tmp_path / 'b'}" in cortex("init", tmp_path / "b").stdout
    assert "export" not in cortex("init").stdout


def test_the_process_runs(cortex: Shell) -> None:
    """On the example data, as its file says."""
    cortex("init")
    cortex("ingest", cortex.home / "examples" / "events.jsonl", "--tenant", "acme")
    assert cortex("process", "check").exit_code == 0
    done = cortex("process", "run", "note_limit", "--tenant", "acme", "--entity", "customer/c-42")
    assert done.exit_code == 0, done.stdout
    assert "All 25 seats are taken" in done.stdout


def test_the_examples_are_valid(cortex: Shell) -> None:
    """Spec, mapping and settings parse."""
    cortex("init")
    (spec,) = load_specs(cortex.home / "contexts").values()
    assert {field.name for field in spec.fields} >= {"plan", "tickets", "mrr", "at_risk"}
    load_mapping(cortex.home / "sources" / "deals.yaml")
    assert load_settings(cortex.home, {}) == load_settings(cortex.home / "absent", {}).__class__(
        home=cortex.home, store=str(cortex.home / "store")
    )


def test_the_settings_file_shows_every_setting_and_its_default(cortex: Shell) -> None:
    """Commented out it changes nothing, and the comments tell the truth."""
    cortex("init")
    text = (cortex.home / "plane.toml").read_text()
    shown = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.M))
    ingest, cache, processes = shown.pop("ingest"), shown.pop("cache"), shown.pop("processes")
    defaults = Settings(home=cortex.home, store="")
    assert ingest == vars(defaults.ingest)
    assert cache == vars(defaults.cache)
    assert processes == {**vars(defaults.processes), "http_allow": []}
    assert shown.pop("start"), "an example: by default there is none"
    apart = ("home", "start", "ingest", "cache", "processes")
    assert shown == {name: value for name, value in vars(defaults).items() if name not in apart}


def test_never_writes_over_a_file(cortex: Shell) -> None:
    """Nothing is written if one file is in the way."""
    cortex("init")
    plane = cortex.home / "plane.toml"
    plane.write_text('grain = "month"\n')
    (cortex.home / "sources" / "deals.yaml").unlink()
    assert "nothing was written" in refused(cortex("init"))
    assert plane.read_text() == 'grain = "month"\n'
    assert not (cortex.home / "sources" / "deals.yaml").exists()


def test_a_file_in_the_way_of_the_folder_is_refused(cortex: Shell) -> None:
    """A home is a folder."""
    cortex.home.write_text("")
    assert str(cortex.home) in refused(cortex("init"))
