"""Sentence Transformers: encoders that run with torch on this machine; the extra `sentence-transformers`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import NotFound
from context_plane.retrieval.embedders import Choice, Embedder
from context_plane.retrieval.embedders.unit import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHT: Final = 0.5


def open_named(choice: Choice) -> Embedder:
    """The embedder of a folder, or of a model's name on a hub, which the library then downloads."""
    if choice.model is None:
        raise choice.error("sentence-transformers needs a model", "write sentence-transformers:FOLDER_OR_NAME")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        what, remedy = "sentence-transformers is not installed", "pip install 'context-plane[sentence-transformers]'"
        raise NotFound(what, where=f"embedder {choice.name!r}", remedy=remedy) from None
    try:
        model = SentenceTransformer(choice.model, local_files_only=Path(choice.model).is_dir(), device="cpu")
    except (OSError, ValueError) as error:
        where, remedy = f"embedder {choice.name!r}", "check the folder or name"
        raise NotFound(f"the model does not load: {error}", where=where, remedy=remedy) from error
    return Sentences(model, Path(choice.model).name, choice.number("weight", WEIGHT, 0, 1))


class Sentences:
    """A loaded model."""

    def __init__(self, model: Any, name: str, weight: float) -> None:
        self._model = model
        self._lock = threading.Lock()
        self.weight = weight
        self.dimension: int = int(model.get_sentence_embedding_dimension())
        self.id = f"sentence-transformers/{name}/{self.dimension}"

    def embed(self, texts: Sequence[str]) -> NDArray[Any]:
        """See `Embedder.embed`. A text of white space has the zero vector: the model would give one of its own."""
        import numpy as np

        out = np.zeros((len(texts), self.dimension), np.float32)
        rows = [row for row, text in enumerate(texts) if text.strip()]
        if rows:
            with self._lock:
                found = self._model.encode([texts[row] for row in rows], show_progress_bar=False, convert_to_numpy=True)
            out[rows] = unit(found)
        return out
