"""Given: the inputs of a built-in action or gate, read and checked where references could have filled in anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from context_plane.errors import InputError
from context_plane.processes.registry.handler import Call


def text(call: Call, name: str, default: str | None = None) -> str:
    """A text. Raises `InputError` for anything else, and where there is none and no default."""
    found = call.inputs.get(name, default)
    if not isinstance(found, str):
        raise _wrong(name, found, "a text")
    return found


def named(call: Call, name: str) -> str:
    """A text that says something. Raises `InputError`."""
    found = text(call, name)
    if not found.strip():
        raise _wrong(name, found, "a text that is not empty")
    return found


def texts(call: Call, name: str) -> list[str]:
    """A list of texts, or one; empty where there is none. Raises `InputError`."""
    found = call.inputs.get(name)
    if found is None:
        return []
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, (list, tuple)) or not all(isinstance(each, str) for each in listed):
        raise _wrong(name, found, "a list of texts")
    return list(listed)


def whole(call: Call, name: str, default: int, least: int, most: int) -> int:
    """A whole number in a range. Raises `InputError`."""
    found = number(call, name, default, least, most)
    if found != int(found):
        raise _wrong(name, found, f"a whole number from {least:,} to {most:,}")
    return int(found)


def number(call: Call, name: str, default: float, least: float, most: float) -> float:
    """A number in a range. Raises `InputError`."""
    found = call.inputs.get(name, default)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not least <= found <= most:
        raise _wrong(name, found, f"a number from {least:,} to {most:,}")
    return found


def flag(call: Call, name: str, default: bool) -> bool:
    """True or false. Raises `InputError`."""
    found = call.inputs.get(name, default)
    if not isinstance(found, bool):
        raise _wrong(name, found, "true or false")
    return found


def mapping(call: Call, name: str) -> Mapping[str, Any]:
    """A mapping, empty where there is none. Raises `InputError`."""
    found = call.inputs.get(name) or {}
    if not isinstance(found, Mapping):
        raise _wrong(name, found, "a mapping")
    return found


def _wrong(name: str, found: object, wanted: str) -> InputError:
    shown = "missing" if found is None else f"{found!r:.80}"
    return InputError(f"{name} is {shown}", where=f"inputs.{name}", remedy=f"give {wanted}")
