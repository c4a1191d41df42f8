"""Measurements: ``python -m bench [CASE…]`` prints figures and, where one makes sense, the floor measured beside them.

Times of shared machines wander; ratios of two things measured in turn in one run do not. Figures worth keeping
go to `bench/README.md` with the command that made them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import (
    bundles,
    chains,
    cold,
    ctx_data,
    ctx_prose,
    growth,
    ingest,
    knowledge,
    links,
    memory,
    process_latency,
    process_scoping,
    processes,
    processes_compile,
    quality,
    scoping,
    search,
    shards,
    sizes,
    start,
    stores,
    viewport,
)

Figures = dict[str, Any]
CASES: dict[str, Callable[[Path], Iterator[Figures]]] = {
    "import": start.imports,
    "stores": stores.small_files,
    "ingest": ingest.throughput,
    "cdnow": ingest.cdnow,
    "bundles": bundles.reads,
    "growth": growth.linear,
    "search": search.small,
    "vectors": search.vectors,
    "filters": search.filters,
    "sizes": sizes.growth,
    "daily": shards.daily,
    "large": shards.large,
    "resident": shards.resident,
    "rates": shards.rates,
    "cold": cold.small,
    "cold-entity": cold.entity,
    "quality": quality.retrieval,
    "ctx-sizes": ctx_data.sizes,
    "ctx-random": ctx_data.random_documents,
    "ctx-changed": ctx_data.changed,
    "ctx-speed": ctx_data.speed,
    "ctx-prose": ctx_prose.documents,
    "viewport": viewport.assembly,
    "memory": memory.practitioner,
    "knowledge": knowledge.topics,
    "knowledge-chunks": knowledge.sizes,
    "links": links.extraction,
    "typed-links": chains.typed_links,
    "scoping": scoping.scoping,
    "processes-compile": processes_compile.compiling,
    "processes": processes.runs,
    "process-latency": process_latency.latency,
    "process-scoping": process_scoping.scoping,
}


def main(names: list[str]) -> None:
    """Runs the cases named (all by default), each in a folder of its own."""
    wanted = names or list(CASES)
    for name in wanted:
        if name not in CASES:
            raise SystemExit(f"error: no case {name!r}; there are {', '.join(CASES)}")
    # Deleted only at the end: for minutes after many files were deleted, ext4 makes new ones up to ten times slower.
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in wanted:
            (Path(folder) / name).mkdir()
            for figures in CASES[name](Path(folder) / name):
                print(json.dumps({"case": name, **figures}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
