"""Records: what happened in an execution, one after the other, as they are stored and sealed.

Here belongs the data. What follows from a list of records is `state`'s to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from context_plane.canonical import canonical
from context_plane.errors import InputError

Kind = Literal["accepted", "gate", "began", "attempt", "step", "paused", "resumed", "finished"]
KINDS: Final[dict[str, str]] = {
    "accepted": "the execution exists: what it runs, for whom, with which inputs, set off by what",
    "gate": "a gate was evaluated: its inputs, whether it passed, why",
    "began": "a step whose repetition could have a second effect is about to run",
    "attempt": "an attempt of a step failed and is to be repeated",
    "step": "a step is over: its output or error, context, model, tokens, time, and what is next",
    "paused": "the run waits before a step, with the context that would be injected",
    "resumed": "somebody let a run go on, perhaps with another context or other inputs",
    "finished": "the execution is over, and why",
}
"""What each kind says."""
_MOST: Final = 4_000_000
"""Bytes of a record: the log takes events of 4 MiB."""
_DEPTH: Final = 6
"""How much deeper than itself a value is nested in its record's event."""


@dataclass(frozen=True)
class Record:
    """One thing that happened."""

    seq: int
    """From 0, without gaps."""
    kind: str
    at: int
    """Wall clock, microseconds since 1970."""
    body: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """As it is stored: canonical JSON."""
        return canonical({"kind": self.kind, "at": self.at, "body": self.body}).decode()

    def checked_text(self) -> str:
        """The same. Raises `InputError` for a record that the log would not take."""
        text = self.text()
        if len(text) * 4 > _MOST and (size := len(text.encode())) > _MOST:
            remedy = "write what is large to a file, and hand on its path"
            raise InputError(f"it has {size:,} bytes, {_MOST:,} are allowed", where=self.kind, remedy=remedy)
        return text

    @staticmethod
    def of(seq: int, text: str) -> Record:
        """Reverse of `text`."""
        raw = json.loads(text)
        return Record(seq, raw["kind"], raw["at"], raw["body"])


def written(value: Any) -> bytes:
    """Canonical JSON of a value that records may hold. Raises `InputError` for one that they may not: it is no JSON, or
    nested too deep."""
    for _ in range(_DEPTH):
        value = [value]
    return canonical(value)[_DEPTH:-_DEPTH]
