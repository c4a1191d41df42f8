"""A builder in a process of its own: ``python -m tests.retrieval.building``.

For every line with a limit and a home it builds and publishes what is stale there, and answers with a line when it is
done. The limit is how many bytes an index may have that readers load: of a larger one the table is prepared for search.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from context_plane import ContextPlane
from context_plane.retrieval.building import fold
from context_plane.retrieval.shards import near
from tests.retrieval.oracle import Hashed

READY = "ready"
DONE = "done"
GRAPHED = 8
"""Events that have a graph: a few."""


def plane_at(home: Path) -> ContextPlane:
    """The plane of a home, in which a model of the tests embeds."""
    plane = ContextPlane.open(home, embedder="hashed", analyzer="none", max_staleness=0)
    plane._embedders["hashed"] = Hashed()  # type: ignore[assignment]
    return plane


def build(plane: ContextPlane, limit: int) -> None:
    """Builds whatever is stale, and publishes."""
    builder = plane.builder("acme")
    assert builder._search is not None
    builder._search = replace(builder._search, limit=limit)
    for window in builder.stale().windows("day"):
        builder.timeline(window)
        builder.search(window)
    builder.publish()


def main() -> None:
    """Builds once a line. The planes stay open, so what a process knows of a table may be old."""
    import lancedb  # noqa: F401 - so that the first build does not wait for it

    near.LEAST = fold._UNGRAPHED = GRAPHED  # type: ignore[misc]
    planes: dict[str, ContextPlane] = {}
    print(READY, flush=True)  # noqa: T201
    for line in sys.stdin:
        limit, home = line.rstrip("\n").split(" ", 1)
        if home not in planes:
            planes[home] = plane_at(Path(home))
        build(planes[home], int(limit))
        print(DONE, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
