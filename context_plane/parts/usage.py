"""Usage: what processes asked their caches for, so that the next one knows what to load first.

One line a process and hour in ``cache/usage.jsonl`` of the home, appended at once, so that processes need no lock. Only
numbers and names of tenants and specs: nothing of what was asked. The file may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from context_plane.parts.disk import HALF_LIFE

_KEPT: Final = 30 * 86_400
_MOST_BYTES: Final = 1 << 20
_NAMED: Final = 50
COUNTED: Final = {
    "memory": ("hits", "misses", "evictions"),
    "disk": ("hits", "misses", "evictions"),
    "store": ("requests", "bytes"),
}
"""What is counted, by tier."""


@dataclass
class Usage:
    """What was counted, summed over processes."""

    processes: int = 0
    since: float = 0.0
    """Seconds since 1970 of the oldest line; 0 where there is none."""
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {tier: Counter() for tier in COUNTED})
    uses: dict[str, float] = field(default_factory=dict)
    """How much each thing was used, where a use counts half as much with every day that passes."""

    @property
    def most_used(self) -> list[str]:
        """Names, the most used first."""
        return sorted(self.uses, key=lambda name: (-self.uses[name], name))


def record(file: Path, counts: Mapping[str, Mapping[str, int]], uses: Mapping[str, int]) -> None:
    """Appends a line. A disk that takes none loses it: it is only advice."""
    most = dict(sorted(uses.items(), key=lambda each: -each[1])[:_NAMED])
    line = json.dumps({"at": round(time.time()), **counts, "uses": most}, separators=(",", ":")) + "\n"
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as out:
            out.write(line.encode())
        if file.stat().st_size > _MOST_BYTES:
            _shorten(file)


def read(file: Path) -> Usage:
    """What the lines of the last 30 days say together. Lines that do not read are passed over."""
    found, now = Usage(), time.time()
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return found
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError, OverflowError):
            _add(found, json.loads(line), now)
    return found


def _add(found: Usage, raw: Mapping[str, Any], now: float) -> None:
    age = max(0.0, now - float(raw["at"]))
    if age > _KEPT:
        return
    counts = {tier: {name: int(raw[tier][name]) for name in names} for tier, names in COUNTED.items()}
    uses = {str(name): float(count) * 0.5 ** (age / HALF_LIFE) for name, count in raw["uses"].items()}
    found.processes += 1
    found.since = min(found.since or now, now - age)
    for tier, each in counts.items():
        found.counts[tier].update(each)
    for name, count in uses.items():
        found.uses[name] = found.uses.get(name, 0.0) + count


def _shorten(file: Path) -> None:
    """Keeps the newer half."""
    lines = file.read_bytes().splitlines(keepends=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    temporary.write_bytes(b"".join(lines[len(lines) // 2 :]))
    os.replace(temporary, file)
