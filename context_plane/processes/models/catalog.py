"""The catalog: which models there are, as ``models.yaml`` in the home says.

Here belong the value types and reading the file when it changed. The file's form is `file`'s, which model a step gets
is `choosing`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

MAX_OUTPUT: Final = 4_096
"""Tokens that a model may answer with where the file does not say it."""
_lock: Final = threading.Lock()
_read: Final[dict[Path, tuple[tuple[int, ...], tuple[Model, ...]]]] = {}


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    output: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """US dollars for so many."""
        return (self.input * input_tokens + self.output * output_tokens) / 1_000_000


@dataclass(frozen=True)
class Model:
    """A model that can be asked."""

    name: str
    """What traces call it."""
    provider: Literal["openai", "litellm"]
    model: str
    """What the server calls it, or LiteLLM."""
    context: int
    """Tokens that go into its window, the answer's included."""
    url: str = ""
    key_env: str = ""
    """The environment variable that holds its key; empty where it needs none."""
    capabilities: tuple[str, ...] = ()
    price: Price | None = None
    """`None` where it is not known; a local model without one costs nothing."""
    locality: Literal["local", "remote"] = "remote"
    speed: Literal["fast", "normal", "slow"] = "normal"
    max_output: int = MAX_OUTPUT
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Sent with every request as they are, such as ``{temperature: 0}``."""
    place: str = ""
    """File and line, for errors."""

    def cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """US dollars that so many tokens cost; `None` where the price is not known."""
        if self.price is None:
            return 0.0 if self.locality == "local" else None
        return self.price.of(input_tokens, output_tokens)


def load_models(file: Path) -> tuple[Model, ...]:
    """The models of a file in its order; none where there is no file. Read again only when it changed. Raises
    `InputError` with line and remedy for a file that does not read. What the variables hold that it names as keys is
    secret from then on."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return ()
    state = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
    with _lock:
        known = _read.get(file)
        if known is None or known[0] != state:
            from context_plane.processes.models.file import read_models
            from context_plane.processes.registry.secrets import mark_secret

            known = _read[file] = (state, read_models(file))
            for model in known[1]:
                if model.key_env:
                    mark_secret(model.key_env)
        return known[1]
