"""CSV files as rows of text, each with the line on which it begins.

Here belong RFC 4180, the header, and which columns hold numbers. DuckDB's own reader is not used for this: it ends
silently where a compressed file is cut off, does not say on which line a row with line breaks began, and gives up a
file for one bad row.

A column holds numbers when every value in the whole file is one as JSON writes it, with at most 15 digits before the
point and no leading zero (``00001`` is an identifier), and booleans when every value is true or false. Everything else
is text as written, dates too. An empty field is no value.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from json.encoder import encode_basestring as quote
from typing import Any, Final

from context_plane.errors import InputError
from context_plane.log.compressed import plain
from context_plane.log.readers import Bad, open_chunks
from context_plane.log.templates import RowError

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]+", re.ASCII)
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DELIMITERS: Final = ",;\t|"
_MAX_LINE: Final = 64 * 1024 * 1024
_MAX_REREAD: Final = 1024 * 1024 * 1024  # characters read again behind quotes that are not closed
_SHOWN: Final = 1_000


class CsvRows:
    """The rows of a CSV file. `columns` are its header; reading twice reads the file twice."""

    def __init__(self, path: str, *, delimiter: str | None = None, max_row_bytes: int) -> None:
        self._path = path
        # The limit is the module's: raised for all, never lowered under another reader.
        csv.field_size_limit(max(csv.field_size_limit(), max_row_bytes))
        header = next(self._lines(), None)
        if header is None or not header.strip():
            raise InputError("the file has no header", where=path, remedy="give every column a name in the first line")
        # The header decides: none of the candidates is likely in a column's name.
        self._delimiter = delimiter or max(_DELIMITERS, key=header.count)
        self.columns = self._header()
        names = sorted(self.columns, key=lambda name: name.encode("utf-16-be"))
        self._keys = [(name, f"{quote(name)}:") for name in names]

    def read(self) -> Iterator[tuple[int, dict[str, str] | Bad]]:
        """``(line, row)``, where a row that cannot be read is a `Bad`."""
        records = self._records()
        next(records)
        width = len(self.columns)
        for line, record in records:
            if isinstance(record, Bad):
                yield line, record
            elif len(record) == width:
                yield line, {name: value for name, value in zip(self.columns, record, strict=True) if value}
            elif record:
                reason = f"the row has {len(record)} fields, the header has {width}; quote fields that hold a delimiter"
                yield line, Bad(line, reason, self._delimiter.join(record)[:_SHOWN])

    def canonical(self, row: Mapping[str, str]) -> bytes:
        """`canonical.canonical` of a row, eight times as fast because keys are known and values are text."""
        return ("{" + ",".join([key + quote(row[name]) for name, key in self._keys if name in row]) + "}").encode()

    def kinds(self, columns: Iterable[str]) -> dict[str, str]:
        """``number``, ``boolean`` or ``text`` for each column, from all rows of the file."""
        possible = {name: {"number", "boolean"} for name in columns}
        seen: set[str] = set()
        open_columns = list(possible)
        for _, row in self.read():
            if isinstance(row, Bad):
                continue
            for name in open_columns:
                if value := row.get(name):
                    seen.add(name)
                    if not _narrow(possible[name], value):
                        open_columns = [each for each in open_columns if possible[each]]
        return {name: kinds.pop() if name in seen and kinds else "text" for name, kinds in possible.items()}

    def _header(self) -> tuple[str, ...]:
        first = next(self._records())[1]
        if isinstance(first, Bad):
            raise InputError(f"the header cannot be read: {first.reason}", where=self._path, remedy="repair line 1")
        for index, name in enumerate(first):
            if not name.strip():
                raise InputError(f"column {index + 1} has no name", where=f"{self._path}, line 1", remedy="name it")
            if name in first[:index]:
                raise InputError(
                    f"column {name!r} is there twice", where=f"{self._path}, line 1", remedy="rename one of them"
                )
        return tuple(first)

    def _records(self) -> Iterator[tuple[int, list[str] | Bad]]:
        """Records with the line on which they begin.

        After a broken one, reading goes on behind its first line: a quote that is never closed costs one row, not all
        the rows behind it.
        """
        lines = _Counted(self._lines(), self._path)
        records = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            lines.begin()
            try:
                record = next(records)
            except StopIteration:
                return
            except csv.Error as error:
                yield lines.first, Bad(lines.first, f"not CSV: {error}", lines.give_back()[:_SHOWN])
                continue
            if lines.damaged:
                yield lines.first, Bad(lines.first, "not UTF-8; save the file as UTF-8", lines.text()[:_SHOWN])
                continue
            yield lines.first, record

    def _lines(self) -> Iterator[str]:
        where, chunks = open_chunks(self._path)
        tail, number = b"", 0
        for chunk in plain(chunks, where):
            lines = (tail + chunk).split(b"\n") if tail else chunk.split(b"\n")
            tail = lines.pop()
            for line in lines:
                yield _decoded(line, first=number == 0) + "\n"
                number += 1
            if len(tail) > _MAX_LINE:
                raise InputError(
                    "a line is longer than 64 MiB", where=f"{where}, line {number + 1}", remedy="split the file"
                )
        if tail:
            yield _decoded(tail, first=number == 0)


def _narrow(kinds: set[str], value: str) -> bool:
    """Drops the kinds that a value is not of; whether any is left."""
    if "number" in kinds and _NUMBER.fullmatch(value) is None:
        kinds.discard("number")
    if "boolean" in kinds and value not in _BOOLEANS:
        kinds.discard("boolean")
    return bool(kinds)


class _Counted:
    """Lines as `csv` takes them, with what a record that is being read has taken so far."""

    def __init__(self, lines: Iterator[str], path: str) -> None:
        self._lines = lines
        self._path = path
        self._number = 0
        self._taken: list[str] = []
        self._returned: deque[str] = deque()
        self._budget = _MAX_REREAD
        self.first = 1
        self.damaged = False

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self._number += 1
        self._taken.append(line)
        if not line.isascii() and not line.isprintable() and _SURROGATE.search(line):
            self.damaged = True
        return line

    def begin(self) -> None:
        """The next record begins."""
        self.first = self._number + 1
        self._taken.clear()
        self.damaged = False

    def give_back(self) -> str:
        """Returns all but the first line of the record, which is returned to the caller as text for people."""
        self._budget -= sum(map(len, self._taken))
        if self._budget < 0:
            raise InputError(
                "too many quotes are not closed", where=f"{self._path}, line {self.first}", remedy="is this CSV?"
            )
        self._returned.extendleft(reversed(self._taken[1:]))
        self._number = self.first
        return self.text()

    def text(self) -> str:
        """The first line of the record, for people."""
        return self._taken[0].encode(errors="surrogateescape").decode(errors="replace")


_SURROGATE: Final = re.compile(r"[\udc80-\udcff]")


def _decoded(line: bytes, *, first: bool) -> str:
    # Bytes that are not UTF-8 are carried as surrogates to their row, so that only this row is bad.
    return line.decode("utf-8-sig" if first else "utf-8", errors="surrogateescape")


def to_number(text: str) -> int | float:
    """The number that a text is. Raises `RowError` for anything else."""
    try:
        return int(text) if _INTEGER.fullmatch(text) else float(text)
    except ValueError:
        raise RowError(f"{text[:40]!r} is not a number") from None


def to_boolean(text: str) -> bool:
    """The boolean that a text is. Raises `RowError` for anything else."""
    if text not in _BOOLEANS:
        raise RowError(f"{text[:40]!r} is neither true nor false")
    return _BOOLEANS[text]


CONVERTERS: Final[Mapping[str, Callable[[str], Any]]] = {"number": to_number, "boolean": to_boolean}
