"""The house itself: locks, floors, the import diet, the files that deploy it, and the report of skipped tests.

What a package does is tested in the folder that mirrors it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FLOORS = ("context_plane", "resources", "context_assets", "sensors", "definitions.py")
LOCKS = ("requirements.lock", "requirements-prod.lock", "requirements-dev.lock")
HEAVY = "dagster lancedb sqlalchemy pydantic duckdb pyarrow numpy yaml obstore matplotlib bpe_openai".split()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*command: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of an outer make in its environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(command, cwd=cwd, env=inherited | env, capture_output=True, text=True, check=False)


def pins(lock: str) -> dict[tuple[str, str], str]:
    """(name, marker) → version."""
    lines = re.findall(r"^([\w.-]+)(?:\[[^]]*])?==(\S+)(?: ; (.*?))? \\$", (ROOT / lock).read_text(), re.M)
    return {(name, marker): version for name, version, marker in lines}


def pip_installs(text: str) -> list[list[str]]:
    """The arguments of every `pip install`, without what does not change the outcome."""
    mute = {"--quiet", "--disable-pip-version-check", "--editable"}
    installs = [shlex.split(line) for line in re.findall(r"-m pip install (.*)", text)]
    return [["LOCK" if word.endswith(".lock") else word for word in words if word not in mute] for words in installs]


# --- dependencies ----------------------------------------------------------------------------------------------------


def test_every_dependency_says_why_it_was_chosen() -> None:
    """A comment stands above each runtime and production dependency."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    chosen = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["prod"]
    for dependency in chosen:
        place = next(number for number, line in enumerate(lines) if line.strip() == f'"{dependency}",')
        assert lines[place - 1].strip().startswith("# "), dependency


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_name_versions_and_hashes_but_no_address(lock: str) -> None:
    """A lock can be installed from any index and trusts none."""
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links| @ ", text)
    assert len(pins(lock)) == len(re.findall(r"^\w", text, re.M)) > 50
    for requirement in re.split(r"^(?=\w)", text, flags=re.M)[1:]:
        assert "--hash=sha256:" in requirement


def test_the_locks_agree_and_cover_what_the_project_asks_for() -> None:
    """The runtime's pins are in the production lock, and both are in the one the tests run on."""
    runtime, prod, dev = (pins(lock) for lock in LOCKS)
    assert runtime.items() <= prod.items() <= dev.items()
    names = {name for name, _ in runtime}
    asked = {re.match(r"[\w.-]+", dependency).group().lower() for dependency in PROJECT["project"]["dependencies"]}  # type: ignore[union-attr]
    assert asked <= names


# --- imports ---------------------------------------------------------------------------------------------------------


def test_importing_the_plane_loads_nothing_heavy() -> None:
    """An agent that imports the plane pays for Dagster, Arrow and the rest only when it uses them."""
    found = run(sys.executable, "-c", "import sys, context_plane; print(*sys.modules)")
    assert found.returncode == 0, found.stderr
    assert not set(HEAVY) & set(found.stdout.split())


def test_the_code_location_is_importable_from_anywhere(tmp_path: Path) -> None:
    """`definitions` is this project's module, wherever Dagster is started."""
    found = run(
        sys.executable, "-c", "from importlib.util import find_spec as f; print(f('definitions').origin)", cwd=tmp_path
    )
    assert Path(found.stdout.strip()) == ROOT / "definitions.py", found.stderr


def lint_imports(cwd: Path) -> subprocess.CompletedProcess[str]:
    """Check the import contracts of the tree at `cwd`, whatever is installed."""
    script = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as m; m()"
    return run(sys.executable, "-c", script, "--no-logo", "--no-cache", cwd=cwd)


def copy_floors(target: Path) -> None:
    for floor in (*FLOORS, "pyproject.toml"):
        if (ROOT / floor).is_dir():
            shutil.copytree(ROOT / floor, target / floor, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / floor, target / floor)


def test_each_floor_imports_only_from_below() -> None:
    """The contracts of pyproject.toml hold for the tree as it is."""
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("context_plane/store/breach.py", "import dagster"),
        ("context_plane/store/breach.py", "import context_plane.log.events"),
        ("context_plane/breach/__init__.py", ""),
        ("resources/breach.py", "import context_assets"),
        ("context_assets/breach.py", "import sensors"),
        ("sensors/breach.py", "import definitions"),
    ],
)
def test_a_breach_is_noticed(tmp_path: Path, file: str, line: str) -> None:
    """One import upwards, or a folder that has no place among the layers, breaks a contract by name."""
    copy_floors(tmp_path)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(f"{line}\n")
    checked = lint_imports(tmp_path)
    assert checked.returncode == 1
    assert "breach" in checked.stdout


# --- what a person runs ----------------------------------------------------------------------------------------------


def test_make_help_lists_the_targets() -> None:
    """`make` alone tells what there is."""
    listed = set(re.findall(r"^make (\w+)", run("make").stdout, re.M))
    assert listed >= {"demo", "test", "dev", "check", "bench", "soak", "lock", "clean"}


