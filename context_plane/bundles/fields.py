"""One field of a context spec: its operator, what it reads, and the checks on how it is written.

Here belong the vocabulary of fields (operators, pseudo-fields, globs, paths) and the turning of one YAML mapping into a
`Field`. The whole spec is `spec`; SQL inside fields is checked in `expressions`; nothing here reads an event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, NoReturn

from context_plane.errors import InputError
from context_plane.instants import parse_duration

OPERATORS: Final = (
    "latest", "first", "count", "sum", "avg", "min", "max", "count_distinct", "exists", "list", "expr",
)  # fmt: skip
PSEUDO_FIELDS: Final = ("time", "type", "text", "id", "source")
TYPES: Final = ("number", "boolean", "time", "text")
OWN_EVENTS: Final = "cortex."  # event types of the plane itself: matched only by globs that begin so
DATA: Final = "data."  # how a normalised target says that it is a path into the event's data

MAX_LIST: Final = 1_000
DEFAULT_LIST: Final = 5
MAX_GLOBS: Final = 100
MAX_TARGET_CHARS: Final = 256

_NAME: Final = re.compile(r"[^\W\d]\w{0,63}")
# Lone surrogates come out of YAML escapes such as "\ud83d\ude00" and are no text.
_GLOB: Final = re.compile(r"[^\s\x00-\x1f\ud800-\udfff]{1,256}")
_BAD_KEY: Final = re.compile(r'["\\*\x00-\x1f\ud800-\udfff]')
_COMMON: Final = ("of", "where", "window")
_OPTIONS: Final = {
    **dict.fromkeys(OPERATORS, (*_COMMON, "type")),
    "exists": _COMMON,
    "count": _COMMON,
    "list": (*_COMMON, "last", "first"),
    "expr": (),
}

Locate = Callable[..., str]  # the place of a key in its file, such as contexts/x.yaml:7: fields.plan.latest


@dataclass(frozen=True, slots=True)
class Field:
    """A normalised field.

    `target` is `None` where every matching event counts (``count: true``); paths into an event's data begin with
    ``data.``. `window` is the field's own or the spec's, in microseconds; `None` is all history. `limit` and `newest`
    are how many items a list takes and from which end.
    """

    name: str
    operator: str
    target: str | tuple[str, ...] | None = None
    of: tuple[str, ...] = ()
    where: str | None = None
    window: int | None = None
    type: str | None = None
    limit: int = 0
    newest: bool = True

    def to_json(self) -> dict[str, Any]:
        """The field as JSON; `from_json` reads it."""
        values = {key: getattr(self, key) for key in Field.__slots__}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Field:
        """The field that `to_json` wrote."""
        items: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
        return cls(**items)


def refuse(what: str, where: str, remedy: str) -> NoReturn:
    """Raises the error of a spec."""
    raise InputError(what, where=where, remedy=remedy)


def nearest(word: str, known: tuple[str, ...]) -> str:
    """The remedy for a word that is not known: the nearest ones, else all."""
    near = get_close_matches(word, known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"use one of {', '.join(known)}"


def parse_field(name: str, value: Any, window: int | None, at: Locate) -> Field:
    """The field that a mapping such as ``{sum: amount, of: billing.*}`` stands for. Raises `InputError`."""
    if not _NAME.fullmatch(name):
        remedy = "use letters, digits and _, beginning with a letter, at most 64"
        refuse(f"{name[:80]!r} is not a name for a field", at(name), remedy)
    if not isinstance(value, Mapping):
        refuse("a field is a mapping", at(name), "write it like {latest: plan, of: billing.subscription}")
    operator = _operator(name, value, at)
    for key in value:
        if key != operator and key not in _OPTIONS[operator]:
            _unknown_key(name, operator, str(key), at)
    of = parse_globs(value["of"], at(name, "of")) if "of" in value else ()
    where = _sql(value["where"], at(name, "where")) if "where" in value else None
    if "window" in value:
        window = parse_window(value["window"], at(name, "window"))
    kind = value.get("type")
    if kind is not None and kind not in TYPES:
        refuse(f"there is no type {str(kind)[:40]!r}", at(name, "type"), nearest(str(kind), TYPES))
    if operator == "expr":
        return Field(name, "expr", _sql(value["expr"], at(name, "expr")))
    target = _target(operator, value[operator], at(name, operator))
    _check_type(operator, target, kind, at(name, "type"))
    limit, newest = _limit(name, value, at) if operator == "list" else (0, True)
    return Field(name, operator, target, of, where, window, kind, limit, newest)


def parse_globs(value: Any, where: str) -> tuple[str, ...]:
    """One glob or a list of globs over event types; ``*`` stands for any run of characters, dots too."""
    globs = value if isinstance(value, list) else [value]
    if not globs or len(globs) > MAX_GLOBS:
        refuse(f"{len(globs)} globs are given", where, f"give 1 to {MAX_GLOBS}, such as support.*")
    for glob in globs:
        if not isinstance(glob, str) or not _GLOB.fullmatch(glob):
            refuse(f"{str(glob)[:40]!r} is not a glob over event types", where, "write it like support.*")
    return tuple(sorted(set(globs)))


def parse_window(value: Any, where: str) -> int | None:
    """``30d`` in microseconds; ``all`` is `None`, the whole history."""
    if value == "all":
        return None
    try:
        return parse_duration(value if isinstance(value, str) else repr(value))
    except InputError as error:
        refuse(error.what, where, f"{error.remedy}, or all for the whole history")


def data_path(text: str, where: str) -> str:
    """`text` as a normalised target: a pseudo-field, or ``data.`` and the path into the event's data."""
    if text in PSEUDO_FIELDS:
        return text
    path = text.removeprefix(DATA)
    if not all(path.split(".")) or len(path) > MAX_TARGET_CHARS or _BAD_KEY.search(path):
        remedy = 'name a data field, such as plan or address.city; keys that hold ", \\ or * cannot be read'
        refuse(f"{text[:80]!r} is not a path into an event's data", where, remedy)
    return DATA + path


