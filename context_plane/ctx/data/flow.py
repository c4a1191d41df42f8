"""Flow: a value on one line, as JSON with the quotes left out that are not needed.

``{name:Acme,tags:[a,b],since:2024}`` is flow, and so is any JSON. Here belong writing and reading it, without
recursion: depth is no reason to fail.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from context_plane.ctx.data.scalars import Style, quoted, read

STYLE: Final = Style(",:[]{}")
_KEY: Final = re.compile(r"[^\W\d][\w$./ -]*(?<! )|[$][\w$./-]*")
_BARE: Final = re.compile(r"[^,\]}]*")
_BARE_KEY: Final = re.compile(r"[^,:;|\t\]}\[{<>(=@#\"\n]*")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SPACE: Final = re.compile(r"[ \t\r\n]*+")
_CLOSE: Final[dict[type, str]] = {dict: "}", list: "]"}


def key(name: str) -> str:
    """A key, without quotes where it is a name."""
    return name if _KEY.fullmatch(name) else quoted(name)


def write(value: Any) -> str:
    """A value as flow; its keys are text. Raises `InputError` for what JSON cannot hold."""
    out: list[str] = []
    todo: list[Any] = [_Value(value)]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            out.append(item)
        elif isinstance(item.value, dict):
            todo.append("}")
            for name, each in reversed(list(item.value.items())):
                todo += [_Value(each), f"{key(name)}:", ","]
            if item.value:
                todo.pop()
            todo.append("{")
        elif isinstance(item.value, (list, tuple)):
            todo.append("]")
            for each in reversed(item.value):
                todo += [_Value(each), ","]
            if item.value:
                todo.pop()
            todo.append("[")
        else:
            out.append(STYLE.scalar(item.value))
    return "".join(out)


class _Value:
    """A value that is still to be written, among the texts that are."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def scan(text: str, at: int = 0) -> tuple[Any, int]:
    """The value that begins at a place, and where it ends. Raises `ValueError` with place and reason."""
    holders: list[Any] = []
    names: list[str] = []
    while True:
        at = _skip(text, at)
        if text[at : at + 1] in ("{", "["):
            value: Any = {} if text[at] == "{" else []
            at = _skip(text, at + 1)
            if text[at : at + 1] != _CLOSE[type(value)]:
                holders.append(value)
                at = _enter(text, at, value, names)
                continue
            at += 1
        else:
            value, at = scan_scalar(text, at)
        while holders:
            at, more = _put(text, _skip(text, at), holders[-1], names, value)
            if more:
                break
            value = holders.pop()
        else:
            return value, at


def _enter(text: str, at: int, holder: Any, names: list[str]) -> int:
    """Where the next value of an object or list begins; of an object's its name is kept."""
    if isinstance(holder, list):
        return at
    name, at = scan_name(text, at)
    at = _skip(text, at)
    if text[at : at + 1] != ":":
        raise ValueError(f"expected : at character {at + 1}")
    names.append(name)
    return at + 1


def _put(text: str, at: int, holder: Any, names: list[str], value: Any) -> tuple[int, bool]:
    """Puts a value into what holds it; where it goes on, and whether another value follows there."""
    if isinstance(holder, list):
        holder.append(value)
    else:
        holder[names.pop()] = value
    sign, close = text[at : at + 1], _CLOSE[type(holder)]
    if sign == ",":
        return _enter(text, _skip(text, at + 1), holder, names), True
    if sign != close:
        raise ValueError(f"expected , or {close} at character {at + 1}")
    return at + 1, False


def scan_scalar(text: str, at: int) -> tuple[Any, int]:
    """A scalar within flow, and where it ends. Raises `ValueError`."""
    if text[at : at + 1] == '"':
        return scan_string(text, at)
    found = _BARE.match(text, at)
    assert found is not None
    bare = found[0].rstrip(" \t\r\n")
    if not bare:
        raise ValueError(f"expected a value at character {at + 1}")
    return read(bare), found.end()


def scan_string(text: str, at: int) -> tuple[str, int]:
    """A quoted string, and where it ends. Raises `ValueError`."""
    found = _STRING.match(text, at)
    if found is None:
        raise ValueError(f"a string that begins at character {at + 1} does not end")
    return json.loads(found[0], strict=True), found.end()


def scan_name(text: str, at: int) -> tuple[str, int]:
    """A key, and where it ends. Raises `ValueError`."""
    if text[at : at + 1] == '"':
        return scan_string(text, at)
    found = _BARE_KEY.match(text, at)
    assert found is not None
    if not found[0]:
        raise ValueError(f"expected a key at character {at + 1}")
    return found[0].rstrip(" "), found.end()


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()
