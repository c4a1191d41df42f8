"""Items: the shapes that only processes have: lists that inherit, gates, needs, matches, commands, declared inputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from context_plane.processes.language.documents import GateUse, Listing, Named, NeedsSource
from context_plane.processes.language.findings import kind_of, listed, meant, shown
from context_plane.processes.language.marks import REFUSED
from context_plane.processes.language.scalars import DROP, Report, Shape, Text
from context_plane.processes.language.shapes import Taken
from context_plane.processes.language.types import fits
from context_plane.processes.linked import Declared

SECTIONS: Final = ("entity", "memory", "events", "links", "state")
"""Of what contexts are made, beside knowledge."""
_ATTRIBUTES: Final = ("source", "type", "subject")
_PATH: Final = re.compile(r"[^.\s][^.]*(\.[^.]+)*")
_REMOVING: Final = frozenset(("inherit", "remove", "exclude", "without", "delete", "drop", "skip", "except", "not"))
_SCALARS: Final = (str, int, float, bool, type(None))


class Inheriting:
    """A list that may say where the parent's goes, and may not say that something of it goes away."""

    def __init__(self, item: Shape, what: str, code: str) -> None:
        self._item, self._what, self._code = item, what, code

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if type(value) is not list:
            return report.wrong(label, value, spot, "a list")
        found: list[Any] = []
        marker = marked = None
        for each, at in zip(value, spot.values, strict=True):
            if type(each) is dict and "inherit" in each and each["inherit"] == "all" and len(each) == 1:
                if marker is not None:
                    report.drop("inherit-twice", at, "inherit stands here twice", "keep one of them")
                else:
                    marker, marked = len(found), at
                continue
            got = self._removal(each, at, report) or self._item.read(each, at, report, label)
            if got is DROP:
                report.lost = True
            else:
                found.append(got)
        return Listing(tuple(found), marker, marked)

    def schema(self) -> dict[str, Any]:
        marker = {
            "type": "object", "properties": {"inherit": {"const": "all"}}, "required": ["inherit"],
            "additionalProperties": False, "description": "where the parent's stand",
        }  # fmt: skip
        removal = {"type": "string", "pattern": "^[!-]"}
        return {"type": "array", "items": {"anyOf": [self._item.schema(), marker], "not": removal}}

    def _removal(self, value: Any, spot: Any, report: Report) -> Any:
        """`DROP`, if the item says that something inherited is not wanted."""
        if type(value) is dict:
            if _REMOVING.isdisjoint(value) or value.get("inherit") == "all":
                return None
            word = next(key for key in value if key in _REMOVING)
            told = f"{word}: {value[word]}"
        else:
            told = value if type(value) is str and value[:1] in ("!", "-") else ""
        if not told:
            return None
        remedy = f"leave the item out: what a parent has, its children have; {self._what} can only be added"
        return report.drop(self._code, spot, f"{shown(told)}: {self._what} cannot be removed", remedy)


class Name:
    """A name that refers to something, with its place."""

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        got = _TEXT.read(value, spot, report, label)
        return DROP if got is DROP else Named(got, spot)

    def schema(self) -> dict[str, Any]:
        return _TEXT.schema()


class SimpleGate:
    """A gate that is only named."""

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        got = _TEXT.read(value, spot, report, label)
        return DROP if got is DROP else GateUse(got, spot)

    def schema(self) -> dict[str, Any]:
        return _TEXT.schema()


class Needs:
    """What a context is made of."""

    _LISTS: Final = ("knowledge", "package", "steps")

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if type(value) is not list:
            return report.wrong(label, value, spot, "a list")
        sections: dict[str, None] = {}
        named: dict[str, list[Named]] = {name: [] for name in self._LISTS}
        knowledge = False
        for each, at in zip(value, spot.values, strict=True):
            if type(each) is dict:
                for key in each:
                    report.lost |= not self._some(key, each[key], at, report, named)
            elif each == "knowledge":
                knowledge = True
            elif type(each) is str and each in SECTIONS:
                sections[each] = None
            elif each is not REFUSED:
                self._unknown(each, at, report)
        return NeedsSource(tuple(sections), knowledge, *(tuple(named[name]) for name in self._LISTS))

    def schema(self) -> dict[str, Any]:
        some = {
            "type": "object", "additionalProperties": False, "minProperties": 1,
            "properties": {name: {"type": "array", "items": _TEXT.schema()} for name in self._LISTS},
        }  # fmt: skip
        return {"type": "array", "items": {"anyOf": [{"enum": [*SECTIONS, "knowledge"]}, some]}}

    def _some(self, key: str, value: Any, spot: Any, report: Report, named: dict[str, list[Named]]) -> bool:
        if key not in named:
            self._unknown(key, spot, report)
            return False
        if type(value) is not list:
            report.wrong(key, value, spot.values[key], "a list of names")
            return False
        read = [_NAME.read(each, at, report, key) for each, at in zip(value, spot.values[key].values, strict=True)]
        named[key] += [each for each in read if each is not DROP]
        return DROP not in read

    def _unknown(self, value: Any, spot: Any, report: Report) -> None:
        if report.findings.full:
            return
        known = [*SECTIONS, "knowledge", *self._LISTS[1:]]
        what = listed([*SECTIONS, "knowledge", *(f"{{{name}: [NAME]}}" for name in self._LISTS)])
        remedy = meant(value, known, f"there are: {what}") if type(value) is str else f"there are: {what}"
        report.drop("unknown-need", spot, f"contexts are not made of {kind_of(value)}", remedy)


