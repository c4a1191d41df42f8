"""Fusion: one score out of BM25 and cosine, on scales that no candidate set decides (ADR 8).

Here belongs the calibration. BM25 is divided by what no document's score can exceed for this question, a cosine is what
it is. Neither depends on what else was found, so a document's score is the same under every filter and on every way to
it, and a weak model cannot pull a strong text match down further than its weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from context_plane.retrieval.scoring.question import Mode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Fusion(NamedTuple):
    """What makes one score of a BM25 and a cosine."""

    text: float
    near: float

    def __call__(self, bm25: Array, cosine: Array) -> Array:
        """The scores, element by element."""
        if not self.near:
            return bm25 * self.text
        near = cosine * self.near
        if self.text:
            near += bm25 * self.text
        return near


def fuse(mode: Mode, bound: float, weight: float) -> Fusion:
    """The fusion for a question whose BM25 cannot exceed `bound`, and a model whose cosines count `weight`, 0 to 1."""
    if mode == "bm25":
        return Fusion(1.0, 0.0)
    if mode == "vector":
        return Fusion(0.0, 1.0)
    return Fusion((1 - weight) / bound if bound > 0 else 0.0, weight)
