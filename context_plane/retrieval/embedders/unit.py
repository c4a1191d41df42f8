"""Vectors made unit vectors: what every embedder does last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def unit(vectors: NDArray[Any]) -> NDArray[Any]:
    """The vectors with length 1, f32; zero for a zero vector and for one that is not finite."""
    import numpy as np

    wide = np.asarray(vectors, np.float64)
    wide = np.where(np.isfinite(wide).all(axis=1, keepdims=True), wide, 0)
    length = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    return np.ascontiguousarray(np.divide(wide, length, out=np.zeros_like(wide), where=length > 0), np.float32)
