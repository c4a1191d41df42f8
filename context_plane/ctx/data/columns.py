"""Columns: what the cells of one column stand for, and how its head says so.

Here belong the codecs and what each makes of cells. Which one a column gets is `planning`'s business, how a table is
cut into cells `frames`'.

=========================  =================================  ==========================================================
head                       cells                              values
=========================  =================================  ==========================================================
``name``                   scalars, or flow                   as they stand
``name:s``                 words                              strings, though some look like numbers
``name=pro``               none                               the same in every row
``name<2025MMDD>``         ``0131``                           days: the head has what all begin with
``name<2025MMDDThhmmssZ>`` ``0131T093000``                    instants; ``.sss`` for milliseconds
``name<"ORD-{}">``         ``0007``                           strings with what all share in the head
``name<"{}/{}"|>``         ``acme|api``                       the same with several places, parted by the sign
``name(A=active B=lost)``  ``A``                              strings, by a code (dense)
``name@plan(pro=40)``      none                               decided by another column
``name#1``                 none                               1, 2, 3, … (dense)
``name[]``, ``name[]:s``   ``a|b``, ``[]``                    lists of scalars, of strings
``name[]{sku,price}``      ``A;9|B;3``, ``[]``                lists of records
=========================  =================================  ==========================================================
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from context_plane.ctx.data import flow
from context_plane.ctx.data.marks import Marks, cut
from context_plane.ctx.data.scalars import Style, quoted, read, read_text

LEGEND: Final = Style(" =()<>,;|{}[]:@#")
_TIMES: Final = {
    (instants, fraction): re.compile("[0-9]{8}" + "T[0-9]{6}" * instants + r"\.[0-9]{3}" * fraction)
    for instants in (False, True)
    for fraction in (False, True)
}
_DIGITS: Final = "YYYYMMDDThhmmss"


class Codec(Protocol):
    """What cells stand for."""

    @property
    def head(self) -> str:
        """What the head of the table says after the column's name."""

    @property
    def written(self) -> bool:
        """Whether rows have a cell for it."""

    def values(self, cells: Sequence[str]) -> list[Any]:
        """The values of cells, none of which is empty. Raises `ValueError`."""


@dataclass(frozen=True)
class Plain:
    """Scalars, and flow where a value is none."""

    head: str = ""
    written: bool = True

    def values(self, cells: Sequence[str]) -> list[Any]:
        """Each cell by what it looks like."""
        return _plain(cells)


@dataclass(frozen=True)
class Words:
    """Strings alone."""

    head: str = ":s"
    written: bool = True

    def values(self, cells: Sequence[str]) -> list[Any]:
        """The cells, without the quotes of those that have them."""
        return [read_text(cell) for cell in cells] if '"' in "".join(cells) else list(cells)


@dataclass(frozen=True)
class Constant:
    """One value for all rows."""

    value: Any
    written: bool = False

    @property
    def head(self) -> str:
        """The value."""
        return f"={LEGEND.scalar(self.value)}"

    def values(self, cells: Sequence[str]) -> list[Any]:
        """The value, for each row."""
        return [self.value] * len(cells)


@dataclass(frozen=True)
class Numbers:
    """Numbers that count the rows."""

    first: int
    written: bool = False

    @property
    def head(self) -> str:
        """The first number."""
        return f"#{self.first}"

    def values(self, cells: Sequence[str]) -> list[Any]:
        """The numbers from the first on."""
        return list(range(self.first, self.first + len(cells)))


@dataclass(frozen=True)
class Times:
    """Days, or instants in UTC or without a zone."""

    shared: str
    """The digits that all begin with."""
    instants: bool
    fraction: bool = False
    zone: str = ""
    written: bool = True

    @property
    def head(self) -> str:
        """The shared digits, then what the cells hold."""
        pattern = _DIGITS if self.instants else _DIGITS[:8]
        return f"<{self.shared}{pattern[len(self.shared) :]}{'.sss' if self.fraction else ''}{self.zone}>"

    def cell(self, value: str) -> str:
        """The cell of a value that `fits`."""
        digits = value.replace("-", "").replace(":", "")
        return digits[len(self.shared) : len(digits) - len(self.zone)]

    def values(self, cells: Sequence[str]) -> list[Any]:
        """The days and instants in ISO 8601's extended form."""
        form = _TIMES[self.instants, self.fraction]
        found = []
        for cell in cells:
            text = self.shared + cell
            if form.fullmatch(text) is None:
                raise ValueError(f"{cell[:40]!r} is not what {self.head} says")
            day = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
            found.append(f"{day}T{text[9:11]}:{text[11:13]}:{text[13:]}{self.zone}" if self.instants else day)
        return found