def test_skips_and_real_data_are_the_last_lines_of_a_run(tmp_path: Path) -> None:
    """Whoever reads the end of a run sees what it did not check, and which variable would change that."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_inner.py").write_text("def test_real(data_dir): ...\ndef test_other(): ...\n")
    pytest_here = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", str(tmp_path))
    absent = run(*pytest_here, cwd=tmp_path, CONTEXT_PLANE_TEST_DATA=str(tmp_path / "absent"))
    *_, headline, skip, name, _ = absent.stdout.splitlines()
    assert "0 tests ran on real data; 1 skipped" in headline
    assert skip.startswith("SKIPPED [1] no real data at")
    assert name.strip() == "test_inner.py::test_real"
    assert "CONTEXT_PLANE_TEST_DATA" in skip
    present = run(*pytest_here, cwd=tmp_path, CONTEXT_PLANE_TEST_DATA=str(tmp_path))
    assert "1 tests ran on real data; 0 skipped" in present.stdout.splitlines()[-2]


def test_no_file_names_a_path_of_a_machine() -> None:
    """What is in the repository means the same on every machine."""
    private = re.compile(r"(?<![\w.$}~-])/(?:home|Users|root|work|mnt)/\w")
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or name[0] not in "._"]
        for path in (Path(folder, name) for name in files):
            if path.stat().st_size < 2_000_000:
                found = private.search(path.read_bytes().decode("utf-8", "replace"))
                assert not found, f"{path.relative_to(ROOT)} names {found.group()}"


# --- deployment ------------------------------------------------------------------------------------------------------


def test_dockerfile_copies_what_exists_and_what_the_context_lets_through() -> None:
    """Every COPY source is a file of the repository that .dockerignore does not hold back."""
    let_through = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copies = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.M)
    sources = [source for copy in copies for source in copy.split()[:-1]]
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source in let_through
    assert {*FLOORS, "requirements-prod.lock"} <= set(sources)


def test_dockerfile_installs_as_make_does() -> None:
    """The image is set up by the steps that `make` runs, the lock with hashes first, then the project alone."""
    image = pip_installs((ROOT / "Dockerfile").read_text())
    here = pip_installs(run("make", "-n", "-B", ".venv/.runtime-ready").stdout)
    assert image == here
    assert image[0] == ["--require-hashes", "--only-binary", ":all:", "-r", "LOCK"]


@pytest.mark.parametrize("file", ["dagster.yaml", "deploy/dagster.prod.yaml"])
def test_instance_config_is_valid_and_sends_no_telemetry(file: str) -> None:
    """Dagster's own schema accepts both instances."""
    from dagster._core.instance.config import dagster_instance_config

    config, _ = dagster_instance_config(str((ROOT / file).parent), Path(file).name)
    assert config["telemetry"] == {"enabled": False}


def prod_classes() -> dict[str, dict[str, Any]]:
    config = yaml.safe_load((ROOT / "deploy/dagster.prod.yaml").read_text())
    postgres = {
        "module": "dagster_postgres",
        "class": "DagsterPostgresStorage",
        "config": config["storage"]["postgres"],
    }
    return {"storage": postgres} | {name: config[name] for name in ("compute_logs", "run_launcher", "run_coordinator")}


@pytest.mark.parametrize("section", ["storage", "compute_logs", "run_launcher", "run_coordinator"])
def test_prod_config_fits_the_classes_that_it_names(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema of the instance does not look inside a class's config: each class checks its own."""
    from dagster._config import process_config, resolve_to_config_type

    named = prod_classes()[section]
    for variable in re.findall(r"'env': '(\w+)'", str(named)):
        monkeypatch.setenv(variable, "x")
    kind = getattr(import_module(named["module"]), named["class"])
    checked = process_config(resolve_to_config_type(kind.config_type()), named["config"])
    assert checked.success, checked.errors


def test_prod_runs_get_every_variable_that_the_config_reads() -> None:
    """A run pod loads the same file, so the launcher hands on each name in it; the README explains them all."""
    text = (ROOT / "deploy/dagster.prod.yaml").read_text()
    read = set(re.findall(r"env: (\w+)", text))
    launcher = prod_classes()["run_launcher"]["config"]
    assert read - {"DAGSTER_PG_PASSWORD"} <= set(launcher["env_vars"])
    guide = (ROOT / "deploy/README.md").read_text()
    assert all(f"`{name}`" in guide for name in {*read, *launcher["env_vars"]})


def test_workspace_is_valid_and_names_the_code_location() -> None:
    """workspace.yaml loads the module by name, so it does not matter where dagster is started."""
    from dagster._core.workspace.config_schema import process_workspace_config

    checked = process_workspace_config(yaml.safe_load((ROOT / "workspace.yaml").read_text()))
    assert checked.success, checked.errors
    (location,) = checked.value["load_from"]
    assert location["python_module"]["module_name"] == "definitions"
