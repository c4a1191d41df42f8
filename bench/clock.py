"""Timing: blocks, repeated calls, whole processes."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

QUERIES: Final = 400
_WARM: Final = 60


class Stopwatch:
    """Seconds of the block it was used around."""

    seconds = 0.0


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Times a block."""
    watch = Stopwatch()
    began = time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - began


def quantiles(call: Callable[[int], Any], count: int, between: Callable[[], Any] | None = None) -> dict[str, float]:
    """Median, 99th percentile and maximum of `count` calls, in microseconds. What is done `between` is not timed."""
    times = []
    for number in range(count):
        began = time.perf_counter_ns()
        call(number)
        times.append((time.perf_counter_ns() - began) / 1_000)
        if between is not None:
            between()
    times.sort()
    return {
        "p50_us": round(statistics.median(times), 1),
        "p99_us": round(times[int(count * 0.99)], 1),
        "max_us": round(times[-1], 1),
    }


def timed(what: str, call: Callable[[int], Any], count: int = QUERIES) -> dict[str, Any]:
    """Quantiles of a call for each of the first queries."""
    for number in range(_WARM):
        call(number)
    return {"what": what, **quantiles(call, count)}


def process(arguments: list[str], env: dict[str, str] | None = None) -> dict[str, Any]:
    """Wall seconds, peak memory (MB) and output of a Python process; raises where it fails."""
    began = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{arguments} failed:\n{done.stderr}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # The system keeps the maximum over all children only, so a smaller process after a larger one shows none.
    return {
        "seconds": round(time.perf_counter() - began, 3),
        "peak_mb": round(peak / 1024) if peak > before else None,
        "out": done.stdout,
    }


def cortex(home: Path, *arguments: str, **env: str) -> dict[str, Any]:
    """Runs the command on a home, as a process."""
    return process(["-m", "context_plane.cli", *arguments], {"CONTEXT_PLANE_HOME": str(home), **env})