class Match:
    """What an event must be like."""

    def __init__(self, *, empty: bool = False) -> None:
        self._empty = empty

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if type(value) is not dict:
            return DROP if value is REFUSED else report.drop("bad-match", spot, f"{label} is {kind_of(value)}", _HOW)
        if not value and not self._empty:
            return report.drop(
                "bad-match", spot, f"{label} is empty: every event would fit", "name the source at least"
            )
        wrong = [found for key, each in value.items() for found in self._faults(key, each, spot)]
        for at, message in wrong:
            report.drop("bad-match", at, message, _HOW)
        return DROP if wrong else value

    def schema(self) -> dict[str, Any]:
        text = {"type": "string"}
        texts: dict[str, Any] = {"anyOf": [text, {"type": "array", "items": text, "minItems": 1}]}
        single = {"type": ["string", "number", "boolean", "null"]}
        several: dict[str, Any] = {"anyOf": [single, {"type": "array", "items": single, "minItems": 1}]}
        return {
            "type": "object", "properties": dict.fromkeys(_ATTRIBUTES, texts), "additionalProperties": several,
            "propertyNames": {"pattern": f"^{_PATH.pattern}$"}, **({} if self._empty else {"minProperties": 1}),
        }  # fmt: skip

    def _faults(self, key: str, value: Any, spot: Any) -> Iterator[tuple[Any, str]]:
        if _PATH.fullmatch(key) is None:
            yield spot.keys[key], f"{shown(key)} is no path into an event's data"
            return
        at = spot.values[key]
        if value == []:
            yield at, f"{key} is an empty list: nothing would fit"
        values = zip(value, at.values, strict=True) if type(value) is list else [(value, at)]
        for each, where in values:
            if each is not REFUSED and type(each) not in (_SCALARS if key not in _ATTRIBUTES else (str,)):
                yield where, f"{key} is compared with {kind_of(each)}"


class Arguments:
    """A command as a list of texts: there is no shell that would divide one."""

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if value is REFUSED:
            return DROP
        if type(value) is not list or not value:
            what = "is empty" if value == [] else f"is {kind_of(value)}"
            return report.drop(
                "bad-run", spot, f"{label} {what}, not a list of texts", "write run: [program, argument]"
            )
        for each, at in zip(value, spot.values, strict=True):
            if type(each) is str and "\0" in each:
                return report.drop("bad-run", at, f"{label} holds a NUL", "leave it out")
            if type(each) is not str and each is not REFUSED:
                remedy = f'put it in quotes: "{each}"' if isinstance(each, (int, float)) else "write a text"
                return report.drop("bad-run", at, f"{label} holds {kind_of(each)}", remedy)
        if not value[0].strip() if type(value[0]) is str else True:
            return DROP if value[0] is REFUSED else report.drop("bad-run", spot, "the program has no name", "name it")
        return DROP if REFUSED in value else tuple(value)

    def schema(self) -> dict[str, Any]:
        text = {"type": "string"}
        return {"type": "array", "prefixItems": [{"type": "string", "pattern": r"\S"}], "items": text, "minItems": 1}


class InputShape:
    """What an input may be; a default must be of its type."""

    def __init__(self, record: Shape) -> None:
        self._record = record

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if value is None:
            return Declared()
        got = self._record.read(value, spot, report, label)
        if got is DROP or got.required or fits(got.default, got.type):
            return got
        remedy = f"write one of type {got.type}, or declare another type"
        message = f"the default of {label} is {kind_of(got.default)}, not {got.type}"
        return report.drop("bad-default", spot.values["default"], message, remedy)

    def schema(self) -> dict[str, Any]:
        return self._record.schema()


def declared(taken: Taken) -> Any:
    """What a declared input is once its keys are read."""
    if "default" in taken.faulty:
        return DROP
    found, default = taken.values, taken.values.get("default")
    return Declared(found.get("type", "any"), "default" not in found, default, found.get("description", ""))


_TEXT: Final = Text(1)
_NAME: Final = Name()
_HOW: Final = "write keys with a text, number, boolean, null, or a list of these; source, type and subject with texts"
