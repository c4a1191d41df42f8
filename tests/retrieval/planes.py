"""Planes for tests of search: a model of the tests embeds, everything that is stale is built at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from context_plane import ContextPlane
from tests.retrieval.oracle import Hashed


def opened(folder: Path, **settings: Any) -> ContextPlane:
    """The plane of a home, with a model of its own."""
    plane = ContextPlane.open(folder, embedder="hashed", **settings)
    plane._embedders["hashed"] = Hashed()
    return plane


def materialize(plane: ContextPlane) -> None:
    """Builds and publishes what tenant acme lacks, indexes of words and of vectors too."""
    builder = plane.builder("acme")
    builder.timeline((0, 1 << 20))
    builder.fulltext((0, 1 << 20))
    builder.vectors((0, 1 << 20))
    builder.publish()
