"""Context specs: what an entity's context consists of, read from `contexts/*.yaml`.

Here belong the spec as a value (normalised, hashed, stored with snapshots) and the reading of its file. One field is
`fields`, SQL inside it `expressions`; what a spec computes is `compile` and `evaluate`. Written for users:
docs/context-specs.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from context_plane.bundles.expressions import condition, derive
from context_plane.bundles.fields import OWN_EVENTS, Field, Locate, nearest, parse_field, parse_globs, parse_window
from context_plane.canonical import digest
from context_plane.yamls import Document, load

# Part of every spec's hash. Raise it with every change that gives the same events and spec another bundle.
ENGINE_VERSION: Final = 1

MAX_FIELDS: Final = 100
MAX_SUMMARY_TOKENS: Final = 10_000
_KEYS: Final = ("context", "entity", "window", "fields", "summary")
_SUMMARY_KEYS: Final = ("max_tokens", "of")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_ENTITY: Final = re.compile(r"[^/\x00-\x1f\ud800-\udfff]{1,128}")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a spec asks of its summary: at most so many o200k tokens, from events whose type matches `of`."""

    max_tokens: int
    of: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContextSpec:
    """A normalised context spec: two files that mean the same are the same value. Windows are in microseconds."""

    name: str
    entity: str
    window: int | None
    fields: tuple[Field, ...]
    summary: Summary | None

    @cached_property
    def windows(self) -> tuple[int | None, ...]:
        """All distinct windows that something is computed over, shortest first; all history (`None`) last."""
        found = {field.window for field in self.fields if field.operator != "expr"}
        if self.summary is not None or not found:
            found.add(self.window)
        finite = sorted(window for window in found if window is not None)
        return (*finite, None) if None in found else tuple(finite)

    @property
    def longest(self) -> int | None:
        """The widest window; `None` where something is computed over all history."""
        return self.windows[-1]

    @cached_property
    def own_globs(self) -> tuple[str, ...]:
        """The globs that name the plane's own events; without one such events do not exist for this spec."""
        globs = {glob for field in self.fields for glob in field.of} | set(self.summary.of if self.summary else ())
        return tuple(sorted(glob for glob in globs if glob.startswith(OWN_EVENTS)))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the spec and the engine's version: equal where bundles of equal events are equal."""
        return digest({"engine": ENGINE_VERSION, "spec": self.to_json()})

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON, with its windows in microseconds; `from_json` reads it."""
        summary = self.summary and {"max_tokens": self.summary.max_tokens, "of": list(self.summary.of)}
        fields = [field.to_json() for field in self.fields]
        return {"name": self.name, "entity": self.entity, "window": self.window, "fields": fields, "summary": summary}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ContextSpec:
        """The spec that `to_json` wrote."""
        summary = value["summary"] and Summary(value["summary"]["max_tokens"], tuple(value["summary"]["of"]))
        fields = tuple(Field.from_json(field) for field in value["fields"])
        return cls(value["name"], value["entity"], value["window"], fields, summary)


def parse_spec(text: str, where: str = "context spec") -> ContextSpec:
    """The spec in a YAML text; `where` is the file's name in errors. Raises `InputError` with line, key and remedy."""
    return _parse(load(text, where))


def _parse(document: Document) -> ContextSpec:
    data = document.data
    for key in data:
        if key not in _KEYS:
            raise document.error(f"unknown key {key[:40]!r}", nearest(key, _KEYS), (key,))
    name = _named(document, "context", _NAME, "use letters, digits and _, such as customer_context_v0")
    entity = _named(document, "entity", _ENTITY, "name a type of entities, such as customer, without a /")
    window = parse_window(data["window"], document.place(("window",))) if "window" in data else None
    summary = _summary(document) if "summary" in data else None
    mapping = data.get("fields", {})
    if not isinstance(mapping, dict):
        raise document.error("fields is not a mapping", "write one line a field: name: {operator: …}", ("fields",))
    if len(mapping) > MAX_FIELDS:
        raise document.error(f"{len(mapping)} fields", f"use at most {MAX_FIELDS}", ("fields",))
    if not mapping and summary is None:
        raise document.error("the spec has neither fields nor a summary", "add fields: with at least one field")

    def at(*keys: str) -> str:
        return document.place(("fields", *keys))

    fields = tuple(parse_field(each, mapping[each], window, at) for each in sorted(mapping))
    _check_sql(fields, at)
    return ContextSpec(name, entity, window, fields, summary)


def _named(document: Document, key: str, form: re.Pattern[str], remedy: str) -> str:
    value = document.data.get(key)
    if value is None:
        raise document.error(f"key {key!r} is missing", remedy)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise document.error(f"{str(value)[:80]!r} is not a name", remedy, (key,))
    return value


def _summary(document: Document) -> Summary:
    value = document.data["summary"]
    if not isinstance(value, dict) or "max_tokens" not in value:
        raise document.error("a summary needs its budget", "write it like {max_tokens: 120}", ("summary",))
    for key in value:
        if key not in _SUMMARY_KEYS:
            raise document.error(f"unknown key {key[:40]!r}", nearest(key, _SUMMARY_KEYS), ("summary", key))
    budget = value["max_tokens"]
    if type(budget) is not int or not 1 <= budget <= MAX_SUMMARY_TOKENS:
        remedy = f"give a whole number from 1 to {MAX_SUMMARY_TOKENS}"
        raise document.error(f"max_tokens is {str(budget)[:40]!r}", remedy, ("summary", "max_tokens"))
    place = document.place(("summary", "of"))
    return Summary(budget, parse_globs(value["of"], place) if "of" in value else ())


def _check_sql(fields: tuple[Field, ...], at: Locate) -> None:
    for field in fields:
        condition(field, at(field.name, "where"))
    derive(fields, at)
