"""References: ``${steps.diagnose.output.file}`` inside the values of a process, found and filled in.

Here belongs their one grammar, for the compiler that checks them and the engine that fills them in
(docs/spec/processes.md, "References").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from context_plane.canonical import canonical
from context_plane.errors import InputError

ROOTS: Final = ("inputs", "event", "steps", "execution")
_ANY: Final = re.compile(r"\$(\$?)\{([^{}]*)\}?")
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.(?:[A-Za-z_][A-Za-z0-9_-]*|[0-9]{1,9}))*", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """One reference in a text."""

    path: tuple[str, ...]
    start: int
    """Where it begins in the text, in characters."""
    written: str


def references(text: str) -> Iterator[Reference]:
    """The references in a text. Raises `InputError` for one that does not read, with its offset as `where`."""
    for match in _ANY.finditer(text):
        if match[1]:
            continue
        path = match[2].strip()
        if not match[0].endswith("}") or not _PATH.fullmatch(path) or path.partition(".")[0] not in ROOTS:
            remedy = f"write ${{path.to.value}} with a path below {', '.join(ROOTS)}, or $${{ for the signs themselves"
            raise InputError(f"{match[0][:60]!r} is no reference", where=str(match.start()), remedy=remedy)
        yield Reference(tuple(path.split(".")), match.start(), match[0])


def texts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a value, with where it is in it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from texts(each, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from texts(each, (*path, index))


def fill(value: Any, scope: Mapping[str, Any]) -> Any:
    """A value with its references filled in from a scope: what is one reference as a whole keeps the type of what it
    refers to. Raises `InputError` for what is not there, naming it."""
    if isinstance(value, str):
        return _filled(value, scope) if "${" in value else value
    if isinstance(value, Mapping):
        return {key: fill(each, scope) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(each, scope) for each in value]
    return value


def fill_known(value: Any, scope: Mapping[str, Any]) -> Any:
    """The same as far as it goes: a text with a reference to what is not there stays as it is written."""
    if isinstance(value, str):
        try:
            return fill(value, scope)
        except InputError:
            return value
    if isinstance(value, Mapping):
        return {key: fill_known(each, scope) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill_known(each, scope) for each in value]
    return value


def fill_text(text: str, scope: Mapping[str, Any]) -> str:
    """The same for what has to be text."""
    return _text(fill(text, scope))


def _filled(text: str, scope: Mapping[str, Any]) -> Any:
    found = list(references(text))
    if len(found) == 1 and found[0].written == text:
        return _looked_up(found[0], scope)
    parts, end = [], 0
    for each in found:
        parts += [text[end : each.start], _text(_looked_up(each, scope))]
        end = each.start + len(each.written)
    # Literal signs are unescaped in what was written only: what was filled in is data and stays as it is.
    written = [part.replace("$${", "${") if index % 2 == 0 else part for index, part in enumerate([*parts, text[end:]])]
    return "".join(written)


def _looked_up(reference: Reference, scope: Mapping[str, Any]) -> Any:
    value: Any = scope
    for depth, part in enumerate(reference.path):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, (list, tuple)) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise InputError(
                f"{reference.written} refers to nothing: there is no {'.'.join(reference.path[: depth + 1])}",
                where=".".join(reference.path[:depth]), remedy=_known(value),
            )  # fmt: skip
    return value


def _known(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"there are: {', '.join(map(str, list(value)[:20])) or 'none'}"
    if isinstance(value, (list, tuple)):
        return f"it is a list of {len(value)}"
    return f"it is {type(value).__name__} there, which holds nothing"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else canonical(value).decode()
