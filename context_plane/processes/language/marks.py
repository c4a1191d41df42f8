"""Marks: the values of a document, and beside each where it stands.

Values are plain, so that they can be compared, hashed and handed on; marks are kept in a tree of the same form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

REFUSED: Final = object()
"""Stands where a value was that YAML allows and we do not; it has been told already."""


class Marks:
    """Where a mapping or list begins, and where everything in it does."""

    __slots__ = ("at", "keys", "values")

    def __init__(self, at: Any, keys: dict[str, Any] | None, values: Any) -> None:
        self.at = at
        self.keys = keys
        """Mark of each key; `None` in a list."""
        self.values: Any = values
        """By key or in order: a mark of a single value, `Marks` of what has values itself."""


def mark_of(spot: Any) -> Any:
    """The mark where a value begins."""
    return spot.at if type(spot) is Marks else spot


@dataclass(frozen=True, eq=False, slots=True)
class Document:
    """The values of one document, with their marks."""

    data: Any
    marks: Any
    text: str
    """That of the whole file."""
    start: int
    end: int
    """Where it is in the text."""
    whole: bool
    """Whether nothing in it was refused."""
