"""Model2Vec: static embeddings distilled from sentence encoders (Tulkens, van Dongen 2024); the extra `model2vec`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import NotFound
from context_plane.retrieval.embedders import Choice, Embedder
from context_plane.retrieval.embedders.unit import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHT: Final = 0.2


def open_named(choice: Choice) -> Embedder:
    """The embedder of a folder, or of a model's name on a hub, which the library then downloads."""
    if choice.model is None:
        raise choice.error("model2vec needs a model", "write model2vec:FOLDER, or model2vec:NAME to have it downloaded")
    try:
        from model2vec import StaticModel
    except ImportError:
        remedy = "pip install 'context-plane[model2vec]'"
        raise NotFound("model2vec is not installed", where=f"embedder {choice.name!r}", remedy=remedy) from None
    try:
        model = StaticModel.from_pretrained(choice.model)
    except (OSError, ValueError) as error:
        where, remedy = f"embedder {choice.name!r}", "check the folder or name"
        raise NotFound(f"the model does not load: {error}", where=where, remedy=remedy) from error
    return Model2Vec(model, Path(choice.model).name, choice.number("weight", WEIGHT, 0, 1))


class Model2Vec:
    """A loaded model."""

    def __init__(self, model: Any, name: str, weight: float) -> None:
        self._model = model
        self.weight = weight
        self.dimension: int = int(model.dim)
        self.id = f"model2vec/{name}/{self.dimension}"

    def embed(self, texts: Sequence[str]) -> NDArray[Any]:
        """See `Embedder.embed`."""
        return unit(self._model.encode(list(texts)))
