"""What importing costs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.clock import process


def imports(folder: Path) -> Iterator[dict[str, Any]]:
    """`import context_plane` and the façade, each minus the bare interpreter measured in turn."""
    del folder
    statements = {
        "import context_plane": "import context_plane",
        "from context_plane import ContextPlane": "from context_plane import ContextPlane",
    }
    for name, statement in statements.items():
        bare, loaded = [], []
        for _ in range(9):
            bare.append(process(["-c", "pass"])["seconds"])
            loaded.append(process(["-c", statement])["seconds"])
        cost = statistics.median(loaded) - statistics.median(bare)
        yield {
            "what": name,
            "ms": round(cost * 1_000),
            "bare_ms": round(statistics.median(bare) * 1_000),
            "bar_ms": 150,
        }
