"""Giving: the inputs that a step gives its action, or a process its gates, against what these declare.

Here belongs checking and filling in of defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from context_plane.errors import InputError
from context_plane.processes.language.findings import kind_of, listed, meant, shown
from context_plane.processes.language.marks import REFUSED
from context_plane.processes.language.types import fits, may_be
from context_plane.processes.linked import Declared
from context_plane.processes.references import references

Tell = Callable[[str, Any, str, str], None]


@dataclass(frozen=True)
class Receiver:
    """What is given inputs."""

    kind: str
    """``action`` or ``gate``."""
    name: str
    inputs: Mapping[str, Declared] | None
    """`None` takes anything."""


def given(
    receiver: Receiver, values: Mapping[str, Any], spot: Any, at: Any, known: Mapping[str, Declared], tell: Tell
) -> dict[str, Any]:
    """The values with defaults filled in. `spot` holds them, `at` is where they are missing; `known` are the inputs of
    the process, whose types are known."""
    if receiver.inputs is None:
        return dict(values)
    what = f"{receiver.kind} {receiver.name}"
    for name, value in values.items():
        if name not in receiver.inputs:
            remedy = meant(name, receiver.inputs, f"it takes: {listed(receiver.inputs) or 'nothing'}")
            tell(f"unknown-input-of-{receiver.kind}", spot.keys[name], f"{what} takes no {shown(name)}", remedy)
        elif (wrong := _wrong(value, receiver.inputs[name].type, known)) is not None:
            message = f"{name} of {what} is {wrong}, not {receiver.inputs[name].type}"
            tell("wrong-input-type", spot.values[name], message, _remedy(receiver.inputs[name]))
    missing = [name for name, each in receiver.inputs.items() if each.required and name not in values]
    if missing:
        message = f"{what} needs {listed(missing)}"
        tell(f"missing-input-of-{receiver.kind}", at, message, f"add inputs: {{{missing[0]}: …}}")
    return _defaults(receiver.inputs) | dict(values)


def _defaults(inputs: Mapping[str, Declared]) -> dict[str, Any]:
    return {name: each.default for name, each in inputs.items() if not each.required}


def _remedy(declared: Declared) -> str:
    about = f": {declared.description}" if declared.description else ""
    return f"give one of type {declared.type}{about}"


def mistyped(receiver: Receiver, values: Mapping[str, Any], known: Mapping[str, Declared]) -> Iterator[tuple[str, str]]:
    """Of some inputs of the process those that are given where they cannot be of the wanted type, each with a message
    that says so."""
    for name, value in values.items():
        wanted = (receiver.inputs or {}).get(name)
        path = _whole(value)
        declared = known.get(path[1]) if path and path[0] == "inputs" and len(path) == 2 else None
        if path and wanted is not None and declared is not None and not may_be(declared.type, wanted.type):
            what = f"{name} of {receiver.kind} {receiver.name} is {value}, which is declared as {declared.type}"
            yield path[1], f"{what}, not {wanted.type}"


def _wrong(value: Any, wanted: str, known: Mapping[str, Declared]) -> str | None:
    """What a value is, where it is none of the wanted type."""
    if value is REFUSED or wanted == "any":
        return None
    if type(value) is not str or "${" not in value:
        return None if fits(value, wanted) else kind_of(value)
    path = _whole(value)
    if path is None:
        return None if wanted == "text" else kind_of(value)
    if path[:1] == ("execution",) and len(path) > 1:
        return None if may_be("text", wanted) else f"{value}, which is a text"
    if path[:1] != ("inputs",) or len(path) != 2 or path[1] not in known:
        return None
    declared = known[path[1]].type
    return None if may_be(declared, wanted) else f"{value}, which is declared as {declared}"


def _whole(value: Any) -> tuple[str, ...] | None:
    """The path of the one reference that a value is; `None` where it is more or none, empty where it does not read,
    which is told where references are."""
    if type(value) is not str or "${" not in value:
        return None
    try:
        found = list(references(value))
    except InputError:
        return ()
    return found[0].path if len(found) == 1 and found[0].written == value else None
