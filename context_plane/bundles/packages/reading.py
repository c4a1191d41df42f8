"""Reading declarations: what the keys of a file in `packages/` mean.

Here belongs one file: its keys, their limits, and the errors that name line and remedy. Written for users:
docs/packages.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from context_plane.bundles.fields import nearest
from context_plane.bundles.packages.declaration import (
    MODES,
    MOST_TOKENS,
    NAMED,
    PRECEDENCE,
    Chain,
    DataMode,
    Declaration,
    Direction,
    Entry,
    Memory,
    Query,
    Searched,
    TextMode,
    Topic,
    Walk,
    is_name,
)
from context_plane.errors import InputError
from context_plane.instants import parse_cut, parse_duration
from context_plane.store.keys import check_tenant
from context_plane.yamls import Document, load

_KEYS: Final = (
    "package", "scope", "description", "knowledge", "chains", "queries", "packages", "mode", "max_tokens",
    "precedence", "tenants",
)  # fmt: skip
_SOURCES: Final = ("knowledge", "chains", "queries")
"""Keys of entries, in the order in which they are read."""
_MOST_SOURCES: Final = 1_000
_MOST_HITS: Final = 1_000
_MOST_DEPTH: Final = 1_000
_MOST_TEXT: Final = 1_000
Path = tuple[str | int, ...]


def parse_package(text: str, where: str = "package") -> Declaration:
    """The declaration in a YAML text; `where` is the file's name in errors. Raises `InputError` with its place."""
    return declaration_of(load(text, where))


def declaration_of(document: Document) -> Declaration:
    """The declaration in a document. Raises `InputError` with line, key and remedy."""
    data = document.data
    for key in data:
        if key not in _KEYS:
            raise document.error(f"unknown key {key[:40]!r}", nearest(key, _KEYS), (key,))
    name = _name(document, ("package",), data.get("package"))
    scope = next((each for each in PRECEDENCE if each == data.get("scope")), None)
    if scope is None:
        given = data.get("scope")
        what = "key 'scope' is missing" if given is None else f"there is no scope {str(given)[:40]!r}"
        raise document.error(what, f"use one of {', '.join(PRECEDENCE)}", ("scope",))
    entries = (
        *_entries(document, "knowledge", _topic), *_entries(document, "chains", _chain),
        *_entries(document, "queries", _query),
    )  # fmt: skip
    places = (document.place((key, at)) for key in _SOURCES for at in range(len(data.get(key, []))))
    packages = tuple(_name(document, ("packages", at), each) for at, each in enumerate(_list(document, "packages")))
    _check_once(document, entries, packages, name)
    if not entries and not packages:
        raise document.error("the package holds nothing", "name knowledge, chains, queries or packages")
    data_mode, text_mode = _modes(document)
    budget = _number(document, ("max_tokens",), data.get("max_tokens"), 1, MOST_TOKENS)
    precedence = _number(document, ("precedence",), data.get("precedence"), -1_000, 1_000)
    return Declaration(
        name, scope, _text(document, ("description",), data.get("description", "")), entries, packages, data_mode,
        text_mode, budget, PRECEDENCE[scope] if precedence is None else precedence, tuple(_tenants(document)),
        document.where, tuple(places),
    )  # fmt: skip


def _name(document: Document, path: Path, value: Any) -> str:
    if value is None:
        raise document.error(f"key {path[0]!r} is missing", "name the package, such as team/backend-standards", path)
    if not is_name(value):
        raise document.error(f"{str(value)[:80]!r} is no name of a package", NAMED, path)
    return str(value)


def _tenants(document: Document) -> Iterator[str]:
    for at, tenant in enumerate(_list(document, "tenants")):
        try:
            yield check_tenant(tenant)
        except InputError as error:
            raise document.error(error.what, error.remedy, ("tenants", at)) from error


def _list(document: Document, key: str) -> list[Any]:
    value = document.data.get(key, [])
    if not isinstance(value, list):
        raise document.error(f"{key} is not a list", f"write it as a list: {key}: […]", (key,))
    if len(value) > _MOST_SOURCES:
        raise document.error(f"{key} has {len(value):,} entries", f"use at most {_MOST_SOURCES:,}", (key,))
    return value


def _entries(document: Document, key: str, one: Callable[[Document, Path, Any], Entry]) -> Iterator[Entry]:
    for at, value in enumerate(_list(document, key)):
        yield one(document, (key, at), value)


def _topic(document: Document, path: Path, value: Any) -> Topic:
    if isinstance(value, str):
        return Topic(_text(document, path, value, empty=False))
    given = _mapping(document, path, value, ("topic", "mandatory"), "topic")
    return Topic(_text(document, (*path, "topic"), given["topic"], empty=False), _flag(document, path, given))


def _chain(document: Document, path: Path, value: Any) -> Chain | Memory | Walk:
    if isinstance(value, str):
        return Chain(_text(document, path, value, empty=False))
    kind = next((key for key in ("node", "memory", "entity") if isinstance(value, dict) and key in value), None)
    if kind is None:
        what = "a chain is the id of a node, or a mapping with node, memory or entity"
        raise document.error(what, "write it like m-42, {memory: customer/acme} or {entity: issue/7}", path)
    if kind == "node":
        given = _mapping(document, path, value, ("node", "mandatory"), kind)
        return Chain(_text(document, (*path, kind), given[kind], empty=False), _flag(document, path, given))
    if kind == "memory":
        given = _mapping(document, path, value, ("memory", "mandatory"), kind)
        return Memory(_entity(document, (*path, kind), given[kind]), _flag(document, path, given))
    given = _mapping(document, path, value, ("entity", "direction", "depth", "mandatory"), kind)
    direction = given.get("direction", "back")
    if direction not in get_args(Direction):
        raise document.error(f"there is no direction {direction!r:.40}", "use back or forward", (*path, "direction"))
    depth = _number(document, (*path, "depth"), given.get("depth"), 1, _MOST_DEPTH)
    return Walk(_entity(document, (*path, kind), given[kind]), direction, depth or 10, _flag(document, path, given))


