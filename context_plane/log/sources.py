"""Opens the file of a source mapping: its rows, its columns, and how their text becomes values.

Here belongs the choice of reader by format, and the check that a file has the columns a mapping names.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical
from context_plane.errors import InputError
from context_plane.log.csv_rows import CONVERTERS, CsvRows
from context_plane.log.json_rows import JsonRows
from context_plane.log.row_filter import RowFilter, kept

if TYPE_CHECKING:
    from context_plane.log.mapping import Mapping, Rows

_LISTED: Final = 40


@dataclass(frozen=True)
class Opened:
    """The rows of a file that a mapping's `where` keeps, its columns, and what makes values of columns of text.

    `encode` gives the canonical JSON of a row.
    """

    rows: Rows
    columns: tuple[str, ...]
    converters: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    encode: Callable[[dict[str, Any]], bytes] = canonical


def open_rows(mapping: Mapping, path: str, max_row_bytes: int) -> Opened:
    """The rows of a file. Raises `InputError` where it lacks a column, and whatever its reader raises."""
    if path == "-" or (os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)):
        raise InputError("a source mapping reads files", where=path, remedy="save the stream to a file first")
    if mapping.file.format == "csv":
        return _csv(mapping, path, max_row_bytes)
    if mapping.file.format == "jsonl":
        return _jsonl(mapping, path, max_row_bytes)
    return _parquet(mapping, path)


def _csv(mapping: Mapping, path: str, max_row_bytes: int) -> Opened:
    source = CsvRows(path, delimiter=mapping.file.delimiter, max_row_bytes=max_row_bytes)
    _check_columns(mapping, path, source.columns)
    fixed: dict[str, str] = dict(mapping.file.types)
    needed = dict.fromkeys([*mapping.data_columns(source.columns), *(mapping.where.columns if mapping.where else ())])
    undecided = [name for name in needed if name not in fixed]
    kinds = fixed | (source.kinds(undecided) if undecided else {})
    rows = source.read()
    if mapping.where is not None:
        rows = kept(rows, RowFilter(mapping.where, kinds, mapping.document.place("where")))
    converters = {name: CONVERTERS[kind] for name, kind in kinds.items() if kind in CONVERTERS}
    return Opened(rows, source.columns, converters, source.canonical)


def _jsonl(mapping: Mapping, path: str, max_row_bytes: int) -> Opened:
    source = JsonRows(path, max_row_bytes=max_row_bytes)
    wanted = {name for names in mapping.columns().values() for name in names}
    paths = mapping.where.columns if mapping.where else ()
    # Without `data` every key of the file is wanted, so all of it must be seen.
    columns = source.columns(wanted if mapping.file.data is not None and not paths else None)
    _check_columns(mapping, path, columns)
    rows = source.read()
    if mapping.where is not None:
        rows = kept(rows, RowFilter(mapping.where, source.kinds(paths), mapping.document.place("where")))
    return Opened(rows, columns)


def _parquet(mapping: Mapping, path: str) -> Opened:
    from context_plane.log.parquet_rows import ParquetRows

    source = ParquetRows(path, mapping.where, mapping.document.place("where"))
    _check_columns(mapping, path, source.columns)
    return Opened(source.read(), source.columns)


def _check_columns(mapping: Mapping, path: str, columns: tuple[str, ...]) -> None:
    """Every column that the mapping names is there, and no constant is meant to be one."""
    known = set(columns)
    for key, names in mapping.columns().items():
        for name in names:
            if name not in known:
                raise _missing(mapping, path, columns, name, key)
    for name in mapping.where.columns if mapping.where else ():
        if name not in known and name.split(".")[0] not in known:
            raise _missing(mapping, path, columns, name, ("where",))
    used = {*mapping.data_columns(columns), *(mapping.where.columns if mapping.where else ())}
    for key in [key for key in mapping.columns() if key[0] in ("json", "types")]:
        name = mapping.columns()[key][0]
        if name not in used:
            raise mapping.document.error(f"column {name!r} is not kept", "list it under data, or leave this out", key)
    for constant, text in (("subject", mapping.file.subject), ("type", mapping.file.type)):
        if text in known:
            what = f"{text!r} is a constant and a column"
            raise mapping.document.error(what, f"write {{{text}}} for the column", constant)


def _missing(
    mapping: Mapping, path: str, columns: tuple[str, ...], name: str, key: tuple[str | int, ...]
) -> InputError:
    near = get_close_matches(name, columns, n=1)
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    remedy = f"{path} has {', '.join(columns[:_LISTED])}{more}"
    return mapping.document.error(
        f"there is no column {name!r}", f"did you mean {near[0]}? {remedy}" if near else remedy, key
    )
