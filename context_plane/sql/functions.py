"""Which functions and types user-written SQL may name, computed from DuckDB's own catalogue.

Here belongs the allow-list: a function is allowed because the catalogue says that it depends on its arguments alone,
and because it is not among the few for which the catalogue is wrong or that show the engine instead of the data. Where
in a tree functions may stand is decided in `rules` and `guard`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Final

from context_plane.sql import engine, syntax

# Marked as depending on their arguments alone, but they read the clock, the settings or the engine's version, run or
# show SQL, or change with the engine's release (`hash`, ICU collations).
_DENIED: Final = frozenset(
    """version hash invoke alias stats vector_type cast_to_type can_cast_implicitly create_sort_key index_key
    constant_or_null parse_duckdb_log_message hive_partition_component finalize combine combine_aggr to_aggregate_state
    get_type make_type replace_type remap_struct getenv getvariable error sleep_ms reservoir_quantile ago
    user session_user assert_true get_block_size query query_table""".split()
)
_DENIED_NAMES: Final = re.compile(
    r"(__internal|current_|localtime|get_current|json_serialize|json_deserialize|json_execute|json_copy|collate_|icu_"
    r"|pg_|duckdb_|pragma_|read_|write_|parquet_|sniff_|inet_|which_).*"
)
# Words that DuckDB reads as functions of the clock or session where no column has that name.
CLOCK_WORDS: Final = frozenset(
    """current_date current_time current_timestamp localtime localtimestamp current_user current_role current_schema
    current_catalog session_user""".split()
)
LIST_AGGREGATES: Final = frozenset("list_aggregate list_aggr array_aggregate array_aggr aggregate".split())
TABLE_FUNCTIONS: Final = frozenset("unnest range generate_series json_each json_tree".split())
COLLATIONS: Final = frozenset("nocase noaccent nfc binary".split())
# Ordered-set aggregates and macros over aggregates that the walk over macro bodies would refuse for calling `error`.
_TRUSTED_AGGREGATES: Final = frozenset({"json_group_object"})
_NUMERIC_TYPES: Final = frozenset(
    """tinyint smallint integer bigint hugeint utinyint usmallint uinteger ubigint uhugeint float double decimal
    bignum""".split()
)


@dataclass(frozen=True)
class Signature:
    """The parameter and return kinds of one overload: ``numeric``, ``boolean``, ``other`` or ``any``."""

    parameters: tuple[str, ...]
    returns: str


@dataclass(frozen=True)
class _Catalogue:
    kinds: dict[str, set[str]]
    unstable: set[str]
    macros: dict[str, list[tuple[tuple[str, ...], str]]]
    signatures: dict[str, list[Signature]]
    types: frozenset[str]


def scalar(name: str) -> bool:
    """Whether a scalar function or macro of this name may stand in an expression."""
    return _allowed(name.lower(), False, frozenset())


def in_query(name: str) -> bool:
    """Whether a function of this name may stand in the expressions of a whole query."""
    name = name.lower()
    return name in _TRUSTED_AGGREGATES or name == "unnest" or _allowed(name, True, frozenset())


def aggregate(name: str) -> bool:
    """Whether this is an aggregate that depends on its rows alone."""
    name = name.lower()
    return "aggregate" in _catalogue().kinds.get(name, ()) and not _denied(name)


def known_type(name: str) -> bool:
    """Whether a type of this name exists."""
    return name.lower() in _catalogue().types


def signatures(name: str) -> list[Signature]:
    """The overloads of a scalar function."""
    return _catalogue().signatures.get(name.lower(), [])


def type_kind(name: str | None) -> str:
    """``numeric``, ``boolean``, ``any`` (a template or unknown) or ``other`` for a type's name."""
    if not name or name.upper() in ("ANY", "T", "K", "V", "UNKNOWN", '"NULL"') or name.startswith("TEMPLATE"):
        return "any"
    name = name.lower().split("(")[0]
    if name in _NUMERIC_TYPES:
        return "numeric"
    return "boolean" if name in ("boolean", "bool") else "other"


def refusal(name: str, *, query: bool) -> tuple[str, str]:
    """What is wrong with a function that is not allowed, and the remedy."""
    name = name.lower()
    kinds = _catalogue().kinds.get(name, set())
    if not query and (kinds & {"aggregate", "window"} or in_query(name)):
        return f"{name}() works on many rows", "write an expression over the columns of one row"
    if query and kinds and kinds <= {"table", "table_macro", "pragma"}:
        tables = ", ".join(sorted(TABLE_FUNCTIONS))
        return f"function {name}() is not allowed", f"the table functions allowed are {tables}, in FROM"
    if kinds or _denied(name):
        return (
            f"function {name}() is not allowed",
            "use functions that depend on their arguments alone: no clock, randomness, files, network or settings",
        )
    near = get_close_matches(name, [known for known in _catalogue().kinds if scalar(known)], n=3)
    return f"there is no function {name}()", f"did you mean {' or '.join(near)}?" if near else "use DuckDB's functions"


def _denied(name: str) -> bool:
    return name in _DENIED or _DENIED_NAMES.fullmatch(name) is not None


def _allowed(name: str, query: bool, inside: frozenset[str]) -> bool:
    """Every overload is a stable function of an allowed kind, or a macro that calls nothing but such functions."""
    catalogue = _catalogue()
    kinds = catalogue.kinds.get(name, set())
    callable_kinds = kinds - {"table", "table_macro", "pragma"}  # `range` is a scalar and a table function
    rows = {"aggregate", "window"} if query else set()
    if not callable_kinds or _denied(name) or name in catalogue.unstable:
        return False
    if not callable_kinds <= {"scalar", "macro"} | rows:
        return False
    if "macro" not in kinds:
        return True
    if name in inside:
        return False
    return all(_macro_allowed(macro, query, inside | {name}) for macro in catalogue.macros[name])


def _macro_allowed(macro: tuple[tuple[str, ...], str], query: bool, inside: frozenset[str]) -> bool:
    parameters, body = macro
    for node in syntax.walk(syntax.parse_expression(body, "a macro")[0]):
        kind = node.get("class")
        if kind in ("SUBQUERY", "STAR", "WINDOW", "PARAMETER"):
            return False
        called = node["function_name"].lower() if kind == "FUNCTION" else None
        if called and not _allowed(called, query, inside) and not (query and called == "unnest"):
            return False
        if kind == "COLUMN_REF" and node["column_names"][0] not in parameters:
            return False
    return True


@cache
def _catalogue() -> _Catalogue:
    con = engine.connect(threads=1)
    kinds, macros, found = defaultdict(set), defaultdict(list), defaultdict(list)
    unstable = set()
    rows = con.execute(
        "SELECT lower(function_name), function_type, stability, parameters, parameter_types, return_type, "
        "macro_definition, schema_name FROM duckdb_functions()"
    )
    for name, kind, stability, parameters, types, returns, body, schema in rows.fetchall():
        kinds[name].add(kind if schema == "main" else "catalog")  # pg_catalog shows the engine, not the data
        if kind == "macro":
            macros[name].append((tuple(parameters), body))
        elif kind == "scalar":
            if stability != "CONSISTENT":
                unstable.add(name)
            found[name].append(Signature(tuple(type_kind(each) for each in types), type_kind(returns)))
    types = con.execute("SELECT DISTINCT lower(type_name) FROM duckdb_types()").fetchall()
    con.close()
    return _Catalogue(dict(kinds), unstable, dict(macros), dict(found), frozenset(name for (name,) in types))
