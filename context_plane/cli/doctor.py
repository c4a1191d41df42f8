"""`cortex doctor`: what works, what is missing, and what to do about it. Changes nothing but a probe it removes again.

Each check is one line: `ok`, `note` (works, but worth knowing) or `MISSING` with a remedy. Exit code 1 if anything is
missing. The checks of what a plane stores are in `doctor_store`.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from context_plane.cli import plugins
from context_plane.cli.failures import NO
from context_plane.cli.options import json_option
from context_plane.cli.output import echo_json, say
from context_plane.config import ENVIRONMENT, HOME
from context_plane.errors import ContextPlaneError

if TYPE_CHECKING:
    from context_plane.config import Settings

PACKAGES: Final = ("context-plane", "duckdb", "pyarrow", "obstore", "dagster")
FREE_BYTES: Final = 1 << 30


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    state: Literal["ok", "note", "missing"]
    detail: str
    remedy: str = ""


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Say what works, what is missing, and what to do about it."""
    checks: list[Check] = []
    for check in examine():
        checks.append(check)
        if not as_json:
            _show(check)
    missing = sum(check.state == "missing" for check in checks)
    if as_json:
        echo_json({"ok": not missing, "checks": [vars(check) for check in checks]})
    else:
        say(f"{missing} missing" if missing else "all is well")
    if missing:
        raise click.exceptions.Exit(NO)


def examine() -> Iterator[Check]:
    """All checks, each as soon as it is known. What depends on something missing is left out."""
    yield Check("python", "ok", f"{'.'.join(map(str, sys.version_info[:3]))}, {sys.executable}")
    yield from map(_package, PACKAGES)
    yield _tokenizer()
    yield _dagster()
    yield from _commands()
    settings = attempt("settings", _settings)
    if isinstance(settings, Check):
        yield settings
        return
    yield from _origins(settings)
    yield from _home(settings)
    yield _disk(settings)
    from context_plane.cli.doctor_store import examine_store

    yield from examine_store(settings)
    from context_plane.cli.doctor_processes import examine_processes

    yield from examine_processes(settings)


def attempt(name: str, look: Callable[[], Any]) -> Any:
    """What `look` returns, or the line that says why it failed."""
    try:
        return look()
    except ContextPlaneError as error:
        detail = f"{error.what}, {error.where}" if error.where else error.what
        return Check(name, "missing", detail, error.remedy)
    except OSError as error:
        return Check(name, "missing", f"{error.strerror}, {error.filename}", "check the path and its permissions")


def _show(check: Check) -> None:
    word = "MISSING" if check.state == "missing" else check.state
    say(f"{word:<8}{check.name}: {check.detail}" + (f" -> {check.remedy}" if check.remedy else ""))


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "missing", "not installed", f"pip install {name}")


def _tokenizer() -> Check:
    from context_plane.ctx import tokens

    try:
        found = tokens.count("hello world")
    except Exception as error:  # noqa: BLE001 - whatever a compiled package raises, the line says it
        return Check("tokenizer", "missing", f"{type(error).__name__}: {error}", "install bpe-openai again")
    if found != 2:
        return Check("tokenizer", "missing", f"counts {found} tokens in 'hello world'", "install bpe-openai again")
    return Check("tokenizer", "ok", f"{tokens.TOKENIZER}, offline")


@cache
def _dagster() -> Check:
    """Imports it, in a process of its own: the plane never loads it."""
    code = "import dagster; print(dagster.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Check("dagster import", "ok", done.stdout.strip())
    last = (done.stderr.strip().splitlines() or ["no output"])[-1]
    return Check("dagster import", "missing", last, "pip install dagster; only cortex materialize and make dev need it")


def _commands() -> Iterator[Check]:
    from context_plane.cli.main import BUILT_IN

    for name in plugins.names():
        entries = [each for each in plugins.found() if each.name == name]
        if name in BUILT_IN:
            provider = ", ".join(each.value for each in entries)
            yield Check(f"command {name}", "missing", f"{provider} is hidden by our own", "give it another name")
            continue
        checked = attempt(f"command {name}", partial(plugins.load_one, name, entries))
        yield checked if isinstance(checked, Check) else Check(f"command {name}", "ok", entries[0].value)
    if "materialize" not in plugins.names():
        yield Check("command materialize", "missing", "nothing provides it", "install context-plane whole")


def _settings() -> Settings:
    from context_plane.config import load_settings

    return load_settings()


def _origins(settings: Settings) -> Iterator[Check]:
    """Every setting, its value, and where it was set."""
    written: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        written = tomllib.loads((settings.home / "plane.toml").read_text("utf-8"))
    for field in fields(settings):
        if field.name in ("ingest", "processes"):
            continue
        origin = "default"
        variable = HOME if field.name == "home" else ENVIRONMENT.get(field.name, "")
        if os.environ.get(variable):
            origin = variable
        elif field.name in written:
            origin = "plane.toml"
        value = _without_password(settings) if field.name == "state" else getattr(settings, field.name)
        yield Check(f"setting {field.name}", "ok", f"{value} ({origin})")
    for table in ("ingest", "processes"):
        for name, value in vars(getattr(settings, table)).items():
            origin = "plane.toml" if name in written.get(table, {}) else "default"
            yield Check(f"setting {table}.{name}", "ok", f"{value} ({origin})")


def _without_password(settings: Settings) -> str:
    from context_plane.store.state.failures import shown

    return shown(settings.state_url)


def _home(settings: Settings) -> Iterator[Check]:
    home = settings.home
    if not home.exists():
        yield Check("home", "note", f"{home} does not exist yet", "cortex init, or ingest something")
    elif not home.is_dir():
        yield Check("home", "missing", f"{home} is not a folder", "set CONTEXT_PLANE_HOME to a folder")
    elif not os.access(home, os.W_OK | os.X_OK):
        yield Check("home", "missing", f"{home} is not writable", "change its permissions, or set CONTEXT_PLANE_HOME")
    else:
        yield Check("home", "ok", f"{home} is writable")


def _disk(settings: Settings) -> Check:
    place = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    shown = f"{free / (1 << 30):.1f} GiB free at {place}"
    if free < FREE_BYTES:
        return Check("disk", "missing", shown, "free some space: a full disk refuses every batch")
    return Check("disk", "ok", shown)
