"""Context Plane: builds, stores and serves deterministic, versioned context for AI agents.

Importing this costs next to nothing: every name is loaded when it is first used (`import context_plane` stays under
150 ms, and so must whatever is added here).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from context_plane.aio import AsyncContextPlane
    from context_plane.bundles.bundle import Bundle
    from context_plane.errors import (
        Conflict,
        ContextPlaneError,
        Corrupt,
        Denied,
        Infeasible,
        InputError,
        NotFound,
        Unavailable,
    )
    from context_plane.log.outcome import Commit, RefusedBatch, Rejected
    from context_plane.parts.snapshots import Snapshot
    from context_plane.plane import ContextPlane
    from context_plane.retrieval.hit import Hit

__all__ = [
    "AsyncContextPlane",
    "Bundle",
    "Commit",
    "Conflict",
    "ContextPlane",
    "ContextPlaneError",
    "Corrupt",
    "Denied",
    "Hit",
    "Infeasible",
    "InputError",
    "NotFound",
    "RefusedBatch",
    "Rejected",
    "Snapshot",
    "Unavailable",
]

_HOMES = {
    "AsyncContextPlane": "aio",
    "Bundle": "bundles.bundle",
    "Commit": "log.outcome",
    "ContextPlane": "plane",
    "Hit": "retrieval.hit",
    "RefusedBatch": "log.outcome",
    "Rejected": "log.outcome",
    "Snapshot": "parts.snapshots",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
