"""WordLlama: the mean of static token embeddings (Miller 2024), from the library's own wheel.

The tokenizer and the weights are read from the installed package and pooled here: the library takes most of a second to
import, pads every text of a batch to the longest, and looks for its tokenizer in the wrong folder and then on a hub.
The vectors are the library's own (a test compares them), and those of a text do not depend on the batch it comes in.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import NotFound
from context_plane.retrieval.embedders import Choice, Embedder
from context_plane.retrieval.embedders.unit import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    Array = NDArray[Any]

MODEL: Final = "l2_supercat"
DIMENSION: Final = 256
WEIGHT: Final = 0.2
_PIECE: Final = 16_384
"""Tokens that are pooled at a time: 16 MB of embeddings. Longer texts are pooled piece by piece."""
_TEXTS: Final = 1_024
_LONGEST: Final = 1 << 16
"""Characters that are tokenized at a time."""


def open_named(choice: Choice) -> Embedder:
    """The embedder of a name. Raises `InputError` for a model or dimension that is not in the wheel."""
    if choice.model not in (None, MODEL) or choice.url is not None:
        raise choice.error(f"wordllama has no model {choice.model!r}", f"write wordllama: its wheel carries {MODEL}")
    dimension = int(choice.number("dim", DIMENSION, 16, DIMENSION))
    return WordLlama(dimension, choice.number("weight", WEIGHT, 0, 1))


class WordLlama:
    """The model in the wheel. Its weights are read with the first text."""

    def __init__(self, dimension: int = DIMENSION, weight: float = WEIGHT) -> None:
        """`dimension` may be cut: the embeddings are trained so that their first numbers say most."""
        self.dimension = dimension
        self.weight = weight
        self.id = f"wordllama/{MODEL}/{dimension}"
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Array:
        """See `Embedder.embed`."""
        import numpy as np

        sums = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _TEXTS):
            self._pool(texts[start : start + _TEXTS], sums[start : start + _TEXTS])
        return unit(sums)

    def _pool(self, texts: Sequence[str], sums: Array) -> None:
        """Adds up the embeddings of each text's tokens; their mean has the same direction."""
        import numpy as np

        tokenizer, weights = self._loaded
        cut = [_cut(text) for text in texts]
        pieces = [piece for each in cut for piece in each]
        owners = [row for row, each in enumerate(cut) for _ in each]
        if not pieces:
            return
        if len(pieces) == 1:  # a query: a batch starts threads
            found = [tokenizer.encode(pieces[0], add_special_tokens=False).ids]
        else:
            found = [each.ids for each in tokenizer.encode_batch(pieces, add_special_tokens=False)]
        for row, ids in zip(owners, found, strict=True):
            for start in range(0, len(ids), _PIECE):
                tokens = np.array(ids[start : start + _PIECE], np.intp)
                np.minimum(tokens, len(weights) - 1, out=tokens)
                sums[row] += weights[tokens].sum(axis=0)

    @cached_property
    def _loaded(self) -> tuple[Tokenizer, Array]:
        with self._lock:
            folder = _folder()
            import numpy as np
            from safetensors import safe_open
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / f"{MODEL}_tokenizer_config.json"))
            tokenizer.no_padding()
            tokenizer.no_truncation()
            with safe_open(str(folder / "weights" / f"{MODEL}_{DIMENSION}.safetensors"), "np") as file:
                weights = file.get_tensor("embedding.weight")[:, : self.dimension].astype(np.float32)
            return tokenizer, weights


def _cut(text: str) -> list[str]:
    """A text in pieces that the tokenizer takes in linear time and little memory; nearly always one."""
    if not text or text.isspace():
        return []
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # the tokenizer takes no lone surrogates
    text = text.lower()
    return [text[at : at + _LONGEST] for at in range(0, len(text), _LONGEST)]


def _folder() -> Path:
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise NotFound("wordllama is not installed", where="embedder", remedy="pip install wordllama")
    return Path(spec.origin).parent
