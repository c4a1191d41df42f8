"""Inputs: what a caller gives a process, against what it declares."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from context_plane.errors import InputError
from context_plane.processes.engine.records import written
from context_plane.processes.language.types import fits
from context_plane.processes.linked import Declared
from context_plane.processes.references import fill
from context_plane.processes.registry.printed import clean


def checked(
    declared: Mapping[str, Declared], given: Mapping[str, Any], where: str, scope: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The inputs with defaults filled in, whose references are to `scope`: the event that set the run off. Raises
    `InputError` naming the first that is unknown, missing or of another type."""
    if not isinstance(given, Mapping):
        raise InputError(f"inputs are {type(given).__name__}", where=where, remedy="give an object of names and values")
    for name in given:
        if name not in declared:
            close = get_close_matches(str(name), declared, 1)
            remedy = f"did you mean {close[0]}?" if close else f"known are: {', '.join(declared) or 'none'}"
            raise InputError(f"unknown input {name!r:.60}", where=where, remedy=remedy)
    found = {name: _value(name, each, given, where, scope or {}) for name, each in declared.items()}
    if b"\\u0000" in written(found) and clean(found) != found:
        raise InputError("an input holds a NUL character", where=where, remedy="strip \\u0000 from it")
    return found


def _value(name: str, each: Declared, given: Mapping[str, Any], where: str, scope: Mapping[str, Any]) -> Any:
    if name not in given and each.required:
        remedy = f"give it: {each.description}" if each.description else f"give a {each.type}"
        raise InputError(f"input {name} is missing", where=where, remedy=remedy)
    try:
        value = given[name] if name in given else fill(each.default, scope)
    except InputError as error:
        what = f"input {name} is missing, and its default is not to be had: {error.what}"
        raise InputError(what, where=where, remedy="give it, or an event that has it") from error
    if not fits(value, each.type) and not (value is None and name not in given):
        what = f"input {name} is {type(value).__name__}, not {each.type}"
        raise InputError(what, where=where, remedy=each.description or f"give a {each.type}")
    return value
