"""Shapes: lists, mappings and records of values, and the records that a word in them chooses.

Here belongs checking of keys: which there are, which are needed, which was meant by one that there is not. The tables
themselves are `keys`' to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from context_plane.processes.language.findings import listed, near, shown
from context_plane.processes.language.marks import REFUSED
from context_plane.processes.language.scalars import DROP, OneOf, Report, Shape

ELSEWHERE: Final[dict[str, set[str]]] = {}
"""Where each key of any record belongs, for those that stand in the wrong one."""
_NONE: Final[frozenset[str]] = frozenset()


class Taken(NamedTuple):
    """What was taken of a record."""

    values: dict[str, Any]
    spot: Any
    faulty: frozenset[str]
    """Keys whose values were not taken, or not whole."""


Make = Callable[[Taken], Any]


class Key(NamedTuple):
    """A key of a record."""

    shape: Shape
    doc: str
    required: bool = False
    nullable: bool = False
    """Whether no value is one."""


class Record:
    """A mapping with certain keys."""

    def __init__(self, what: str, keys: Mapping[str, Key], make: Make, *, essential: Iterable[str] = ()) -> None:
        self.what = what
        self.keys = dict(keys)
        self._make = make
        self._essential = tuple(essential)
        """Without one of these nothing can be made."""
        self._required = tuple(name for name, key in keys.items() if key.required)
        self._shapes = {name: key.shape for name, key in keys.items()}
        for name in keys:
            ELSEWHERE.setdefault(name, set()).add(what)

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if type(value) is not dict:
            return report.wrong(label, value, spot, "a mapping")
        found: dict[str, Any] = {}
        faulty: set[str] | None = None
        before = report.lost
        shapes, spots = self._shapes, spot.values
        for key, each in value.items():
            shape = shapes.get(key)
            if shape is None:
                faulty = (faulty or set()) | {self._unknown(key, spot, report)}
                continue
            report.lost = False
            got = shape.read(each, spots[key], report, key) if each is not None else self._empty(key, spot, report)
            if got is not DROP:
                found[key] = got
            if got is DROP or report.lost:
                faulty = (faulty or set()) | {key}
        report.lost = before
        for key in self._required:
            if key not in found and (faulty is None or key not in faulty):
                self._missing(key, spot, report)
                faulty = (faulty or set()) | {key}
        if any(key not in found for key in self._essential):
            return DROP
        return self._make(Taken(found, spot, frozenset(faulty) if faulty else _NONE))

    def schema(self) -> dict[str, Any]:
        properties = {}
        for name, key in self.keys.items():
            shape = key.shape.schema()
            # In the table of the docs a sign that divides columns is escaped.
            about = {"description": key.doc.replace("\\|", "|")}
            properties[name] = ({"anyOf": [shape, {"type": "null"}]} if key.nullable else shape) | about
        required = {"required": list(self._required)} if self._required else {}
        return {"type": "object", "properties": properties, "additionalProperties": False, **required}

    def _empty(self, key: str, spot: Any, report: Report) -> Any:
        if self.keys[key].nullable:
            return self.keys[key].shape.read(None, spot.values[key], report, key)
        return report.drop("wrong-type", spot.keys[key], f"{key} has no value", "write one, or leave the key out")

    def _missing(self, key: str, spot: Any, report: Report) -> None:
        remedy = f"add {key}: {self.keys[key].doc.partition(';')[0].partition('. ')[0]}"
        report.drop("missing-key", spot, f"this {self.what} has no {key}", remedy)

    def _unknown(self, key: str, spot: Any, report: Report) -> str:
        """Tells of a key that is not one of these; returns the one that was meant."""
        if report.findings.full:  # looking for near keys would take long for nothing
            return ""
        meant = near(key, self.keys)
        homes = ELSEWHERE.get(key)
        if homes is not None:
            remedy = f"it belongs in {' or '.join(sorted(_with_article(home) for home in homes))}"
            remedy += f"; did you mean {meant}?" if meant else ""
            report.drop("misplaced-key", spot.keys[key], f"{key} is no key of {_with_article(self.what)}", remedy)
        else:
            remedy = (
                f"did you mean {meant}?"
                if meant
                else f"the keys of {_with_article(self.what)} are: {listed(self.keys)}"
            )
            report.drop("unknown-key", spot.keys[key], f"unknown key {shown(key)}", remedy)
        return meant or ""


class ByWord:
    """A mapping whose keys depend on the word of one of them."""

    def __init__(self, key: str, records: Mapping[str, Record]) -> None:
        self._key = key
        self._records = dict(records)
        self._word = OneOf(records)

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if type(value) is not dict:
            return report.wrong(label, value, spot, "a mapping")
        word: Any = value.get(self._key)
        if self._key not in value:
            remedy = f"add {self._key}: {listed(self._records)}"
            return report.drop("missing-key", spot, f"this {label} has no {self._key}", remedy)
        if self._word.read(word, spot.values[self._key], report, self._key) is DROP:
            return DROP
        return self._records[word].read(value, spot, report, label)

    def schema(self) -> dict[str, Any]:
        cases = []
        for word, record in self._records.items():
            schema = record.schema()
            schema["properties"][self._key] = {"const": word, "description": record.keys[self._key].doc}
            cases.append(schema)
        return {"oneOf": cases}


class ListOf:
    """A list of values of one shape."""

    def __init__(self, item: Shape, *, least: int = 0) -> None:
        self._item, self._least = item, least

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if type(value) is not list:
            return report.wrong(label, value, spot, "a list")
        if len(value) < self._least:
            return report.drop("bad-value", spot, f"{label} is empty", "name at least one, or leave the key out")
        found = []
        for each, at in zip(value, spot.values, strict=True):
            got = self._item.read(each, at, report, label)
            if got is DROP:
                report.lost = True
            else:
                found.append(got)
        return tuple(found)

    def schema(self) -> dict[str, Any]:
        least = {"minItems": self._least} if self._least else {}
        return {"type": "array", "items": self._item.schema(), **least}


class OneOrMany:
    """One value, or a list of them."""

    def __init__(self, item: Shape) -> None:
        self._item, self._many = item, ListOf(item)

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if type(value) is list:
            return self._many.read(value, spot, report, label)
        got = self._item.read(value, spot, report, label)
        return DROP if got is DROP else (got,)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self._item.schema(), self._many.schema()]}


class MapOf:
    """A mapping of names to values of one shape."""

    def __init__(self, item: Shape, *, pattern: str | None = None, nullable: bool = False) -> None:
        self._item = item
        self._pattern = pattern
        self._matches = re.compile(pattern, re.ASCII).fullmatch if pattern else None
        self._nullable = nullable

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if type(value) is not dict:
            return report.wrong(label, value, spot, "a mapping of names")
        found = {}
        for key, each in value.items():
            got = self._item_of(key, each, spot, report, label)
            if got is DROP:
                report.lost = True
            else:
                found[key] = got
        return found

    def _item_of(self, key: str, value: Any, spot: Any, report: Report, label: str) -> Any:
        if self._matches is not None and self._matches(key) is None:
            remedy = "write up to 63 of a-z, 0-9 and _, beginning with a letter"
            return report.drop("bad-name", spot.keys[key], f"{label}: {shown(key)} is no name", remedy)
        if value is None and not self._nullable:
            return report.drop("wrong-type", spot.keys[key], f"{key} has no value", "write one")
        return self._item.read(value, spot.values[key], report, key)

    def schema(self) -> dict[str, Any]:
        item = self._item.schema()
        if self._nullable and item:
            item = {"anyOf": [item, {"type": "null"}]}
        names = {"propertyNames": {"pattern": f"^{self._pattern}$"}} if self._pattern else {}
        return {"type": "object", "additionalProperties": item or True, **names}


class Either:
    """A mapping of one shape, or a value of another."""

    def __init__(self, mapping: Shape, single: Shape) -> None:
        self._mapping, self._single = mapping, single

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        shape = self._mapping if type(value) is dict else self._single
        return DROP if value is REFUSED else shape.read(value, spot, report, label)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self._single.schema(), self._mapping.schema()]}


def _with_article(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"
