"""Planning: which codec a column is written with, by what it costs in tokens.

Here belong the choices that a mode allows. Costs are counted over the cells of a column joined as rows would join them;
of long columns over a sample, for it is the same in all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from context_plane.ctx.data import templates
from context_plane.ctx.data.columns import Codec, Codes, Constant, Given, Items, Numbers, Plain, Times, Words
from context_plane.ctx.data.frames import ABSENT, Path
from context_plane.ctx.data.marks import Marks
from context_plane.ctx.data.scalars import Style
from context_plane.ctx.tokens import counter

Mode = Literal["verbatim", "compact", "dense"]
SAMPLE: Final = 200
"""Rows by which costs are estimated."""
_LEAST_ROWS: Final = 3
_MOST_CODES: Final = 26
_MOST_GIVEN: Final = 40
_WORTH: Final = 0.75
"""Tokens a row that a code must save: it has to be looked up."""
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?(Z?)")


@dataclass(frozen=True)
class Planned:
    """A column with its cells."""

    codec: Codec
    cells: list[str]
    """One for each value; none where the codec writes none."""
    cost: float
    """Estimated tokens of cells and head."""


def column(values: Sequence[Any], mode: Mode, marks: Marks, style: Style, everywhere: bool) -> Planned:
    """The cheapest codec for the scalars of a column; `everywhere` says that every row has one."""
    kinds = set(map(type, values))
    many = len(values) >= _LEAST_ROWS
    if many and everywhere and _same(values, kinds):
        return Planned(Constant(values[0]), [], _cost([Constant(values[0]).head], marks, 1))
    if mode == "dense" and many and everywhere and kinds == {int} and _counts(values):
        return Planned(Numbers(values[0]), [], 2)
    plain = style.column(values)
    best = Planned(Plain(), plain, _cost(plain, marks))
    if kinds != {str}:
        return best
    for codec, cells in _of_strings(values, plain, mode, style):
        if isinstance(codec, Words):
            cost, worth = _cost(cells, marks), -1.0  # no quotes are worth a token: they are easier to read
        else:
            cost = _cost(cells, marks) + _count(codec.head)
            worth = _WORTH * len(values) if isinstance(codec, Codes) else 1.0
        if cost + worth < best.cost:
            best = Planned(codec, cells, cost)
    return best


def _of_strings(
    values: Sequence[str], plain: Sequence[str], mode: Mode, style: Style
) -> Iterable[tuple[Codec, list[str]]]:
    if any(cell[:1] == '"' for cell in plain) and (texts := style.texts(values)) != plain:
        yield Words(), texts
    if mode == "verbatim" or len(values) < _LEAST_ROWS:
        return
    times = _times(values)
    if times is not None:
        yield times, [times.cell(value) for value in values]
        return
    distinct = list(dict.fromkeys(values))
    found = templates.find(distinct)
    if found is not None:
        filled = templates.fill(found, values)
        if filled is not None:
            yield filled[0], style.texts(filled[1])
    if mode == "dense" and 1 < len(distinct) <= min(_MOST_CODES, len(values) // 3):
        codes = _codes(values, distinct)
        known = {text: code for code, text in codes.meanings}
        yield codes, [known[value] for value in values]


def names(keys: Sequence[str], mode: Mode, marks: Marks) -> Planned:
    """The codec for the keys of an object's members: strings all of them, which needs no saying."""
    cells = marks.style.texts(keys)
    best = Planned(Words(""), cells, _cost(cells, marks))
    if mode != "verbatim" and len(keys) >= _LEAST_ROWS:
        found = templates.find(keys)
        filled = None if found is None else templates.fill(found, keys)
        if filled is not None:
            texts = marks.style.texts(filled[1])
            cost = _cost(texts, marks) + _count(filled[0].head)
            if cost + 1 < best.cost:
                best = Planned(filled[0], texts, cost)
    return best


def items(values: Sequence[Sequence[Any]], marks: Marks) -> Planned:
    """The codec for lists of scalars."""
    flat = [item for each in values for item in each]
    style = marks.inner
    words = bool(flat) and set(map(type, flat)) == {str}
    cells = style.column(flat)
    if words and any(cell[:1] == '"' for cell in cells):
        texts = style.texts(flat)
        words = _cost(texts, marks) < _cost(cells, marks)
        cells = texts if words else cells
    else:
        words = False
    at, out = 0, []
    for each in values:
        out.append(marks.item.join(cells[at : at + len(each)]) if each else "[]")
        at += len(each)
    return Planned(Items(marks, words), out, _cost(out, marks) + 2)


