"""Lost runs: those of a command whose process was killed, which Dagster would hold for running for ever.

Here belongs telling them. Dagster's daemon watches runs that it has launched itself; a run in one's own process has
nobody who reports its end if that is by ``kill -9`` or for want of memory, and two such fill the queue of `make dev`.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Iterator

TAG: Final = "context_plane/worker"
_RUNNING: Final = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]


def this_process() -> dict[str, str]:
    """The tag of a run in this process: machine, process id, and when the process began."""
    return {TAG: f"{_machine()}/{os.getpid()}/{_began(os.getpid())}"}


def end_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Reports those runs as failed whose process was on this machine and is gone; their ids."""
    lost = list(_lost(instance))
    for run in lost:
        instance.report_run_failed(run, "the process of this run was killed; what it had built is kept, run it again")
    return [run.run_id for run in lost]


def tidy() -> None:
    """The same for the home in DAGSTER_HOME, whose tables are made if they are not there: the start of `make dev`."""
    with dg.DagsterInstance.get() as instance:
        end_lost_runs(instance)


def _lost(instance: dg.DagsterInstance) -> Iterator[dg.DagsterRun]:
    for run in instance.get_runs(dg.RunsFilter(statuses=_RUNNING)):
        machine, _, rest = run.tags.get(TAG, "").partition("/")
        process, _, began = rest.partition("/")
        if machine == _machine() and process.isdecimal() and _began(int(process)) != began:
            yield run


def _machine() -> str:
    """Which machine this is since it was started: process ids of another, or of before, mean nothing here."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return socket.gethostname().replace("/", "-")


def _began(process: int) -> str:
    """When a process began, as the system counts it; where it does not tell, that it is there. Empty for none."""
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return ""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "there"
