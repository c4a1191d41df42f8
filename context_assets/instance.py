"""Dagster's home: where its run history lies, and opening it safely.

Here belongs the instance of commands that run in their own process; the daemon and the UI open theirs themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Infeasible, InputError

if TYPE_CHECKING:
    import dagster as dg

HOME: Final = "DAGSTER_HOME"
_CONFIG: Final = """\
# Written because this folder had no dagster.yaml; `make dev` and deployments bring their own.
telemetry:
  enabled: false # on by default
"""
# A run's output stays on the terminal: capturing it starts two processes a step, and would capture the progress bar.
_DISK: Final = ("disk I/O error", "disk is full", "readonly database", "unable to open database")
_OVERRIDES: Final[dict[str, Any]] = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


def dagster_home(home: Path) -> Path:
    """``DAGSTER_HOME``, else the folder `dagster` in the plane's home. Raises `InputError` for a relative path."""
    named = os.environ.get(HOME)
    if not named:
        return home / "dagster"
    if not os.path.isabs(named):
        raise InputError(f"{HOME} is {named!r}", where="environment", remedy="give an absolute path: Dagster wants one")
    return Path(named)


@contextmanager
def open_instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of a Dagster home, made if there is none."""
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        config = folder / "dagster.yaml"
        if not config.exists():
            config.write_text(_CONFIG, "utf-8")
        instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides=_OVERRIDES))
        instance.get_runs_count()  # makes the run storage, which is made when it is first asked
    with instance, _explained(folder):
        yield instance


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """What SQLite says of a disk that is full or fails, as our error."""
    try:
        yield
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else ""
        if type(error).__name__ != "OperationalError" or not any(words in first for words in _DISK):
            raise
        remedy = "free space on the disk (or mend it), then run the same command again; what is built is kept"
        raise Infeasible(
            f"Dagster's history cannot be written: {first[:200]}", where=str(folder), remedy=remedy
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time: processes that open an empty home at once crash each other while making its tables."""
    import fcntl

    with open(folder / ".opening", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
