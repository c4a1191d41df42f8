"""Any server that answers OpenAI's ``POST /embeddings``, such as vLLM, Ollama or LiteLLM: asked only when it is named.

Texts and key go to the URL that the user configured and nowhere else: redirects are not followed. Requests are repeated
where the server is busy, and what is not a vector for each text is an error and never a zero vector.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from http.client import HTTPException
from time import sleep
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from context_plane.errors import Denied, InputError, Unavailable
from context_plane.retrieval.embedders import Choice, Embedder
from context_plane.retrieval.embedders.texts import spoken
from context_plane.retrieval.embedders.unit import unit

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
_SECONDS: Final = 60
_WAITS: Final = (0.5, 2.0, 8.0)
_LONGEST_WAIT: Final = 30.0
_BUSY: Final = frozenset({408, 409, 425, 429})


def open_named(choice: Choice) -> Embedder:
    """The embedder of a model behind a URL. Asks nothing yet."""
    if choice.model is None or choice.url is None or not _is_address(choice.url):
        raise choice.error("openai needs a model and a URL", "write openai:MODEL@https://host/v1")
    dimension = choice.whole("dim", 1, 1, 65_536) if "dim" in choice.options else 0
    longest = choice.whole("chars", LONGEST, 1, _CHARACTERS)
    return OpenAI(choice.model, choice.url, dimension, choice.number("weight", WEIGHT, 0, 1), longest)


def _is_address(url: str) -> bool:
    """Whether the URL is one of HTTP, without a name and password of its own: those would be printed with errors."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    return plain and parts.scheme in ("http", "https") and bool(host) and port != 0 and parts.username is None


class _NoRedirects(HTTPRedirectHandler):
    """urllib would hand the key on to whatever host an answer names."""

    def redirect_request(self, *_: Any) -> None:
        """Leaves the answer an error."""


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
        self._url = f"{url.rstrip('/')}/embeddings"
        self._asked = dimension
        self._learned = dimension
        self._longest = longest
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
        answer = self._post(json.dumps(body).encode())
        try:
            data = sorted(json.loads(answer)["data"], key=lambda each: each["index"])
            found = [[float(number) for number in each["embedding"]] for each in data]
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise self._bad("the answer is not a list of embeddings") from error
        if [each["index"] for each in data] != list(range(len(texts))):
            raise self._bad(f"{len(data)} embeddings came for {len(texts)} texts")
        return found

    def _post(self, body: bytes) -> bytes:
        request = Request(self._url, body, {"Content-Type": "application/json"} | self._credentials())
        for wait in (*_WAITS, None):
            try:
                with self._opener.open(request, timeout=_SECONDS) as answer:
                    content: bytes = answer.read()
                    return content
            except HTTPError as error:
                with error:
                    if wait is None or not _is_busy(error):
                        raise self._refused(error) from error
                    wait = max(wait, _asked_wait(error))
            except (OSError, HTTPException) as error:
                if wait is None:
                    raise self._silent(error) from error
            self._wait(wait)
        raise AssertionError("unreachable")

    @cached_property
    def _opener(self) -> OpenerDirector:
        return build_opener(_NoRedirects)

    def _credentials(self) -> dict[str, str]:
        for name in KEYS:
            if key := os.environ.get(name, "").strip():
                if not (key.isascii() and key.isprintable()):
                    raise Denied("the key holds characters that no key has", where=name, remedy="set it again")
                return {"Authorization": f"Bearer {key}"}
        return {}

    def _silent(self, error: OSError | HTTPException) -> Unavailable:
        reason = error.reason if isinstance(error, URLError) else error
        what = f"the embedding server does not answer: {str(reason) or type(reason).__name__}"
        return Unavailable(what, where=self._url, remedy="start it, or check the URL; then try again")

    def _refused(self, error: HTTPError) -> Denied | Unavailable | InputError:
        what = f"the embedding server answers {error.code}: {_text(error)}"
        if error.code in (401, 403):
            return Denied(what, where=self._url, remedy=f"set {KEYS[0]} to a key that may use {self._model}")
        if _is_busy(error):
            return Unavailable(what, where=self._url, remedy="try again later")
        return InputError(what, where=self._url, remedy="check model, URL and dimension in the embedder's name")

    def _bad(self, what: str) -> Unavailable:
        remedy = "check that the server speaks OpenAI's API and the model's name; then try again"
        return Unavailable(what, where=self._url, remedy=remedy)


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


def _is_busy(error: HTTPError) -> bool:
    return error.code in _BUSY or error.code >= 500


def _asked_wait(error: HTTPError) -> float:
    """Seconds that the server asks to wait, at most half a minute; 0 where it does not say."""
    asked = error.headers.get("Retry-After") or ""
    return min(float(asked), _LONGEST_WAIT) if asked.isascii() and asked.isdigit() else 0.0


def _text(error: HTTPError) -> str:
    try:
        return error.read(300).decode("utf-8", "replace").strip() or error.reason
    except (OSError, HTTPException):
        return error.reason
