"""Any server that answers OpenAI's ``POST /embeddings``, such as vLLM, Ollama or LiteLLM: asked only when it is named.

Texts and key go to the URL that the user configured and nowhere else: redirects are not followed. Requests are repeated
where the server is busy, and what is not a vector for each text is an error and never a zero vector.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Unavailable
from context_plane.retrieval.embedders import Choice, Embedder
from context_plane.retrieval.embedders.texts import spoken
from context_plane.retrieval.embedders.unit import unit
from context_plane.web import Server, is_address

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

WEIGHT: Final = 0.5
LONGEST: Final = 8_000
"""Characters of a text that are sent: models take 8,192 tokens, of some scripts one a character, and refuse more."""
KEYS: Final = ("CONTEXT_PLANE_EMBEDDER_KEY", "OPENAI_API_KEY")
_BATCH: Final = 128
_CHARACTERS: Final = 100_000
"""Of a batch: OpenAI takes 300,000 tokens in a request."""


def open_named(choice: Choice) -> Embedder:
    """The embedder of a model behind a URL. Asks nothing yet."""
    if choice.model is None or choice.url is None or not is_address(choice.url):
        raise choice.error("openai needs a model and a URL", "write openai:MODEL@https://host/v1")
    dimension = choice.whole("dim", 1, 1, 65_536) if "dim" in choice.options else 0
    longest = choice.whole("chars", LONGEST, 1, _CHARACTERS)
    return OpenAI(choice.model, choice.url, dimension, choice.number("weight", WEIGHT, 0, 1), longest)


class OpenAI:
    """A model behind a URL."""

    def __init__(
        self,
        model: str,
        url: str,
        dimension: int,
        weight: float,
        longest: int = LONGEST,
        *,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        """`dimension` 0 is learned from the first answer; another one is asked for. Of a text the first `longest`
        characters are sent."""
        self._model = model
        self._server = Server(
            "embedding server",
            f"{url.rstrip('/')}/embeddings",
            keys=KEYS,
            denied=f"set {KEYS[0]} to a key that may use {model}",
            refused="check model, URL and dimension in the embedder's name",
            wait=wait,
        )
        self._asked = dimension
        self._learned = dimension
        self._longest = longest
        self._lock = threading.Lock()
        self.weight = weight

    @property
    def dimension(self) -> int:
        """Length of a vector; asks the server once where the name does not say it."""
        with self._lock:
            if not self._learned:
                self._learned = len(self._request(["dimension"])[0])
            return self._learned

    @property
    def id(self) -> str:
        """Identity of the vectors: the model and how much of a text it is given, not the server that runs it."""
        cut = "" if self._longest == LONGEST else f"/{self._longest} characters"
        return f"openai/{self._model}/{self.dimension}{cut}"

    def embed(self, texts: Sequence[str]) -> Array:
        """See `Embedder.embed`. Texts without a word are not sent: servers refuse empty input."""
        import numpy as np

        out = np.zeros((len(texts), self.dimension), np.float32)
        for rows, batch in _batches(*spoken([text[: self._longest] for text in texts])):
            out[rows] = unit(self._array(self._request(batch)))
        return out

    def _array(self, found: list[list[float]]) -> Array:
        import numpy as np

        if any(len(each) != self.dimension for each in found):
            raise self._bad(
                f"vectors have {sorted({len(each) for each in found})} numbers, {self.dimension} are expected"
            )
        vectors = np.array(found, np.float64)
        if not (np.abs(vectors) <= np.finfo(np.float32).max).all():
            raise self._bad("a vector holds a number that is not finite")
        return vectors

    def _request(self, texts: Sequence[str]) -> list[list[float]]:
        body: dict[str, Any] = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        if self._asked:
            body["dimensions"] = self._asked
        answer = self._server.post(json.dumps(body).encode())
        try:
            data = sorted(json.loads(answer)["data"], key=lambda each: each["index"])
            found = [[float(number) for number in each["embedding"]] for each in data]
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise self._bad("the answer is not a list of embeddings") from error
        if [each["index"] for each in data] != list(range(len(texts))):
            raise self._bad(f"{len(data)} embeddings came for {len(texts)} texts")
        return found

    def _bad(self, what: str) -> Unavailable:
        return self._server.error(
            what, "check that the server speaks OpenAI's API and the model's name; then try again"
        )


def _batches(rows: Sequence[int], texts: Sequence[str]) -> Iterator[tuple[Sequence[int], Sequence[str]]]:
    """Rows and texts, as many at a time as a server takes."""
    start, size = 0, 0
    for end, text in enumerate(texts):
        if end > start and (end - start >= _BATCH or size + len(text) > _CHARACTERS):
            yield rows[start:end], texts[start:end]
            start, size = end, 0
        size += len(text)
    if texts:
        yield rows[start:], texts[start:]
