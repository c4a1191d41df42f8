"""Sentence Transformers: encoders that run with torch on this machine; the extra `sentence-transformers`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from context_plane.retrieval.embedders import Choice, Embedder
from context_plane.retrieval.embedders.extras import content, folder, revision, translated
from context_plane.retrieval.embedders.texts import spoken
from context_plane.retrieval.embedders.unit import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHT: Final = 0.3


def open_named(choice: Choice) -> Embedder:
    """The embedder of a folder, or of a model's name on a hub, which the library then downloads."""
    path = folder(choice)
    weight = choice.number("weight", WEIGHT, 0, 1)
    with translated(choice):
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(path or choice.model), local_files_only=path is not None, device="cpu")
        name = f"{path.name}@{content(path)}" if path else f"{choice.model}{revision(str(choice.model))}"
        width = _width(model)
    return Sentences(model, name, choice.whole("dim", width, 1, width), weight)


class Sentences:
    """A loaded model."""

    def __init__(self, model: Any, name: str, dimension: int, weight: float) -> None:
        """`name` tells the model's content or revision too; `dimension` is at most the model's."""
        self._model = model
        self._lock = threading.Lock()
        self.weight = weight
        self.dimension = dimension
        self.id = f"sentence-transformers/{name}/{dimension}"

    def embed(self, texts: Sequence[str]) -> NDArray[Any]:
        """See `Embedder.embed`. One text at a time: in a batch, padding moves the last bits of a text's vector."""
        import numpy as np

        out = np.zeros((len(texts), self.dimension), np.float32)
        rows, said = spoken(texts)
        if rows:
            with self._lock:
                found = self._model.encode(said, batch_size=1, show_progress_bar=False, convert_to_numpy=True)
            out[rows] = unit(found[:, : self.dimension])
        return out


def _width(model: Any) -> int:
    """Length of the model's vectors. Version 5 knows only the longer name, version 6 warns of it."""
    ask = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    return int(ask())
