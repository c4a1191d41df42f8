"""SQL that a spec's author wrote: the conditions (`where`) and expressions (`expr`) of fields, checked and typed.

Here belongs what such SQL may name and which type each name has. That it reads no file, clock or network is decided in
`context_plane.sql.guard`; the SQL that the plane writes around it is `compile`.

JSON has no declared types, so a name's type comes from how it is used (`where`) or from its operator (`expr`). DuckDB
binds every expression once when the spec is read, so that ``plan + 1`` over text fails there and not in a pack.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from context_plane.bundles.fields import PSEUDO_FIELDS, Field, Locate, data_path, nearest, refuse
from context_plane.errors import InputError

if TYPE_CHECKING:
    import duckdb

    from context_plane.sql.guard import Expression

# SQL types of what an expression sees, by kind.
SQL_TYPES: Final = {
    "count": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "time": "TIMESTAMP",
    "text": "VARCHAR",
}
_BIND_LOCK: Final = threading.Lock()  # one connection serves one statement at a time


@dataclass(frozen=True, slots=True)
class Condition:
    """A field's `where`: checked SQL over normalised targets, the kind in which it reads each of them, and the target
    that is read from strings too because the field says its type."""

    expression: Expression
    kinds: Mapping[str, str]
    loose: str | None


@dataclass(frozen=True, slots=True)
class Derived:
    """An `expr` field: SQL over the columns ``f0``, ``f1`` … of all fields, and what it names; its value is a ``time``
    or can be written as ``json``."""

    name: str
    sql: str
    uses: tuple[str, ...]
    kind: str


def condition(field: Field, where: str = "") -> Condition | None:
    """The checked `where` of a field. Raises `InputError` where it is not allowed or does not fit its types."""
    if field.where is None:
        return None
    from context_plane.sql import engine, guard

    def column(path: str) -> str:
        return engine.identifier(data_path(path, where))

    checked = guard.check_expression(field.where, where=where, columns=column, condition=True)
    kinds: dict[str, str] = {}
    for path in checked.columns:
        target = data_path(path, where)
        if target in PSEUDO_FIELDS:
            kinds[target] = "time" if target == "time" else "text"
        elif target == field.target and field.type:
            kinds[target] = field.type
        else:
            found = "number" if path in checked.numeric else "boolean" if path in checked.boolean else "text"
            kinds[target] = found if kinds.get(target, "text") == "text" else kinds[target]
    sql = f"TRY(CAST(({checked.sql}) AS BOOLEAN))"
    remedy = "a data field is text unless it is compared or computed with numbers or booleans; CAST what you need"
    _bind(sql, {name: SQL_TYPES[kind] for name, kind in kinds.items()}, where, remedy)
    loose = field.target if field.type and isinstance(field.target, str) else None
    return Condition(checked, kinds, loose)


def derive(fields: Sequence[Field], at: Locate) -> tuple[Derived, ...]:
    """The `expr` fields, each behind those it names. Raises `InputError`, for circles with the path."""
    from context_plane.sql import guard

    columns = {field.name: f"f{index}" for index, field in enumerate(fields)}
    lists = {field.name for field in fields if field.operator == "list"}

    def column(path: str) -> str:
        if path in lists:
            refuse(f"{path} is a list", "", "an expression takes single values; use count or latest")
        if path not in columns:
            refuse(f"there is no field {path[:80]!r}", "", nearest(path, tuple(columns)))
        return columns[path]

    checked = {
        field.name: guard.check_expression(field.target, where=at(field.name, "expr"), columns=column)
        for field in fields
        if field.operator == "expr" and isinstance(field.target, str)
    }
    plain = [field for field in fields if field.operator not in ("expr", "list")]
    types = {columns[field.name]: SQL_TYPES[value_kind(field)] for field in plain}
    found: list[Derived] = []
    for name in _order({name: each.columns for name, each in checked.items()}, at):
        sql = f"TRY({checked[name].sql})"
        remedy = "latest and first are text in an expression unless the field says type: number, boolean or time"
        types[columns[name]] = _bind(sql, types, at(name, "expr"), remedy)
        found.append(
            Derived(
                name, sql, checked[name].columns, "time" if types[columns[name]].startswith("TIMESTAMP") else "json"
            )
        )
    return tuple(found)


def value_kind(field: Field) -> str:
    """The kind in which an expression sees a field that is not itself an expression."""
    if field.operator in ("count", "count_distinct"):
        return "count"
    if field.operator == "exists":
        return "boolean"
    if field.operator in ("sum", "avg"):
        return "number"
    if field.target in PSEUDO_FIELDS:
        return "time" if field.target == "time" else "text"
    return field.type or ("number" if field.operator in ("min", "max") else "text")


def _order(uses: Mapping[str, Iterable[str]], at: Locate) -> list[str]:
    """The expressions, each behind those it names."""
    done: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycle = " → ".join((*path[path.index(name) :], name))
            refuse(f"expressions name each other in a circle: {cycle}", at(name, "expr"), "break the circle")
        if name in done or name not in uses:
            return
        for other in uses[name]:
            visit(other, (*path, name))
        done[name] = None

    for name in uses:
        visit(name, ())
    return list(done)


def _bind(sql: str, types: Mapping[str, str], where: str, remedy: str) -> str:
    """The type of an expression over columns of these types, as DuckDB names it."""
    import duckdb

    from context_plane.sql import engine

    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {engine.identifier(name)}" for name, kind in types.items())
    try:
        with _BIND_LOCK:
            return str(_binder().sql(f"SELECT {sql} AS result FROM (SELECT {nulls or 'NULL AS nothing'})").types[0])
    except duckdb.Error as error:
        what = str(error).partition("\n")[0].partition(": ")[2] or str(error)
        raise InputError(f"the SQL does not fit its values: {what}", where=where, remedy=remedy) from error


@cache
def _binder() -> duckdb.DuckDBPyConnection:
    from context_plane.sql import engine

    con = engine.connect(threads=1)
    engine.lock(con)
    return con
