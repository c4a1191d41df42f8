"""Embedders: what turns texts into unit vectors, chosen by name and imported only when chosen.

A name is ``provider``, ``provider:model`` or ``provider:model@url``, and may end with options, ``?dim=128&weight=0.5``:
`dim` cuts the vectors (a server is asked for as many numbers), `weight` is how much they count in hybrid search,
`chars` how many characters of a text are sent to a server.

- ``wordllama`` (the default): static token embeddings from the library's own wheel; nothing is downloaded
- ``model2vec:NAME_OR_FOLDER``, ``sentence-transformers:NAME_OR_FOLDER``: extras of the same names
- ``openai:MODEL@URL``: any server with OpenAI's ``/embeddings``; the key comes from ``CONTEXT_PLANE_EMBEDDER_KEY`` or
  ``OPENAI_API_KEY``
- whatever a package declares under the entry point group ``context_plane.embedders``

There the name stands for a function that takes the `Choice` and returns an `Embedder`. ``none`` is not an embedder: a
plane with that setting has no vectors and does not come here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl

from context_plane.errors import ContextPlaneError, InputError, NotFound

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUP: Final = "context_plane.embedders"
DEFAULT: Final = "wordllama"
_PROVIDERS: Final = {
    "wordllama": "wordllama",
    "model2vec": "model2vec",
    "sentence-transformers": "sentences",
    "openai": "openai",
}
_OPTIONS: Final = ("dim", "weight", "chars")
_NAME: Final = re.compile(
    r"(?P<provider>[a-z0-9._-]+)(?::(?P<model>[^@?]+))?(?:@(?P<url>[^?]+))?(?:\?(?P<options>.*))?"
)


class Embedder(Protocol):
    """Turns texts into unit vectors. Safe for threads."""

    @property
    def id(self) -> str:
        """Identity of the vectors: provider, model with its content or revision where that is known, dimension.

        Vectors of two ids are never compared.
        """

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def weight(self) -> float:
        """Share of vectors in hybrid search, 0 to 1."""

    def embed(self, texts: Sequence[str]) -> NDArray[Any]:
        """One row a text, f32[n, dimension], of length 1; zero where the model finds nothing in a text.

        The bytes of a vector do not depend on the texts beside it. Raises `Unavailable`, `Denied` and, for a model or
        text that it refuses, `InputError` where a server is asked.
        """


@dataclass(frozen=True)
class Choice:
    """A name, taken apart."""

    name: str
    provider: str
    model: str | None = None
    url: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    """Options that the provider has asked for."""

    def number(self, option: str, default: float, least: float, most: float) -> float:
        """The value of an option. Raises `InputError` where it is not a number in the range."""
        self.used.add(option)
        try:
            value = float(self.options.get(option, default))
        except ValueError:
            value = most + 1
        if not least <= value <= most:
            raise self.error(f"{option} is {self.options[option]!r}", f"give a number from {least:g} to {most:g}")
        return value

    def whole(self, option: str, default: int, least: int, most: int) -> int:
        """The value of an option that counts something. Raises `InputError` where it is not in the range."""
        value = self.number(option, default, least, most)
        if value != int(value):
            raise self.error(f"{option} is {self.options[option]!r}", "give a whole number")
        return int(value)

    def error(self, what: str, remedy: str) -> InputError:
        """An error in the name."""
        return InputError(what, where=f"embedder {self.name[:120]!r}", remedy=remedy)


def parse(name: str) -> Choice:
    """A name, taken apart. Raises `InputError` for one that cannot be."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(
            f"{name[:120]!r} does not name an embedder",
            where="embedder",
            remedy="write provider:model, such as wordllama",
        )
    choice = Choice(name, match["provider"], match["model"], match["url"])
    for option, value in _options(choice, match["options"]):
        if option not in _OPTIONS:
            raise choice.error(f"there is no option {option!r}", f"known are {', '.join(_OPTIONS)}")
        if option in choice.options:
            raise choice.error(f"{option} is given twice", "give it once")
        choice.options[option] = value
    return choice


def _options(choice: Choice, text: str | None) -> list[tuple[str, str]]:
    if text is None:
        return []
    try:
        return parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise choice.error(f"the options {text[:60]!r} do not read", "write ?dim=128&weight=0.5") from error


def open_embedder(name: str) -> Embedder:
    """The embedder of a name. Raises `InputError` for an unknown one, `NotFound` for a missing library or model."""
    choice = parse(name)
    if choice.provider in _PROVIDERS:
        opener: Callable[[Choice], Embedder] = import_module(f"{__name__}.{_PROVIDERS[choice.provider]}").open_named
        found = opener(choice)
        for option in choice.options.keys() - choice.used:
            raise choice.error(f"{choice.provider} has no option {option}", f"it has {', '.join(sorted(choice.used))}")
        return found
    for point in entry_points(group=GROUP, name=choice.provider):
        return _plugged(choice, point)
    if name == "none":
        raise choice.error("none is not an embedder", "ask for vectors only where the embedder is another")
    known = sorted({*_PROVIDERS, *(point.name for point in entry_points(group=GROUP))})
    raise choice.error(f"there is no provider {choice.provider!r}", f"known are {', '.join(known)}, and none")


def _plugged(choice: Choice, point: EntryPoint) -> Embedder:
    try:
        made: Embedder = point.load()(choice)
    except ContextPlaneError:
        raise
    except Exception as error:
        what, remedy = f"the plugin {point.value!r} fails: {error!r}", "install it again, or name another embedder"
        raise NotFound(what, where=f"embedder {choice.name!r}", remedy=remedy) from error
    return made
