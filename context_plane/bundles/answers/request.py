"""What is asked for: one entity's context, for a goal, under a budget.

Here belongs the reading of arguments. All of it is part of the receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from context_plane.canonical import canonical
from context_plane.errors import InputError

MAX_TOKENS: Final = 2_000
"""The budget where none is given."""
_MOST_CHARS: Final = 200_000


@dataclass(frozen=True)
class Request:
    """The arguments of `plane.context`, but for the view."""

    entity: str
    goal: str = ""
    max_tokens: int = MAX_TOKENS
    spec: str | None = None
    """Name of the context spec; `None` for the only one of the entity's type, or none."""
    instructions: str = ""
    """Trusted text that stands first, outside of any quotes."""
    state: str = ""
    """What a process knows of itself, as JSON."""
    knowledge: tuple[str, ...] = ()
    """Topics that must be there."""
    packages: tuple[str, ...] = ()
    """Packages that must be there."""

    def to_json(self) -> dict[str, Any]:
        """As receipts record it."""
        raw = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in raw.items()}

    @staticmethod
    def from_json(raw: dict[str, Any]) -> Request:
        """Reverse of `to_json`."""
        read: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in raw.items()}
        return Request(**read)


def request(
    entity: str,
    goal: str | None,
    max_tokens: int,
    spec: str | None,
    instructions: str | None,
    state: Any,
    knowledge: str | Sequence[str] | None,
    packages: str | Sequence[str] | None,
) -> Request:
    """The request of a call. Raises `InputError` naming the argument."""
    for name, value in (("entity", entity), ("goal", goal or ""), ("instructions", instructions or "")):
        if not isinstance(value, str):
            raise InputError(f"{name} is {type(value).__name__}, not text", where=name, remedy="pass text")
        if len(value) > _MOST_CHARS:
            remedy = f"give at most {_MOST_CHARS:,}"
            raise InputError(f"{name} has {len(value):,} characters", where=name, remedy=remedy)
        if any("\ud800" <= sign <= "\udfff" for sign in value):
            remedy = "give text that is UTF-8"
            raise InputError(f"{name} holds a lone surrogate, which is no text", where=name, remedy=remedy)
        if "\0" in value:
            raise InputError(f"{name} holds a NUL character", where=name, remedy="strip \\u0000")
    written = "" if state is None else canonical(state).decode()
    if "\\u0000" in written:
        raise InputError("state holds a NUL character", where="state", remedy="strip \\u0000")
    return Request(
        entity, goal or "", max_tokens, spec, instructions or "", written, _several(knowledge), _several(packages)
    )


def _several(given: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))
