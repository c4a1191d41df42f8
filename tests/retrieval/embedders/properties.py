"""What holds for the vectors of every embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from context_plane.retrieval.embedders import Embedder


def check(embedder: Embedder, texts: Sequence[str]) -> None:
    """Form, length and finiteness of vectors, and that their bytes do not depend on the texts beside them."""
    found = embedder.embed(texts)
    assert (found.dtype, found.shape) == (np.float32, (len(texts), embedder.dimension))
    assert found.flags.c_contiguous
    assert np.isfinite(found).all()
    lengths = np.linalg.norm(found.astype(np.float64), axis=1)
    assert ((lengths == 0) | (abs(lengths - 1) < 1e-6)).all()
    assert all(length == 0 for text, length in zip(texts, lengths, strict=True) if not text.strip())
    assert embedder.embed(texts).tobytes() == found.tobytes()
    assert b"".join(embedder.embed([text]).tobytes() for text in texts) == found.tobytes()
    assert np.ascontiguousarray(embedder.embed([*reversed(texts)])[::-1]).tobytes() == found.tobytes()
