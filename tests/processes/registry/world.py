"""Calls as the engine makes them, a git repository, and a plane that must not be asked."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from context_plane.config import ProcessSettings, Settings
from context_plane.processes.linked import Command
from context_plane.processes.registry.handler import GateCall, Step
from context_plane.processes.registry.registry import Registry, open_registry

NOBODY: Any = SimpleNamespace()
"""A plane without methods."""


def settings(home: Path) -> Settings:
    return Settings(home=home, store="memory://x")


def built_in() -> Registry:
    return open_registry(settings(Path("/nowhere")), load_python=False)


def step(workspace: Path, inputs: dict[str, Any] | None = None, **given: Any) -> Step:
    """A step with these inputs; `run` may be a list of arguments."""
    if isinstance(given.get("run"), list):
        given["run"] = Command(tuple(given["run"]), given.pop("check", True))
    base: dict[str, Any] = {
        "tenant": "acme", "execution": "e1", "process": "fix", "entity": "build/1", "inputs": inputs or {},
        "event": None, "arguments": {}, "outputs": {}, "workspace": workspace, "plane": NOBODY,
        "settings": ProcessSettings(), "id": "it", "key": "e1/it", "cancelled": threading.Event(), "log": str,
    }  # fmt: skip
    return Step(**base | given)


def gate_call(workspace: Path, inputs: dict[str, Any] | None = None, **given: Any) -> GateCall:
    """A call of a gate with these inputs; `run` may be a list of arguments."""
    if isinstance(given.get("run"), list):
        given["run"] = Command(tuple(given["run"]))
    base: dict[str, Any] = {
        "tenant": "acme", "execution": "e1", "process": "fix", "entity": "build/1", "inputs": inputs or {},
        "event": None, "arguments": {}, "outputs": {}, "workspace": workspace, "plane": NOBODY,
        "settings": ProcessSettings(), "step": None,
    }  # fmt: skip
    return GateCall(**base | given)


def do(name: str, workspace: Path, inputs: dict[str, Any] | None = None, **given: Any) -> Any:
    """What a built-in action gives back."""
    return built_in().actions[name].handler(step(workspace, inputs, **given))


def judge(name: str, workspace: Path, inputs: dict[str, Any] | None = None, **given: Any) -> Any:
    """What a built-in gate says."""
    return built_in().gates[name].handler(gate_call(workspace, inputs, **given))


def sh(workspace: Path, *command: str) -> str:
    """What a command prints, with an environment of its own."""
    env = {"PATH": os.environ["PATH"], "HOME": str(workspace), "LC_ALL": "C"}
    return subprocess.run(command, cwd=workspace, env=env, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder: Path, commits: int = 1) -> Path:
    """A git repository with one file, and somebody who commits."""
    folder.mkdir(parents=True, exist_ok=True)
    sh(folder, "git", "init", "--quiet", "--initial-branch=main")
    sh(folder, "git", "config", "user.name", "Ada")
    sh(folder, "git", "config", "user.email", "ada@example.com")
    for number in range(commits):
        (folder / "app.py").write_text(f"print({number})\n")
        sh(folder, "git", "add", ".")
        sh(folder, "git", "commit", "--quiet", "-m", f"Commit {number}")
    return folder
