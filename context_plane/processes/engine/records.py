"""Records: what happened in an execution, one after the other, as they are stored and sealed.

Here belongs the data. What follows from a list of records is `state`'s to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from context_plane.canonical import canonical

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

    @staticmethod
    def of(seq: int, text: str) -> Record:
        """Reverse of `text`."""
        raw = json.loads(text)
        return Record(seq, raw["kind"], raw["at"], raw["body"])