def _query(document: Document, path: Path, value: Any) -> Query:
    if isinstance(value, str):
        return Query(_text(document, path, value, empty=False))
    keys = ("query", "k", "type", "entity", "since", "until", "search", "mandatory")
    given = _mapping(document, path, value, keys, "query")
    search = given.get("search", "bm25")
    if search not in get_args(Searched):
        remedy = f"use one of {', '.join(get_args(Searched))}"
        raise document.error(f"there is no search {search!r:.40}", remedy, (*path, "search"))
    return Query(
        _text(document, (*path, "query"), given["query"], empty=False),
        _number(document, (*path, "k"), given.get("k"), 1, _MOST_HITS) or 10,
        _texts(document, (*path, "type"), given.get("type", [])),
        tuple(
            _entity(document, (*path, "entity"), each)
            for each in _texts(document, (*path, "entity"), given.get("entity", []))
        ),
        _cut(document, (*path, "since"), given.get("since")),
        _cut(document, (*path, "until"), given.get("until")),
        search,
        _flag(document, path, given),
    )


def _mapping(document: Document, path: Path, value: Any, keys: Sequence[str], needed: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise document.error(f"it is neither text nor a mapping with {needed}", f"write it like {{{needed}: …}}", path)
    for key in value:
        if key not in keys:
            raise document.error(f"unknown key {key[:40]!r}", nearest(key, tuple(keys)), (*path, key))
    if value.get(needed) is None:
        raise document.error(f"key {needed!r} is missing", f"add {needed}: …", path)
    return value


def _text(document: Document, path: Path, value: Any, *, empty: bool = True) -> str:
    if not isinstance(value, str) or len(value) > _MOST_TEXT or (not empty and not value.strip()):
        remedy = f"give a text of at most {_MOST_TEXT:,} characters, in quotes where it looks like a number"
        raise document.error(f"it is {str(value)[:40]!r}", remedy, path)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise document.error("it holds a lone surrogate", "write the character itself", path) from None
    return value


def _entity(document: Document, path: Path, value: Any) -> str:
    kind, slash, name = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not (kind and slash and name):
        raise document.error(f"{str(value)[:80]!r} is not an entity", "write it as type/id: customer/acme", path)
    return _text(document, path, value)


def _texts(document: Document, path: Path, value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list):
        raise document.error(f"it is {str(value)[:40]!r}", "give a text, or a list of texts", path)
    return tuple(_text(document, (*path, at), each, empty=False) for at, each in enumerate(given))


def _flag(document: Document, path: Path, given: Mapping[str, Any]) -> bool:
    value = given.get("mandatory", False)
    if not isinstance(value, bool):
        raise document.error(f"mandatory is {str(value)[:40]!r}", "use true or false", (*path, "mandatory"))
    return value


def _number(document: Document, path: Path, value: Any, least: int, most: int) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not least <= value <= most:
        remedy = f"give a whole number from {least:,} to {most:,}"
        raise document.error(f"{path[-1]} is {str(value)[:40]!r}", remedy, path)
    return value


def _cut(document: Document, path: Path, value: Any) -> str | None:
    """A time, a day, or a duration; as it is written."""
    if value is None:
        return None
    text = _text(document, path, value, empty=False)
    try:
        return text if parse_duration(text) else None
    except InputError:
        pass
    try:
        parse_cut(text)
    except InputError as error:
        remedy = "write it like 2026-03-01, 2026-03-01T09:30:00Z, or 30d for so long before"
        raise document.error(error.what, remedy, path) from error
    return text


def _modes(document: Document) -> tuple[DataMode, TextMode]:
    value = document.data.get("mode", "verbatim")
    if isinstance(value, str) and value in MODES:
        return MODES[value]
    if not isinstance(value, dict):
        remedy = f"use one of {', '.join(MODES)}, or {{data: …, text: …}}"
        raise document.error(f"there is no mode {str(value)[:40]!r}", remedy, ("mode",))
    for key in value:
        if key not in ("data", "text"):
            raise document.error(f"unknown key {key[:40]!r}", "use data and text", ("mode", key))
    data, text = value.get("data", "verbatim"), value.get("text", "verbatim")
    for key, mode, known in (("data", data, get_args(DataMode)), ("text", text, get_args(TextMode))):
        if mode not in known:
            what = f"there is no mode {str(mode)[:40]!r} of {key}"
            raise document.error(what, f"use one of {', '.join(known)}", ("mode", key))
    return data, text


def _check_once(document: Document, entries: Sequence[Entry], packages: Sequence[str], name: str) -> None:
    """Raises `InputError` for what is named twice, and for a package that builds on itself."""
    seen: set[str] = set()
    for key in _SOURCES:
        count = len(document.data.get(key, []))
        for at, entry in enumerate(entries[:count]):
            if entry.ref in seen:
                raise document.error(f"{entry.ref} is there twice", "name it once", (key, at))
            seen.add(entry.ref)
        entries = entries[count:]
    for at, each in enumerate(packages):
        if each == name:
            what = f"the package builds on itself: {name} → {name}"
            raise document.error(what, "take it out of packages", ("packages", at))
        if each in packages[:at]:
            raise document.error(f"package {each} is there twice", "name it once", ("packages", at))
