"""Encoding: a JSON value as CTX, by what costs the fewest tokens.

Here belongs the layout of a whole document: lines for the members of objects, tables for lists of objects and for
objects whose members are alike, flow for the rest. What is written is read again and compared before it is returned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from context_plane.ctx.data import flow, repeats
from context_plane.ctx.data.decoding import decode
from context_plane.ctx.data.equality import same
from context_plane.ctx.data.planning import Mode
from context_plane.ctx.data.tables import table
from context_plane.ctx.tokens import counter
from context_plane.errors import InputError

_DEEPEST: Final = 40
"""Objects within objects that are laid out in lines; what is deeper is flow."""
_LEAST_ALIKE: Final = 2
_LARGE: Final = 40
"""Rows from which on a table is not compared with flow."""


def encode(value: Any, mode: Mode = "verbatim") -> str:
    """The CTX of a JSON value: never more tokens than its compact JSON.

    Raises `InputError` for what JSON does not have: other types, keys that are no text, infinite numbers.
    """
    plain = compact_json(value)
    least = counter()(plain)
    best = plain
    for text in _candidates(value, mode, least):
        cost = counter()(text)
        if cost < least and _decodes(text, value):
            best, least = text, cost
    return best if best is not plain else _in_flow(value, plain, least)


def _candidates(value: Any, mode: Mode, least: int) -> Iterator[str]:
    """The value laid out, and where it is worth it with what repeats said before it."""
    texts = repeats.find(value, least) if mode != "verbatim" else []
    if texts:
        said = [f"&{number}:{flow.write(text)}" for number, text in enumerate(texts, 1)]
        yield "\n".join([*said, _laid_out(repeats.referring(value, texts), mode)])
    yield _laid_out(value, mode)


def _laid_out(value: Any, mode: Mode) -> str:
    return "\n".join(_document(value, mode))


def _in_flow(value: Any, plain: str, least: int) -> str:
    text = flow.write(value)
    return text if counter()(text) < least and _decodes(text, value) else plain


def compact_json(value: Any) -> str:
    """A value as JSON without spaces. Raises `InputError`."""
    _check_keys(value)
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        what = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"no JSON value: {what}", where="value", remedy="give what JSON has") from error
    return text


def _check_keys(value: Any) -> None:
    """Raises `InputError` for a key that is no text: `json` would make one of a number, and the value another."""
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict):
            if not all(type(name) is str for name in each):
                odd = next(name for name in each if type(name) is not str)
                raise InputError(f"the key {odd!r:.60} is no text", where="value", remedy="JSON has text as keys alone")
            todo += [inner for inner in each.values() if isinstance(inner, (dict, list, tuple))]
        elif isinstance(each, (list, tuple)):
            todo += [inner for inner in each if isinstance(inner, (dict, list, tuple))]


def _decodes(text: str, value: Any) -> bool:
    try:
        return same(decode(text), value)
    except InputError:
        return False


def _document(value: Any, mode: Mode) -> list[str]:
    """The lines of a document."""
    if isinstance(value, dict) and value:
        rows = _alike("", value, mode)
        if rows is not None and len(value) > _LARGE:
            return rows
        layouts = [_members(value, mode, 0)] + ([] if rows is None else [rows])
        return _cheapest(layouts if len(layouts[0]) > _LARGE else [*layouts, [flow.write(value)]])
    if isinstance(value, (list, tuple)):
        layouts = list(_list_layouts("", value, mode, 0))
        if layouts:
            return _cheapest(layouts)
    return [flow.write(value)]


def _members(value: dict[str, Any], mode: Mode, depth: int) -> list[str]:
    """The lines of an object's members: short ones share a line, the others follow."""
    indent = " " * depth
    here, below = [], []
    for name, each in value.items():
        lines = _block(name, each, mode, depth)
        if len(lines) == 1 and lines[0].startswith("\0"):
            here.append(lines[0][1:])
        else:
            below += lines
    return ([indent + ",".join(here)] if here else []) + below


def _block(name: str, value: Any, mode: Mode, depth: int) -> list[str]:
    """The lines of one member; a single one that begins with NUL where it may share a line with others."""
    layouts = list(_layouts(name, value, mode, depth))
    if not layouts or all(len(lines) <= _LARGE for lines in layouts):
        layouts.append([f"\0{flow.key(name)}:{flow.write(value)}"])
    return _cheapest(layouts)


def _layouts(name: str, value: Any, mode: Mode, depth: int) -> Iterator[list[str]]:
    """How a member may be laid out in lines of its own."""
    start = " " * depth + flow.key(name)
    if isinstance(value, dict) and value and depth < _DEEPEST:
        rows = _alike(start, value, mode)
        if rows is not None:
            yield rows
        if not _flat(value) and (rows is None or len(value) <= _LARGE):
            yield [f"{start}:", *_members(value, mode, depth + 1)]
    elif isinstance(value, (list, tuple)):
        yield from _list_layouts(start, value, mode, depth)


def _alike(start: str, value: dict[str, Any], mode: Mode) -> list[str] | None:
    """An object whose members are alike, as rows under their keys; `None` where they are not."""
    if len(value) < _LEAST_ALIKE or not all(type(each) is dict and each for each in value.values()):
        return None
    made = table(list(value.values()), mode, list(value))
    return None if made is None else [f"{start}[{len(value)}{made.head}", *made.lines]


def _list_layouts(start: str, value: Sequence[Any], mode: Mode, depth: int) -> Iterator[list[str]]:
    """How a list may be laid out in lines: as a table, or item by item where these hold more than scalars."""
    rows = _table(start, value, mode) if _is_table(value) else None
    if rows is not None:
        yield rows
        if not any("[{" in line for line in rows):
            return  # nothing in the cells would gain by lines of its own
    if depth < _DEEPEST and any(type(each) is dict and not _flat(each) for each in value):
        yield [f"{start}[{len(value)}]:", *_items(value, mode, depth)]


def _flat(value: dict[str, Any]) -> bool:
    return set(map(type, value.values())).isdisjoint((dict, list, tuple))


def _items(values: Sequence[Any], mode: Mode, depth: int) -> Iterator[str]:
    """The lines of a list's items, each of which begins with a dash."""
    for value in values:
        if isinstance(value, dict) and value:
            first, *rest = _members(value, mode, depth + 1)
            yield f"{' ' * depth}-{first[depth + 1 :]}"
            yield from rest
        else:
            yield f"{' ' * depth}-{flow.write(value)}"


def _is_table(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 1 and all(type(each) is dict and each for each in value)


def _table(start: str, rows: Sequence[dict[str, Any]], mode: Mode) -> list[str] | None:
    made = table(rows, mode)
    return None if made is None else [f"{start}[{len(rows)}{made.head}", *made.lines]


def _cheapest(layouts: Sequence[list[str]]) -> list[str]:
    if len(layouts) == 1:
        return layouts[0]
    return min(layouts, key=lambda lines: counter()("\n".join(lines).replace("\0", "")))
