"""Templates of source mappings: ``issue.{event}``, ``{number}-{event}``, ``ticket.{activity|slug}``.

Here belongs how a row's columns become the text of an id, subject or type. Which keys take a template is decided in
`mapping`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from context_plane.errors import InputError

_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}|]+)(?:\|([^{}|]*))?\}|[{}]|[^{}]+")
_NOT_WORD: Final = re.compile(r"[\W_]+")


class RowError(Exception):
    """A row that cannot become an event; the message says why."""


@dataclass(frozen=True)
class Template:
    """Text with columns in braces. `parts` alternate: text, then a column and whether it is made a slug."""

    text: str
    parts: tuple[str | tuple[str, bool], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it names."""
        return tuple(part[0] for part in self.parts if isinstance(part, tuple))

    def fill(self, row: Mapping[str, Any]) -> str:
        """The text for a row. Raises `RowError` where a column has no value or is not a single one."""
        found = []
        for part in self.parts:
            if isinstance(part, str):
                found.append(part)
            else:
                value = row.get(part[0])
                text = value if type(value) is str else as_text(value, part[0])
                if not text:
                    raise RowError(f"column {part[0]} is empty, and {self.text} needs it")
                found.append(slug(text) if part[1] else text)
        return "".join(found)


def parse(text: str) -> Template:
    """A template. Raises `InputError` for braces that do not match and for unknown filters."""
    parts: list[str | tuple[str, bool]] = []
    for piece in _PIECE.finditer(text):
        column, transform = piece.groups()
        if column is not None:
            if transform not in (None, "slug"):
                raise InputError(f"there is no filter {transform!r}", remedy="write {column} or {column|slug}")
            parts.append((column, transform is not None))
        elif piece[0] in ("{", "}"):
            raise InputError(f"a brace without its partner in {text!r}", remedy="write {column}, and {{ for a brace")
        else:
            parts.append({"{{": "{", "}}": "}"}.get(piece[0], piece[0]))
    return Template(text, tuple(parts))


def column(name: str) -> Template:
    """The template that is one column."""
    return Template(f"{{{name}}}", ((name, False),))


def slug(text: str) -> str:
    """A readable token: lower case, everything but letters and digits becomes ``_``."""
    return _NOT_WORD.sub("_", text.lower()).strip("_")


def as_text(value: Any, name: str) -> str:
    """A single value as text: numbers as JSON writes them, booleans as true and false, nothing as empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    raise RowError(f"column {name} is {'a list' if isinstance(value, list) else 'an object'}, not a single value")
