"""A copy of the example's home, its repository, and its handlers by themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.config import load_settings
from context_plane.processes.registry.registry import open_registry
from tests.cli.conftest import Shell
from tests.processes.registry.world import step

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "processes"
EVENT = ROOT / "examples" / "events" / "ci-failure.json"
SUITE = ["python", "-B", "-m", "unittest", "discover", "-s", "tests", "-t", "."]


class Example(Shell):
    """`cortex` over a copy of the home, and the repository that its processes work on."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.repository = home / "workspaces" / "shop"
        self.remote = home / "workspaces" / "shop.git"

    def run(self, process: str, *args: str, tenant: str = "acme") -> dict[str, Any]:
        """The trace of a run, whatever came of it."""
        done = self("process", "run", process, "--tenant", tenant, *args, "--json")
        assert done.exit_code in (0, 1), done.stderr
        trace: dict[str, Any] = self.read(done.stdout)
        assert (trace["status"] == "succeeded") == (done.exit_code == 0)
        return trace

    @staticmethod
    def read(text: str) -> Any:
        """JSON that was printed."""
        import json

        return json.loads(text)

    def open(self) -> ContextPlane:
        """The plane of the home."""
        return ContextPlane.open(self.home)

    def git(self, *arguments: str) -> str:
        """What git says in the repository, with nothing of this machine's configuration."""
        return git(self.repository, *arguments)

    @property
    def pushed(self) -> list[str]:
        """The subjects of the remote's commits, the newest first."""
        return git(self.remote, "log", "--format=%s", "main").splitlines()

    def suite(self) -> subprocess.CompletedProcess[str]:
        """The tests of the repository."""
        return subprocess.run(SUITE, cwd=self.repository, capture_output=True, text=True, check=False)


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder."""
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home with its repository, made once by `cortex process run prepare_repository` where git knows nobody."""
    folder = tmp_path_factory.mktemp("prepared")
    home = Path(shutil.copytree(EXAMPLE, folder / "plane"))
    with pytest.MonkeyPatch.context() as patch:
        alone(patch, folder)
        assert Example(home).run("prepare_repository")["status"] == "succeeded"
    return home


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: Path) -> Example:
    """A copy of the home with its repository: everything in it is named from the home on, and it may move."""
    alone(monkeypatch, tmp_path)
    return Example(Path(shutil.copytree(prepared, tmp_path / "plane", symlinks=True)))


def alone(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """A machine on which nothing is configured for git."""
    (folder / "nobody").mkdir()
    patch.setenv("HOME", str(folder / "nobody"))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        patch.delenv(name)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The files of the repository, without git."""
    return Path(shutil.copytree(EXAMPLE / "repository", tmp_path / "shop"))


def act(name: str, workspace: Path, inputs: dict[str, Any] | None = None, **given: Any) -> Any:
    """What an action of the example gives back, called as the engine calls it: with the defaults that it declares."""
    action = open_registry(load_settings(EXAMPLE, {})).actions[name]
    defaults = {each: declared.default for each, declared in (action.inputs or {}).items() if not declared.required}
    return action.handler(step(workspace, defaults | (inputs or {}), **given))
