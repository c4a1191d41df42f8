"""WordLlama: the mean of static token embeddings (Miller 2024), from the library's own wheel.

The tokenizer and the weights are read from the installed package and pooled here: the library takes most of a second to
import, pads every text of a batch to the longest, and looks for its tokenizer in the wrong folder and then on a hub.
The vectors are the library's own (a test compares them), and those of a text do not depend on the batch it comes in.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import NotFound
from context_plane.retrieval.embedders import Choice, Embedder
from context_plane.retrieval.embedders.texts import encodable
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
_LONGEST: Final = 1 << 16
"""Characters that are tokenized at a time."""
_TEXTS: Final = 1_024
_CHARACTERS: Final = 1 << 20
"""Of a batch: the tokens of a character take 30 bytes until they are pooled."""
_REINSTALL: Final = "pip install --force-reinstall wordllama"


def open_named(choice: Choice) -> Embedder:
    """The embedder of a name.

    Raises `InputError` for a model or dimension that is not in the wheel, and `NotFound` where the wheel is not there.
    """
    if choice.model not in (None, MODEL) or choice.url is not None:
        remedy = f"write wordllama (its wheel carries {MODEL}), or wordllama?dim=128 for shorter vectors"
        raise choice.error(f"wordllama has no model {choice.model!r}", remedy)
    _files()
    return WordLlama(choice.whole("dim", DIMENSION, 16, DIMENSION), choice.number("weight", WEIGHT, 0, 1))


class WordLlama:
    """The model in the wheel. Its weights are read with the first text."""

    def __init__(self, dimension: int = DIMENSION, weight: float = WEIGHT) -> None:
        """`dimension` may be cut: the embeddings are trained so that their first numbers say most."""
        self.dimension = dimension
        self.weight = weight
        self.id = f"wordllama/{MODEL}/{dimension}"
        self._lock = threading.Lock()
        self._loaded: tuple[Tokenizer, Array] | None = None

    def embed(self, texts: Sequence[str]) -> Array:
        """See `Embedder.embed`."""
        import numpy as np

        sums = np.zeros((len(texts), self.dimension), np.float32)
        for owners, pieces in _batches(texts):
            self._pool(owners, pieces, sums)
        return unit(sums)

    def _pool(self, owners: Sequence[int], pieces: Sequence[str], sums: Array) -> None:
        """Adds up the embeddings of each text's tokens; their mean has the same direction."""
        import numpy as np

        tokenizer, weights = self._loaded or self._load()
        if len(pieces) == 1:  # a query: a batch starts threads
            found = [tokenizer.encode(pieces[0], add_special_tokens=False).ids]
        else:
            found = [each.ids for each in tokenizer.encode_batch_fast(pieces, add_special_tokens=False)]
        for row, ids in zip(owners, found, strict=True):
            for start in range(0, len(ids), _PIECE):
                tokens = np.array(ids[start : start + _PIECE], np.intp)
                np.minimum(tokens, len(weights) - 1, out=tokens)
                sums[row] += weights[tokens].sum(axis=0)

    def _load(self) -> tuple[Tokenizer, Array]:
        with self._lock:
            if self._loaded is None:
                vocabulary, file = _files()
                try:
                    self._loaded = _tokenizer(vocabulary), _weights(file, self.dimension)
                except Exception as error:  # what tokenizers and safetensors raise for a damaged file
                    raise NotFound(f"its files do not read: {error}", where="wordllama", remedy=_REINSTALL) from error
            return self._loaded


def _batches(texts: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
    """Rows and pieces of texts, few enough at a time that their tokens take little memory."""
    owners: list[int] = []
    pieces: list[str] = []
    size = 0
    for row, text in enumerate(texts):
        for piece in _cut(text):
            owners.append(row)
            pieces.append(piece)
            size += len(piece)
            if size >= _CHARACTERS or len(pieces) >= _TEXTS:
                yield owners, pieces
                owners, pieces, size = [], [], 0
    if pieces:
        yield owners, pieces


def _cut(text: str) -> list[str]:
    """A text in pieces that the tokenizer takes in linear time and little memory; nearly always one."""
    if not text or text.isspace():
        return []
    text = encodable(text).lower()
    return [text[at : at + _LONGEST] for at in range(0, len(text), _LONGEST)]


def _tokenizer(file: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _weights(file: Path, dimension: int) -> Array:
    import numpy as np
    from safetensors import safe_open

    with safe_open(str(file), "np") as opened:
        return np.ascontiguousarray(opened.get_tensor("embedding.weight")[:, :dimension], np.float32)


def _files() -> tuple[Path, Path]:
    """The tokenizer and the weights in the installed package, which is not imported."""
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise NotFound("wordllama is not installed", where="embedder", remedy="pip install wordllama")
    folder = Path(spec.origin).parent
    files = (
        folder / "tokenizers" / f"{MODEL}_tokenizer_config.json",
        folder / "weights" / f"{MODEL}_{DIMENSION}.safetensors",
    )
    for file in files:
        if not file.is_file():
            raise NotFound(f"its wheel carries no {file.name}", where="wordllama", remedy=_REINSTALL)
    return files
