"""Homes, and `cortex` run in this process (fast) and as the executable (what a user starts)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner, Result

from context_plane.cli import plugins
from context_plane.cli.main import main

CORTEX = str(Path(sys.executable).with_name("cortex"))
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "crm",
    "type": "crm.note",
    "subject": "customer/acme",
    "time": "2026-03-01T09:30:00Z",
    "data": {"text": "Asked about SSO", "plan": "team"},
}
SPEC = """\
context: notes_v0
entity: customer
window: 30d
fields:
  notes: {count: true, of: crm.note}
  recent: {list: [time, type, text], last: 2}
summary: {max_tokens: 40}
"""


def event(number: int, **changed: Any) -> dict[str, Any]:
    """A CloudEvent with an id of its own."""
    return {**EVENT, "id": str(number), **changed}


class Shell:
    """Runs `cortex` over one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {"CONTEXT_PLANE_HOME": str(home)}

    def __call__(self, *args: str | Path, stdin: str | bytes | None = None) -> Result:
        """In this process."""
        return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin, env=self.env)

    def json(self, *args: str | Path, stdin: str | bytes | None = None) -> Any:
        """What a run prints with `--json`; it must succeed."""
        done = self(*args, "--json", stdin=stdin)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *args: str | Path, **options: Any) -> subprocess.Popen[str]:
        """The executable, in a process of its own."""
        env = {**os.environ, **self.env}
        return subprocess.Popen([CORTEX, *map(str, args)], env=env, text=True, **options)

    def on_terminal(self, *args: str | Path, which: Literal["stdout", "stderr"]) -> tuple[str, str]:
        """What a successful run shows on a terminal, which is one of its outputs, and what it writes to the other."""
        parent, child = os.openpty()
        ends = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, which: child}
        running = self.start(*args, **ends)
        os.close(child)
        seen = b""
        try:
            while chunk := os.read(parent, 4096):
                seen += chunk
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(parent)
        written = "".join(each or "" for each in running.communicate(timeout=60))
        assert running.returncode == 0, written
        return seen.decode(), written

    def write(self, name: str, *events: Any) -> Path:
        """A JSONL file beside the home; texts are written as they are."""
        path = self.home.parent / name
        lines = (each if isinstance(each, str) else json.dumps(each) for each in events)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path


def refused(done: Result, code: int = 2) -> str:
    """The one line of a refusal: ``error: what, where, remedy`` on stderr, no traceback, and the exit code."""
    assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr)
    *_, line = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr
    return line


@pytest.fixture
def cortex(tmp_path: Path) -> Shell:
    """`cortex` over a home that does not exist yet."""
    return Shell(tmp_path / "home")


@pytest.fixture
def acme(cortex: Shell) -> Shell:
    """`cortex` over a home with one spec and three events of the tenant acme."""
    (cortex.home / "contexts").mkdir(parents=True)
    (cortex.home / "contexts" / "notes_v0.yaml").write_text(SPEC)
    path = cortex.write("acme.jsonl", *(event(n, time=f"2026-03-0{n}T09:30:00Z") for n in (1, 2, 3)))
    assert cortex("ingest", path, "--tenant", "acme").exit_code == 0
    return cortex


Provide = Callable[..., None]


@pytest.fixture
def provide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provide]:
    """Installs a distribution that provides a command, for the time of a test."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution: str, name: str, value: str, source: str = "") -> None:
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{name} = {value}\n")
        (tmp_path / f"{value.partition(':')[0]}.py").write_text(source)
        plugins.found.cache_clear()

    yield install
    plugins.found.cache_clear()
