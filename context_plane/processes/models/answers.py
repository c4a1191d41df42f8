"""Answers: what is asked of a provider, and what it gives back."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from context_plane.processes.models.catalog import Model


@dataclass(frozen=True)
class Question:
    """One request."""

    model: Model
    messages: Sequence[Mapping[str, str]]
    until: float
    """When its time is over, on the monotonic clock."""
    key: str = ""
    """The same for every repetition; empty for none."""
    cancelled: threading.Event | None = None
    addresses: Sequence[str] = ()
    """Of the model's server, checked: no others are connected to. Empty where any may be."""


@dataclass(frozen=True)
class Answer:
    """What a model said."""

    text: str
    input_tokens: int | None
    """As the server counts; `None` where it does not say."""
    output_tokens: int | None
    cut: bool = False
    """Whether the limit of tokens ended it."""


class Provider(Protocol):
    """Asks models of one kind of server."""

    def __call__(self, question: Question) -> Answer:
        """Raises `Unavailable`, `Denied`, `InputError`, `NotFound`, and `CancelledStep` where it was cancelled."""
