"""Any server that answers OpenAI's ``POST /embeddings``, such as vLLM, Ollama or LiteLLM: asked only when it is named.

Texts go to the URL that the user configured and nowhere else. Requests are repeated where the server is busy.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from time import sleep
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from context_plane.errors import Corrupt, Denied, InputError, Unavailable
from context_plane.retrieval.embedders import Choice, Embedder
from context_plane.retrieval.embedders.unit import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

WEIGHT: Final = 0.5
KEYS: Final = ("CONTEXT_PLANE_EMBEDDER_KEY", "OPENAI_API_KEY")
_BATCH: Final = 128
_SECONDS: Final = 60
_WAITS: Final = (0.5, 2.0, 8.0)
_BUSY: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


def open_named(choice: Choice) -> Embedder:
    """The embedder of a model behind a URL. Asks nothing yet unless the dimension must be learned."""
    if choice.model is None or choice.url is None or urlsplit(choice.url).scheme not in ("http", "https"):
        raise choice.error("openai needs a model and a URL", "write openai:MODEL@https://host/v1")
    dimension = int(choice.number("dim", 0, 0, 65_536))
    return OpenAI(choice.model, choice.url, dimension, choice.number("weight", WEIGHT, 0, 1))


class OpenAI:
    """A model behind a URL."""

    def __init__(
        self, model: str, url: str, dimension: int, weight: float, *, wait: Callable[[float], None] = sleep
    ) -> None:
        """`dimension` 0 is learned from the first answer; another one is asked for."""
        self._model = model
        self._url = f"{url.rstrip('/')}/embeddings"
        self._asked = dimension
        self._learned = dimension
        self._wait = wait
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
        """Identity of the vectors: the model, not the server that runs it."""
        return f"openai/{self._model}/{self.dimension}"

    def embed(self, texts: Sequence[str]) -> Array:
        """See `Embedder.embed`. Texts without a word are not sent: servers refuse empty input."""
        import numpy as np

        out = np.zeros((len(texts), self.dimension), np.float32)
        rows = [row for row, text in enumerate(texts) if text.strip()]
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            out[batch] = unit(self._array(self._request([texts[row] for row in batch])))
        return out

    def _array(self, found: list[list[float]]) -> Array:
        import numpy as np

        if any(len(each) != self.dimension for each in found):
            raise self._bad(
                f"vectors have {sorted({len(each) for each in found})} numbers, {self.dimension} are expected"
            )
        return np.array(found, np.float64)

    def _request(self, texts: Sequence[str]) -> list[list[float]]:
        body: dict[str, Any] = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        if self._asked:
            body["dimensions"] = self._asked
        answer = self._post(json.dumps(body).encode())
        try:
            data = sorted(json.loads(answer)["data"], key=lambda each: each["index"])
            found = [[float(number) for number in each["embedding"]] for each in data]
        except (ValueError, KeyError, TypeError) as error:
            raise self._bad("the answer is not a list of embeddings") from error
        if [each["index"] for each in data] != list(range(len(texts))):
            raise self._bad(f"{len(data)} embeddings came for {len(texts)} texts")
        return found

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        if key := next(filter(None, map(os.environ.get, KEYS)), None):
            headers["Authorization"] = f"Bearer {key}"
        for wait in (*_WAITS, None):
            try:
                with urlopen(Request(self._url, body, headers), timeout=_SECONDS) as answer:
                    content: bytes = answer.read()
                    return content
            except HTTPError as error:
                if error.code not in _BUSY or wait is None:
                    raise self._refused(error) from error
            except (URLError, OSError) as error:
                if wait is None:
                    what = f"the embedding server does not answer: {getattr(error, 'reason', error)}"
                    raise Unavailable(
                        what, where=self._url, remedy="start it, or check the URL; then try again"
                    ) from error
            self._wait(wait)
        raise AssertionError("unreachable")

    def _refused(self, error: HTTPError) -> Denied | Unavailable | InputError:
        text = error.read(300).decode("utf-8", "replace").strip()
        what = f"the embedding server answers {error.code}: {text}"
        if error.code in (401, 403):
            return Denied(what, where=self._url, remedy=f"set {KEYS[0]} to a key that may use {self._model}")
        if error.code in _BUSY:
            return Unavailable(what, where=self._url, remedy="try again later")
        return InputError(what, where=self._url, remedy="check model, URL and dimension in the embedder's name")

    def _bad(self, what: str) -> Corrupt:
        return Corrupt(what, where=self._url, remedy="check that the server speaks OpenAI's API and the model's name")
