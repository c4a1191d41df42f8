"""Planes with and without something told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from context_plane import ContextPlane
from tests.memory.nodes.world import opened


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ContextPlane]:
    with opened(tmp_path / "home") as made:
        yield made


@pytest.fixture
def told(plane: ContextPlane) -> ContextPlane:
    """Three nodes about an entity, the second in place of the first."""
    plane.remember("acme", "customer/a", "Prefers monthly billing", type="preference", id="monthly", at="2026-03-01")
    plane.remember(
        "acme", "customer/a", "Prefers annual billing", type="correction", id="annual", at="2026-03-03",
        supersedes="monthly", session="s-1", confidence=0.5, origin="ada", about="customer/b",
    )  # fmt: skip
    plane.remember("acme", "customer/a", "Offer the annual plan", type="decision", id="offer", at="2026-03-05",
        caused_by="annual")  # fmt: skip
    return plane
