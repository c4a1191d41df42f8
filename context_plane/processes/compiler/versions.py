"""Versions: which there were of a process, and what one has that another has not (seed 001, section 3.7).

Here belongs comparing by structure: gates, knowledge and steps that came, went, changed or moved. What is compared is
what ran, with everything that was inherited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, Literal

from context_plane.canonical import canonical
from context_plane.errors import NotFound
from context_plane.processes.compiler.history import History, Record
from context_plane.processes.language.diagnostic import Place
from context_plane.processes.language.findings import meant

Kind = Literal["added", "removed", "changed", "moved"]
_SIGNS: Final[Mapping[str, str]] = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}
_WHOLE: Final = ("gates", "knowledge", "steps", "version", "name", "format")
"""Keys that are not compared as one value."""
_SHOWN: Final = 200


@dataclass(frozen=True)
class Version:
    """A version that compiled."""

    process: str
    version: int
    digest: str
    declaration: str
    place: Place
    description: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One thing in which two versions differ."""

    kind: Kind
    what: str
    """``step``, ``gate``, ``gate of STEP``, ``topic``, or a key of the process."""
    name: str
    """Of the step, gate or topic; of a key what stands below it, if anything."""
    key: str = ""
    """What of a step or gate changed."""
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        about = " ".join(each for each in (self.what, self.name) if each)
        about += f": {self.key}" if self.key else ""
        if self.kind == "changed":
            return f"~ {about}: {_text(self.before)} → {_text(self.after)}"
        if self.kind == "moved":
            return f"> {about}: {self.before} → {self.after}"
        value = self.after if self.kind == "added" else self.before
        return f"{_SIGNS[self.kind]} {about}" + (f": {_text(value)}" if value is not None else "")


@dataclass(frozen=True)
class Difference:
    """In what a version of a process differs from another."""

    process: str
    before: int
    after: int
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        head = f"{self.process} {self.before} → {self.after}"
        return "\n".join([head, *map(str, self.changes)]) if self.changes else f"{head}: the same"

    def to_json(self) -> dict[str, Any]:
        """As ``cortex process diff --json`` prints it."""
        changes = [
            {name: value for name, value in vars(each).items() if value not in ("", None)} for each in self.changes
        ]
        return {"process": self.process, "before": self.before, "after": self.after, "changes": changes}


def versions_of(history: History, process: str) -> tuple[Version, ...]:
    """The recorded versions of a process, the oldest first. Raises `NotFound`, `Corrupt`."""
    recorded = history.versions()
    if process not in recorded:
        remedy = meant(process, recorded, "compile it first: cortex process check")
        raise NotFound(f"no version of {process!r} was ever compiled", where=str(history.folder), remedy=remedy)
    return tuple(_version(history.record(process, version)) for version in recorded[process])


def _version(record: Record) -> Version:
    steps = tuple(step.id for step in record.linked.steps)
    return Version(
        record.process,
        record.version,
        record.digest,
        record.declaration,
        record.place,
        record.linked.description,
        steps,
    )


def difference(before: Record, after: Record) -> Difference:
    """In what a version differs from another."""
    old, new = before.linked.to_json(), after.linked.to_json()
    changes = [
        *_keys(old, new),
        *_gates("gate", old.get("gates", []), new.get("gates", [])),
        *_named("topic", old.get("knowledge", []), new.get("knowledge", [])),
        *_steps(old.get("steps", []), new.get("steps", [])),
    ]
    return Difference(after.process, before.version, after.version, tuple(changes))


def _keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in _all(old, new):
        if key in _WHOLE or old.get(key) == new.get(key):
            continue
        if isinstance(old.get(key, {}), dict) and isinstance(new.get(key, {}), dict):
            yield from _below(key, old.get(key, {}), new.get(key, {}))
        else:
            yield _change(key, "", "", old.get(key), new.get(key))


def _below(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in _all(old, new):
        if old.get(name) != new.get(name):
            yield _change(what, name, "", old.get(name), new.get(name))


def _change(what: str, name: str, key: str, old: Any, new: Any) -> Change:
    kind: Kind = "added" if old is None else "removed" if new is None else "changed"
    return Change(kind, what, name, key, old, new)


def _gates(what: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    """Gates are told apart by name and, where one stands there twice, by what they are given."""
    before, after = _by_name(old), _by_name(new)
    for name in _all(before, after):
        if name not in after:
            yield Change("removed", what, name, before=before[name].get("inputs"))
        elif name not in before:
            yield Change("added", what, name, after=after[name].get("inputs"))
        else:
            for key in _all(before[name], after[name]):
                if before[name].get(key) != after[name].get(key):
                    yield _change(what, name, key, before[name].get(key), after[name].get(key))
    yield from _moved(what, list(before), list(after))


def _by_name(gates: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    names = [gate["name"] for gate in gates]
    return {
        gate["name"] if names.count(gate["name"]) == 1 else f"{gate['name']} {_text(gate.get('inputs', {}))}": gate
        for gate in gates
    }


def _named(what: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    yield from (Change("removed", what, name) for name in old if name not in new)
    yield from (Change("added", what, name) for name in new if name not in old)
    yield from _moved(what, old, new)


def _steps(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    before, after = {step["id"]: step for step in old}, {step["id"]: step for step in new}
    yield from (Change("removed", "step", id) for id in before if id not in after)
    for number, (id, step) in enumerate(after.items()):
        if id not in before:
            yield Change("added", "step", id, after=f"after {new[number - 1]['id']}" if number else "first")
            continue
        for key in _all(before[id], step):
            if key != "gates" and before[id].get(key) != step.get(key):
                yield _change("step", id, key, before[id].get(key), step.get(key))
        yield from _gates(f"gate of {id}", before[id].get("gates", []), step.get("gates", []))
    yield from _moved("step", list(before), list(after))


def _moved(what: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """What stands elsewhere, of what both have: as little as explains the new order."""
    before, after = [name for name in old if name in new], [name for name in new if name in old]
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    kept = {name for at, _, size in matcher.get_matching_blocks() for name in before[at : at + size]}
    for name in after:
        if name not in kept:
            yield Change("moved", what, name, "", _beside(before, name), _beside(after, name))


def _beside(names: Sequence[str], name: str) -> str:
    at = names.index(name)
    return f"after {names[at - 1]}" if at else "first"


def _all(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    return [*old, *(key for key in new if key not in old)]


def _text(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else canonical(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
