"""`cortex cache`: what the cache of this home holds, and how often what was asked for was there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from context_plane.cli.options import json_option, open_plane
from context_plane.cli.output import echo_json, say, table

if TYPE_CHECKING:
    from context_plane.parts.usage import Usage
    from context_plane.plane import ContextPlane

_SHOWN: Final = 10


@click.group("cache")
def command() -> None:
    """What the cache of this home holds, and how often what was asked for was there."""


@command.command("stats")
@json_option
def stats(as_json: bool) -> None:
    """Print sizes, hits and evictions of the tiers: memory, disk, store; summed over the processes of the last 30 days
    that have ended or run for an hour."""
    with open_plane() as plane:
        found = statistics(plane)
    if as_json:
        echo_json(found)
        return
    _show(found)


def statistics(plane: ContextPlane) -> dict[str, Any]:
    """What `cortex cache stats` prints."""
    files, limits = plane.files, plane.settings.cache
    usage = files.used()
    count, size = files.disk.usage()
    return {
        "since": datetime.fromtimestamp(usage.since, UTC).isoformat(timespec="seconds") if usage.since else None,
        "processes": usage.processes,
        "memory": {**_tier(usage, "memory"), "limit_bytes": limits.memory},
        "disk": {**_tier(usage, "disk"), "limit_bytes": limits.disk, "files": count, "bytes": size},
        "store": dict(usage.counts["store"]),
        "most_used": usage.most_used[:_SHOWN],
    }


def _tier(usage: Usage, name: str) -> dict[str, Any]:
    counts = usage.counts[name]
    asked = counts["hits"] + counts["misses"]
    rate = round(counts["hits"] / asked, 4) if asked else None
    return {**{each: counts[each] for each in ("hits", "misses", "evictions")}, "hit_rate": rate}


def _show(found: dict[str, Any]) -> None:
    rows = []
    for name in ("memory", "disk"):
        tier = found[name]
        rate = "-" if tier["hit_rate"] is None else f"{tier['hit_rate']:.1%}"
        held = _size(tier["bytes"]) if "bytes" in tier else "-"
        counts = [f"{tier[each]:,}" for each in ("hits", "misses", "evictions")]
        rows.append([name, rate, *counts, held, _size(tier["limit_bytes"])])
    table(["tier", "hit rate", "hits", "misses", "evictions", "held", "limit"], rows, right=range(1, 7))
    store = found["store"]
    say(f"fetched from a remote store: {store.get('requests', 0):,} requests, {_size(store.get('bytes', 0))}")
    if found["processes"]:
        say(f"counted by {found['processes']:,} processes since {found['since']}")
    else:
        say("no process has said yet what it used: they do when they end, and every hour")
    if found["most_used"]:
        say(f"most used: {', '.join(found['most_used'])}")


def _size(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB"
