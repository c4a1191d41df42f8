"""Ingest: throughput beside its floor, and the cdnow history from file to published bundles."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.clock import cortex, stopwatch
from bench.events import ticks, write
from context_plane import ContextPlane
from context_plane.store.disk import sync_filesystem

REPOSITORY = Path(__file__).parents[1]


def throughput(folder: Path) -> Iterator[dict[str, Any]]:
    """Events per second of one process on the local disk: many events per segment, and one."""
    for name, entities, each in (
        ("1,000 entities x 1 day x 100 events", 1_000, 100),
        ("one event per segment", 20_000, 1),
    ):
        source = folder / f"{each}.jsonl"
        count = write(source, ticks(entities, each))
        ratios, rates = [], []
        for attempt in range(3):
            floor = _floor(source, folder / f"floor-{each}-{attempt}")
            home = folder / f"home-{each}-{attempt}"
            with stopwatch() as watch, ContextPlane.open(home) as plane:
                assert plane.ingest("acme", source).accepted == count
            rates.append(count / watch.seconds)
            ratios.append(watch.seconds / floor)
        yield {
            "what": name,
            "events_per_s": round(sorted(rates)[1]),
            "bar_events_per_s": 20_000 if each > 1 else None,
            "times_floor": round(sorted(ratios)[1], 2),
        }


def _floor(source: Path, root: Path) -> float:
    """Seconds of the least that must happen: parse, group, compress, hash, write to the same paths, sync."""
    import zstandard

    compress = zstandard.ZstdCompressor(level=3, write_checksum=True).compress
    with stopwatch() as watch:
        with source.open("rb") as file:
            events = [(e["subject"], e["time"][:10], line) for line in file if (e := json.loads(line))]
        events.sort(key=lambda event: event[:2])
        for (subject, day), group in groupby(events, key=lambda event: event[:2]):
            body = compress(b"".join([line for _, _, line in group]))
            name = f"{hashlib.sha256(body).hexdigest()}.jsonl.zst"
            path = root / "entities" / subject.replace("/", "%2F") / "segments" / day.replace("-", "/")
            path.mkdir(parents=True)
            (path / name).write_bytes(body)
        sync_filesystem(str(root))
    return watch.seconds


def cdnow(folder: Path) -> Iterator[dict[str, Any]]:
    """The 69,659 purchases: ingest through the mapping, materialize at month grain, and again with nothing changed."""
    data = Path(os.environ.get("CONTEXT_PLANE_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    source = data / "cdnow" / "transactions.csv"
    if not source.exists():
        yield {"what": "cdnow", "skipped": f"no {source.name} under CONTEXT_PLANE_TEST_DATA"}
        return
    home = folder / "home"
    shutil.copytree(REPOSITORY / "examples" / "cdnow", home)
    month = {"CONTEXT_PLANE_GRAIN": "month"}
    run = cortex(home, "ingest", str(source), "--tenant", "acme", "--source", "cdnow", "--json")
    yield {
        "what": "ingest",
        **_without_output(run),
        "bar_s": 12,
        "bar_mb": 400,
        "accepted": json.loads(run["out"])["accepted"],
    }
    full = cortex(home, "materialize", "--tenant", "acme", "--json", **month)
    yield {"what": "materialize and publish, month grain", **_without_output(full), "bar_s": 60}
    again = cortex(home, "materialize", "--tenant", "acme", "--json", **month)
    share = again["seconds"] / full["seconds"]
    yield {"what": "nothing changed", **_without_output(again), "share_of_full": round(share, 3), "bar_share": 0.1}


def _without_output(run: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name != "out"}
