"""YAML files that users write, read safely and with the place of every key.

Here belongs reading: one document, one mapping of text keys, within limits, with lines. What the keys mean belongs to
the reader of each kind of file (mappings, context specs, processes). Scalars follow the YAML 1.2 core schema, so that
`on`, `no` and dates stay text; aliases and tags are refused, because no file of ours needs them and they are how YAML
bombs and object injection work.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from context_plane.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from yaml.events import Event, ScalarEvent

    Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 40
MAX_NODES: Final = 50_000

# YAML 1.2 core schema (§10.3.2), except that a number with a leading zero stays text: it is an identifier.
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,30})|0x[0-9a-fA-F]{1,16}|0o[0-7]{1,21}", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


@dataclass(frozen=True)
class Document:
    """One YAML document: its mapping, and the line of every key and list item."""

    data: dict[str, Any]
    where: str
    lines: dict[tuple[str | int, ...], int] = field(repr=False)

    def line(self, path: str | tuple[str | int, ...] = ()) -> int:
        """The line, from 1, of a key such as ``fields.plan`` or ``("fields", "plan")``; of its parent if absent."""
        parts = _parts(path)
        while parts not in self.lines and parts:
            parts = parts[:-1]
        return self.lines.get(parts, 1)

    def place(self, path: str | tuple[str | int, ...] = ()) -> str:
        """``file:line: key``, as errors name it."""
        parts = _parts(path)
        key = f": {'.'.join(map(str, parts))}" if parts else ""
        return f"{self.where}:{self.line(parts)}{key}"

    def error(self, what: str, remedy: str, path: str | tuple[str | int, ...] = ()) -> InputError:
        """An `InputError` at a key."""
        return InputError(what, where=self.place(path), remedy=remedy)

    def into(self, model: type[Model]) -> Model:
        """The document as a pydantic model. Raises `InputError` at the first key that does not fit."""
        from pydantic import ValidationError

        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise self._translated(error, model) from None

    def _translated(self, error: Any, model: type[BaseModel]) -> InputError:
        order = {"extra_forbidden": 0, "missing": 2}  # a key that is missing may be there under the wrong name
        first = min(error.errors(), key=lambda each: (order.get(each["type"], 1), self.line(each["loc"])))
        # Of pydantic's place, only what names something of the file, and not the branch of a union.
        path = max((path for path in self.lines if path == first["loc"][: len(path)]), key=len, default=())
        key = str(first["loc"][-1]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            known = _known_keys(model, first["loc"][:-1])
            close = get_close_matches(key, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"the keys are: {', '.join(known)}"
            return self.error(f"unknown key {key!r}", remedy, first["loc"])
        if first["type"] == "missing":
            return self.error(f"key {key!r} is missing", f"add {key}: …", first["loc"][:-1])
        if first["type"] == "value_error" and isinstance(first["ctx"]["error"], InputError):
            return self.error(first["ctx"]["error"].what, first["ctx"]["error"].remedy, path)
        return self.error(f"{key}: {first['msg'].removeprefix('Value error, ')}", "correct the value", path)


def load(source: str | os.PathLike[str], where: str | None = None) -> Document:
    """The document in a file (a path) or in a text (a `str`), of which `where` is the name in errors.

    Raises `InputError` with line and remedy for anything but one mapping with text keys, of at most 1 MiB, without
    aliases, tags, duplicate keys and infinite numbers.
    """
    if isinstance(source, str):
        return _Builder(source.removeprefix("\ufeff"), where or "YAML").document()
    name = where or os.fspath(source)
    try:
        with open(source, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
        # A file that is too long is cut anywhere, also inside a character.
        return _Builder(raw.decode("utf-8-sig", "strict" if len(raw) <= MAX_BYTES else "replace"), name).document()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError("the file is not UTF-8", where=f"{name}:{line}", remedy="save it as UTF-8") from error
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(what, where=name[:200], remedy="check the path") from error


class _Builder:
    """Builds plain values from parser events with a stack of its own, so that depth cannot exhaust Python's."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where
        self._lines: dict[tuple[str | int, ...], int] = {}
        self._nodes = 0
        self._root: Any = None
        self._stack: list[_Open] = []

    def document(self) -> Document:
        if len(self._text.encode(errors="surrogatepass")) > MAX_BYTES:
            raise InputError("the file is larger than 1 MiB", where=self._where, remedy="split it into several files")
        for event in self._events():
            self._take(event)
        if isinstance(self._root, dict):
            return Document(self._root, self._where, self._lines)
        what = "the file is empty" if self._root is None else "the file is not a mapping"
        raise InputError(what, where=self._where, remedy="write key: value lines")

    def _events(self) -> Iterator[Event]:
        import yaml

        try:
            yield from yaml.parse(self._text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            what = f"not YAML: {error.problem or error.context}"
            raise InputError(
                what, where=f"{self._where}{place}", remedy="check indentation, quotes and colons"
            ) from error
        except yaml.reader.ReaderError as error:
            line = self._text[: error.position].count("\n") + 1
            what = f"the character U+{ord(self._text[error.position]):04X} is not allowed in YAML"
            raise InputError(what, where=f"{self._where}:{line}", remedy="remove it") from error

    def _take(self, event: Event) -> None:
        import yaml

        match event:
            case yaml.AliasEvent():
                raise self._refuse(event, f"alias *{event.anchor}", "write the value out: aliases are not supported")
            case yaml.DocumentStartEvent() if self._root is not None:
                raise self._refuse(event, "a second document begins", "put it in a file of its own")
            case yaml.ScalarEvent():
                self._add(event, _scalar(event, self._refuse))
            case yaml.MappingStartEvent():
                self._open(event, {})
            case yaml.SequenceStartEvent():
                self._open(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._stack.pop()

    def _open(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        if event.tag is not None:
            raise self._refuse(event, f"tag {event.tag}", "leave tags out")
        if len(self._stack) >= MAX_DEPTH:
            raise self._refuse(event, f"nesting deeper than {MAX_DEPTH}", "flatten the file")
        self._stack.append(_Open(value, self._add(event, value)))

    def _add(self, event: Any, value: Any) -> tuple[str | int, ...]:
        """Puts a value where it belongs; returns its path."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._refuse(event, f"more than {MAX_NODES} values", "split the file")
        if not self._stack:
            self._root = value
            self._lines[()] = event.start_mark.line + 1
            return ()
        parent = self._stack[-1]
        if isinstance(parent.value, list):
            path = (*parent.path, len(parent.value))
            self._lines[path] = event.start_mark.line + 1
            parent.value.append(value)
            return path
        if parent.key is None:
            return self._key(event, value, parent)
        path = (*parent.path, parent.key)
        parent.value[parent.key] = value
        parent.key = None
        return path

    def _key(self, event: Any, value: Any, parent: _Open) -> tuple[str | int, ...]:
        if not isinstance(value, str):
            shown = getattr(event, "value", None)
            raise self._refuse(event, f"key {shown} is not text" if shown else "a key is not text", "put it in quotes")
        path = (*parent.path, value)
        if path in self._lines:
            first = self._lines[path]
            raise self._refuse(event, f"key {value!r} is there twice, first in line {first}", "keep one of them")
        self._lines[path] = event.start_mark.line + 1
        parent.key = value
        return path

    def _refuse(self, event: Any, what: str, remedy: str) -> InputError:
        mark = event.start_mark
        return InputError(what, where=f"{self._where}:{mark.line + 1}:{mark.column + 1}", remedy=remedy)


@dataclass
class _Open:
    """A mapping or list whose end has not come yet; `key` waits for its value."""

    value: dict[str, Any] | list[Any]
    path: tuple[str | int, ...]
    key: str | None = None


def _scalar(event: ScalarEvent, refuse: Any) -> Any:
    if event.tag is not None:
        raise refuse(event, f"tag {event.tag}", "leave tags out; quote what should be text")
    if event.style is not None:  # quoted, or a block: text
        return event.value
    try:
        return plain_scalar(event.value)
    except OverflowError as error:
        raise refuse(event, f"number {event.value} is too large", "quote it if it should be text") from error


def plain_scalar(text: str) -> str | int | float | bool | None:
    """What a scalar without quotes means. Raises `OverflowError` for a number that would be infinite."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise OverflowError(text)
        return number
    return text


def _parts(path: str | tuple[str | int, ...]) -> tuple[str | int, ...]:
    if isinstance(path, tuple):
        return path
    return tuple(int(part) if part.isdecimal() else part for part in path.split(".")) if path else ()


def _known_keys(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys of the model at a path, as written in the file."""
    from pydantic import BaseModel

    keys = {item.alias or name: item.annotation for name, item in model.model_fields.items()}
    if not path:
        return list(keys)
    inside = [keys.get(str(path[0]), model)]
    while inside:  # the model in `list[Model]`, `dict[str, Model]`, `Model | None`
        found = inside.pop()
        if isinstance(found, type) and issubclass(found, BaseModel):
            return _known_keys(found, path[1:])
        inside.extend(get_args(found))
    return []