def given(columns: dict[Path, Sequence[Any]], plans: dict[Path, Planned]) -> dict[Path, Planned]:
    """Columns that others decide: found among those that every row has and that hold few different values."""
    few = {path: typed for path, values in columns.items() if plans[path].codec.written and (typed := _few(values))}
    found: dict[Path, Planned] = {}
    deciding: set[Path] = set()
    for path in sorted(few, key=lambda each: -plans[each].cost):
        if path in deciding:
            continue
        for by in few:
            if by == path or by in found or any(kind is not str for kind, _ in few[by]):
                continue  # that a number decides something is more often chance than meaning
            meanings = _decided(few[by], few[path])
            codec = Given(by, meanings) if meanings else None
            if codec is not None and _count(codec.head) + 1 < plans[path].cost:
                found[path] = Planned(codec, [], _count(codec.head))
                deciding.add(by)
                break
    return found


def _few(values: Sequence[Any]) -> list[tuple[type, Any]] | None:
    """The values with their types, where they are scalars, none is absent, and few are different."""
    if any(value is ABSENT or isinstance(value, (dict, list, tuple)) for value in values):
        return None
    typed = [(type(value), repr(value) if isinstance(value, float) else value) for value in values]
    return typed if 1 < len(set(typed)) <= min(_MOST_GIVEN, len(values) // 3) else None


def _decided(by: Sequence[tuple[type, Any]], values: Sequence[tuple[type, Any]]) -> tuple[tuple[Any, Any], ...] | None:
    """What follows from each value of a column for another; `None` where it does not decide that."""
    pairs = dict(zip(by, values, strict=True))
    if len(set(zip(by, values, strict=True))) != len(pairs):
        return None
    return tuple((_untyped(a), _untyped(b)) for a, b in pairs.items())


def _untyped(value: tuple[type, Any]) -> Any:
    return float(value[1]) if value[0] is float else value[1]


def _same(values: Sequence[Any], kinds: set[type]) -> bool:
    first = values[0]
    if len(kinds) > 1 or isinstance(first, (dict, list)):
        return False
    if isinstance(first, float):
        return len(set(map(repr, values))) == 1
    return all(value == first for value in values)


def _counts(values: Sequence[int]) -> bool:
    return list(values) == list(range(values[0], values[0] + len(values)))


def _times(values: Sequence[str]) -> Times | None:
    instants = len(values[0]) > 10
    pattern = _INSTANT if instants else _DAY
    matches = [pattern.fullmatch(value) for value in values]
    if not all(matches):
        return None
    forms = {match.groups() and (match[1] is not None, match[2]) for match in matches if match}
    if len(forms) != 1:
        return None
    fraction, zone = forms.pop() or (False, "")
    for length, prefix in ((8, 10), (6, 7), (4, 4)):
        if length < 8 or instants:
            shared = values[0][:prefix]
            if all(value.startswith(shared) for value in values):
                return Times(shared.replace("-", ""), instants, fraction, zone)
    return Times("", instants, fraction, zone)


def _codes(values: Sequence[str], distinct: Sequence[str]) -> Codes:
    """Letters for strings, the initial where it is free; those that come most often choose first."""
    often = sorted(distinct, key=lambda text: (-values.count(text), distinct.index(text)))
    taken: dict[str, str] = {}
    for text in often:
        letters = [word[0].upper() for word in re.findall("[A-Za-z]+", text)] + re.findall("[A-Z]", text.upper())
        for letter in [*letters, *map(chr, range(65, 91))]:
            if letter not in taken:
                taken[letter] = text
                break
    return Codes(tuple(taken.items()))


def _cost(cells: Sequence[str], marks: Marks, least: int = 0) -> float:
    """Tokens of cells, each with its mark."""
    if len(cells) <= SAMPLE:
        return _count(marks.cell.join(cells)) + least
    step = len(cells) / SAMPLE
    some = [cells[int(at * step)] for at in range(SAMPLE)]
    return _count(marks.cell.join(some)) * len(cells) / SAMPLE


def _count(text: str) -> int:
    return counter()(text)
