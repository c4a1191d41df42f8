"""Model2Vec: static embeddings distilled from sentence encoders (Tulkens, van Dongen 2024); the extra `model2vec`."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.retrieval.embedders import Choice, Embedder
from context_plane.retrieval.embedders.extras import folder, translated
from context_plane.retrieval.embedders.texts import spoken
from context_plane.retrieval.embedders.unit import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHT: Final = 0.2


def open_named(choice: Choice) -> Embedder:
    """The embedder of a folder, or of a model's name on a hub, which the library then downloads."""
    path = folder(choice)
    weight = choice.number("weight", WEIGHT, 0, 1)
    with translated(choice):
        from model2vec import StaticModel

        # By default it downloads what lies in its cache again, each time.
        model = StaticModel.from_pretrained(str(path or choice.model), force_download=False)
        name = f"{Path(path or choice.model or '').name}@{_content(model)}"
    width = int(model.dim)
    return Model2Vec(model, name, choice.whole("dim", width, 1, width), weight)


class Model2Vec:
    """A loaded model."""

    def __init__(self, model: Any, name: str, dimension: int, weight: float) -> None:
        """`name` tells the model's content too; `dimension` is at most the model's."""
        self._model = model
        self._lock = threading.Lock()  # the library sets its tokenizer's truncation in each call
        self.weight = weight
        self.dimension = dimension
        self.id = f"model2vec/{name}/{dimension}"

    def embed(self, texts: Sequence[str]) -> NDArray[Any]:
        """See `Embedder.embed`."""
        import numpy as np

        out = np.zeros((len(texts), self.dimension), np.float32)
        rows, said = spoken(texts)
        if rows:
            with self._lock:
                found = self._model.encode(said, use_multiprocessing=False)
            out[rows] = unit(found[:, : self.dimension])
        return out


def _content(model: Any) -> str:
    """What tells a model from others of its name, wherever it was loaded from: the start of a SHA-256."""
    import numpy as np

    total = hashlib.sha256(model.tokenizer.to_str().encode())
    for array in (model.embedding, model.weights, model.token_mapping):
        total.update(b"" if array is None else np.ascontiguousarray(array).data)
    return total.hexdigest()[:12]
