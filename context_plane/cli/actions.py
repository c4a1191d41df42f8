"""`cortex process actions`: what the steps of processes may do, and what may stand before them.

Here belongs how actions and gates are shown; the registry and the catalog know which there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from context_plane.canonical import canonical
from context_plane.cli.options import json_option, open_plane
from context_plane.cli.output import echo_json, note, say, table

if TYPE_CHECKING:
    from context_plane.processes.registry.handler import Action, Gate


@click.command("actions")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the actions and gates there are: built in, of packages, of the home's Python files, declared in YAML. With
    a NAME, print all of that one."""
    with open_plane() as plane:
        catalog, registry, folder = plane.processes(), plane.registry(), f"{plane.settings.process_folder}/"
    registry = registry.with_declared(
        (each for each in catalog.actions.values() if each.name not in registry.actions),
        (each for each in catalog.gates.values() if each.name not in registry.gates),
    )
    kinds: dict[str, Mapping[str, Action | Gate]] = {"action": registry.actions, "gate": registry.gates}
    if name is not None:
        kinds = {kind: {name: known[name]} for kind, known in kinds.items() if name in known}
        if not kinds:
            registry.action(name)  # raises, with the nearest name
    if as_json:
        echo_json({f"{kind}s": [_plain(each) for each in known.values()] for kind, known in kinds.items()})
        return
    if name is not None:
        for kind, known in kinds.items():
            for line in _whole(kind, known[name], folder):
                say(line)
        return
    for kind, known in kinds.items():
        table([kind, "inputs", "from", "does"], [_row(known[each], folder) for each in sorted(known)])
        say()
    for problem in registry.problems:
        note(f"warning: {problem}")


def _row(each: Action | Gate, folder: str) -> list[str]:
    return [each.name, _brief(each), each.origin.removeprefix(folder), _sentence(each.description)]


def _brief(each: Action | Gate) -> str:
    """The inputs in a line; those that may be left out in brackets."""
    if each.inputs is None:
        return "any"
    return " ".join(name if given.required else f"[{name}]" for name, given in each.inputs.items()) or "-"


def _sentence(text: str) -> str:
    """The first sentence, without what it gives back, on one line."""
    line = " ".join(text.split())
    return line.split(": {")[0].split(". ")[0].removesuffix(".")


def _whole(kind: str, each: Action | Gate, folder: str) -> Iterator[str]:
    yield f"{kind} {each.name}  ({each.origin.removeprefix(folder)})"
    if each.description:
        yield f"  {' '.join(each.description.split())}"
    if each.inputs is None:
        yield "  takes any inputs"
    for name, given in (each.inputs or {}).items():
        default = "required" if given.required else f"by default {canonical(given.default).decode()}"
        yield f"  input {name}: {given.type}, {default}" + (f"; {given.description}" if given.description else "")
    for key, value in _rest(each).items():
        yield f"  {key} {value if isinstance(value, str) else canonical(value).decode()}"


def _rest(each: Action | Gate) -> dict[str, Any]:
    """What else is declared, where it is."""
    found = {
        "keyed": getattr(each, "keyed", None), "timeout": getattr(each, "timeout", None),
        "model": (model := getattr(each, "model", None)) and asdict(model), "prompt": getattr(each, "prompt", None),
        "run": each.run and list(each.run.arguments),
    }  # fmt: skip
    return {key: value for key, value in found.items() if value}


def _plain(each: Action | Gate) -> Mapping[str, Any]:
    inputs = None if each.inputs is None else {name: asdict(given) for name, given in each.inputs.items()}
    return {
        "name": each.name, "description": each.description, "origin": each.origin, "inputs": inputs, **_rest(each),
    }  # fmt: skip