def _operator(name: str, value: Mapping[Any, Any], at: Locate) -> str:
    found = [key for key in value if key in OPERATORS]
    if "list" in found and "first" in found:
        found.remove("first")  # the option of a list, not the operator
    if len(found) == 1:
        return str(found[0])
    if len(found) > 1:
        refuse(f"{' and '.join(found)} are both operators", at(name), "give a field one operator")
    unknown = [str(key) for key in value if key not in (*_COMMON, "type", "last")]
    if not unknown:
        refuse("the field has no operator", at(name), f"use one of {', '.join(OPERATORS)}")
    refuse(f"there is no operator {unknown[0][:40]!r}", at(name, unknown[0]), nearest(unknown[0], OPERATORS))


def _unknown_key(name: str, operator: str, key: str, at: Locate) -> NoReturn:
    known = _OPTIONS[operator]
    if key in (*_COMMON, "type", "last", "first"):
        remedy = "put it on the fields that the expression names" if operator == "expr" else "remove it"
        refuse(f"{operator} takes no {key}", at(name, key), remedy)
    refuse(f"{operator} has no option {key[:40]!r}", at(name, key), nearest(key, known or (operator,)))


def _sql(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        refuse("SQL text is missing", where, "write an SQL expression, such as amount > 10")
    return value.strip()


def _target(operator: str, value: Any, where: str) -> str | tuple[str, ...] | None:
    if value is True and operator in ("count", "exists"):
        return None
    if operator == "list" and isinstance(value, list):
        if not 1 <= len(value) <= 20 or not all(isinstance(item, str) for item in value):
            refuse("a list names the fields of its items", where, "write 1 to 20, such as [time, type, text]")
        paths = tuple(data_path(item, where) for item in value)
        if len({path.removeprefix(DATA) for path in paths}) < len(paths):
            refuse("a list names a field twice", where, "name each field once")
        return paths
    if not isinstance(value, str):
        remedy = "write true, or the name of a data field" if operator in ("count", "exists") else "name a data field"
        refuse(f"{operator} of {str(value)[:40]!r} means nothing", where, remedy)
    if operator == "count_distinct" and value in ("day", "hour"):
        return value
    path = data_path(value, where)
    if operator in ("sum", "avg") and path in PSEUDO_FIELDS:
        refuse(f"{operator} needs numbers, and {value} is none", where, f"name a data field; data.{value} if it is one")
    return path


def _check_type(operator: str, target: str | tuple[str, ...] | None, kind: str | None, where: str) -> None:
    if kind is None:
        return
    if target in (*PSEUDO_FIELDS, "day", "hour"):
        refuse(f"{target} has its type already", where, "remove it")
    numbers, ordered = ("number",), ("number", "time", "text")
    allowed = {"sum": numbers, "avg": numbers, "min": ordered, "max": ordered}.get(operator, TYPES)
    if kind not in allowed:
        refuse(f"{operator} cannot read its values as {kind}", where, f"use {' or '.join(allowed)}")


def _limit(name: str, value: Mapping[Any, Any], at: Locate) -> tuple[int, bool]:
    if "last" in value and "first" in value:
        refuse("a list takes its first or its last events", at(name, "first"), "remove one of them")
    key = "first" if "first" in value else "last"
    limit = value.get(key, DEFAULT_LIST)
    if type(limit) is not int or not 1 <= limit <= MAX_LIST:
        refuse(f"{key} is {str(limit)[:40]!r}", at(name, key), f"give a whole number from 1 to {MAX_LIST}")
    return limit, key == "last"