@dataclass(frozen=True)
class Template:
    """Strings that share some of their parts."""

    parts: tuple[str, ...]
    """What stands before, between and after the places; one more than there are places."""
    sign: str
    """Parts what fills several places."""
    written: bool = True

    @property
    def head(self) -> str:
        """The parts with ``{}`` for the places, and the sign."""
        return f"<{quoted('{}'.join(self.parts))}{self.sign}>"

    def values(self, cells: Sequence[str]) -> list[Any]:
        """The strings."""
        before, after = self.parts[0], self.parts[-1]
        texts = Words().values(cells)
        if len(self.parts) == 2:
            return [before + text + after for text in texts]
        found = []
        for text in texts:
            places = text.split(self.sign)
            if len(places) != len(self.parts) - 1:
                raise ValueError(f"{text[:40]!r} does not fill {self.head}")
            found.append(before + "".join(a + b for a, b in zip(places, self.parts[1:], strict=True)))
        return found


@dataclass(frozen=True)
class Codes:
    """Strings by a code of one letter."""

    meanings: tuple[tuple[str, str], ...]
    """Code and string."""
    written: bool = True

    @property
    def head(self) -> str:
        """The codes with what they mean."""
        return f"({' '.join(f'{code}={LEGEND.text(text)}' for code, text in self.meanings)})"

    def values(self, cells: Sequence[str]) -> list[Any]:
        """What the codes mean."""
        known = dict(self.meanings)
        try:
            return [known[cell] for cell in cells]
        except KeyError as error:
            raise ValueError(f"there is no code {error.args[0][:40]!r}") from error


@dataclass(frozen=True)
class Given:
    """Values that another column decides."""

    by: tuple[str, ...]
    """Path of that column."""
    meanings: tuple[tuple[Any, Any], ...]
    """Its values, and what follows from each."""
    written: bool = False

    @property
    def head(self) -> str:
        """The other column, and what follows from its values."""
        path = ".".join(flow.key(step) if "." not in step else quoted(step) for step in self.by)
        pairs = (f"{LEGEND.scalar(a)}={LEGEND.scalar(b)}" for a, b in self.meanings)
        return f"@{path}({' '.join(pairs)})"

    def values(self, cells: Sequence[Any]) -> list[Any]:
        """What follows from the values (not cells) of the other column."""
        known = {_typed(a): b for a, b in self.meanings}
        try:
            return [known[_typed(cell)] for cell in cells]
        except KeyError as error:
            raise ValueError(f"nothing is said for {error.args[0]!r:.60}") from error


@dataclass(frozen=True)
class Items:
    """Lists of scalars."""

    marks: Marks
    words: bool
    written: bool = True

    @property
    def head(self) -> str:
        """That they are lists, and whether of strings."""
        return "[]:s" if self.words else "[]"

    def values(self, cells: Sequence[str]) -> list[Any]:
        """The lists."""
        codec: Codec = Words() if self.words else Plain()
        split = [[] if cell == "[]" else cut(cell, self.marks.item) for cell in cells]
        flat = iter(codec.values([item for items in split for item in items]))
        return [[next(flat) for _ in items] for items in split]


def _plain(cells: Sequence[str]) -> list[Any]:
    """Values of cells by what they look like: whole columns of one kind at once."""
    joined = "\n".join(cells)
    if _NONE_SPECIAL.search(joined) is None:
        return list(cells)
    if _ALL_WHOLE.fullmatch(joined):
        return list(map(int, cells))
    known: dict[str, Any] = {}
    for cell in set(cells):
        known[cell] = flow_value(cell) if cell[:1] in "{[" else read(cell)
    return _apart([known[cell] for cell in cells])


def _apart(values: list[Any]) -> list[Any]:
    """The values, of which no two share a list or an object that one could change."""
    if not any(isinstance(value, (dict, list)) for value in values):
        return values
    return [copy.deepcopy(value) for value in values]


def flow_value(cell: str) -> Any:
    """The value of a whole cell in flow. Raises `ValueError`."""
    value, end = flow.scan(cell)
    if end != len(cell):
        raise ValueError(f"{cell[end : end + 40]!r} follows a value")
    return value


def _typed(value: Any) -> tuple[type, Any]:
    """A value as a key that tells 1, 1.0 and true apart."""
    return type(value), repr(value) if isinstance(value, float) else value


_NONE_SPECIAL: Final = re.compile(r'^(?:-?[0-9].*|\*[0-9]+|true|false|null|["{\[].*|)$', re.MULTILINE)
_ALL_WHOLE: Final = re.compile(r"(?:-?(?:0|[1-9][0-9]{0,17})(?:\n|\Z))+")
