"""What SQL a user may write, in mappings, context specs and `plane.sql`.

Here belongs the decision over trees: everything is refused that is not on a list, so that what a later DuckDB adds is
refused too. The rules for single nodes are `rules`, the functions `functions`; parsing and positions are `syntax`.
Nothing is run here.

An *expression* computes one value from the columns of one row and depends on nothing else. A *query* is one SELECT over
the tables it is given. Both are refused when they could read a file, the network, the clock or the settings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from context_plane.errors import InputError
from context_plane.sql import functions, rules, syntax
from context_plane.sql.inference import infer
from context_plane.sql.syntax import Node, Source


@dataclass(frozen=True)
class Expression:
    """A checked expression: its SQL as DuckDB writes it, the columns it names in order of appearance, and their use.

    A column path is its parts joined by dots (``customer.name``). `numeric` are the columns that are compared or
    computed with numbers, `boolean` those that serve as conditions.
    """

    sql: str
    columns: tuple[str, ...]
    numeric: frozenset[str]
    boolean: frozenset[str]


@dataclass(frozen=True)
class Query:
    """A checked query: its text, and which of the tables offered it reads."""

    sql: str
    tables_used: frozenset[str]


def check_expression(
    text: str, *, where: str, columns: Callable[[str], str] | None = None, condition: bool = False
) -> Expression:
    """One scalar expression that depends on the columns of one row alone.

    `columns` is called with each column path and returns the SQL that stands for it, or raises `InputError` or
    `KeyError` where there is no such column; `Expression.columns` keeps the paths as written. `condition` says that the
    result is used as true or false. Raises `InputError` with the column in `where` and the remedy.
    """
    tree, source = syntax.parse_expression(text, where)
    for node in syntax.walk(tree):
        rules.check_shape(node, source, rules.EXPRESSION_CLASSES, rules.ROW_OPERATORS, rules.EXPRESSION_REMEDY)
        if node.get("class") == "FUNCTION":
            rules.check_row_function(node, source)
        elif node.get("class") == "COLUMN_REF":
            rules.check_column(node, source, vouched=columns is not None)
        elif node.get("class") == "LAMBDA" and node.get("syntax_type") == "LAMBDA_KEYWORD":
            raise source.error(rules.CONSTRUCTS["LAMBDA"], rules.EXPRESSION_REMEDY, node)
    paths = _columns(tree)
    numeric, boolean = infer(tree, condition=condition)
    if columns is not None:
        tree = _replace(tree, {path: _resolve(path, columns, tree, source) for path in paths})
    return Expression(syntax.expression_sql(tree), paths, numeric, boolean)


def rename(expression: Expression, mapping: Mapping[str, str]) -> str:
    """The expression's SQL with its columns replaced by SQL that the plane wrote (never by a user's text).

    A path that is not in `mapping` is looked up by its beginning, so that ``{"a": "x.y"}`` also serves ``a.b``; columns
    of which neither is there stay. Works on the syntax tree.
    """
    tree, _ = syntax.parse_expression(expression.sql, "a checked expression")
    return syntax.expression_sql(_replace(tree, mapping))


def check_query(text: str, *, where: str, tables: Collection[str]) -> Query:
    """Exactly one SELECT over `tables` (and its own CTEs) that calls nothing but allowed functions.

    Raises `InputError` with the line and column in `where` and the remedy.
    """
    tree, source = syntax.parse_query(text, where)
    reader = _QueryCheck(source, {rules.fold(name): name for name in tables})
    try:
        reader.visit(tree, frozenset())
    except RecursionError:
        raise source.error("the query is nested too deeply", "split it with WITH") from None
    return Query(text.strip().rstrip(";").rstrip(), frozenset(reader.used))


class _QueryCheck:
    """Walks a query with the CTE names that are in scope at each place."""

    def __init__(self, source: Source, tables: dict[str, str]) -> None:
        self._source = source
        self._tables = tables
        self.used: set[str] = set()

    def visit(self, node: Any, scope: frozenset[str]) -> None:
        if isinstance(node, list):
            for child in node:
                self.visit(child, scope)
        if not isinstance(node, dict):
            return
        self._check(node, scope)
        if node.get("class") == "CONSTANT":
            return
        for entry in node.get("cte_map", {}).get("map", ()):
            name = rules.fold(entry["key"])
            # Only a recursive CTE sees itself; the name in any other body is a table from outside.
            own = {name} if entry["value"]["query_node"]["type"] == "RECURSIVE_CTE_NODE" else set()
            self.visit(entry["value"], scope | own)
            scope |= {name}
        for key, child in node.items():
            if key != "cte_map":
                self.visit(child, scope)

    def _check(self, node: Node, scope: frozenset[str]) -> None:
        if "sample" in node:
            raise self._source.error("a sample is random", "use ORDER BY and LIMIT", node)
        if "at_clause" in node:
            raise self._source.error("AT (…) is not supported", "ask for the instant with as_of", node)
        if "pivot_enum" in node:
            raise self._source.error("PIVOT needs its values", "list them: PIVOT … ON column IN (…)", node)
        kind = node.get("class")
        if kind is not None:
            self._check_expression(node, kind)
        elif node.get("type") == "BASE_TABLE":
            self._table(node, scope)
        elif node.get("type") == "TABLE_FUNCTION":
            self._table_function(node)
        elif isinstance(node.get("type"), str) and node["type"] not in rules.QUERY_NODES:
            what = rules.CONSTRUCTS.get(node["type"], f"{node['type']} is not allowed")
            raise self._source.error(what, rules.QUERY_REMEDY, node)

    def _check_expression(self, node: Node, kind: str) -> None:
        rules.check_shape(node, self._source, rules.QUERY_CLASSES, rules.QUERY_OPERATORS, rules.QUERY_REMEDY)
        if kind in ("FUNCTION", "WINDOW") and not node.get("from_checked"):
            rules.check_function(node, self._source, query=True)
        elif kind == "COLUMN_REF":
            rules.check_column(node, self._source, vouched=False)

    def _table(self, node: Node, scope: frozenset[str]) -> None:
        path = node["qualified_name"]["path"]
        name = rules.fold(path[-1])
        if len(path) == 1 and name in scope:
            return
        if len(path) > 1 or name not in self._tables:
            known = ", ".join(sorted(self._tables.values())) or "none"
            raise self._source.error(f"there is no table {'.'.join(path)[:80]!r}", f"the tables are: {known}", node)
        self.used.add(self._tables[name])

    def _table_function(self, node: Node) -> None:
        function = node["function"]
        name = function["function_name"].lower()
        if name not in functions.TABLE_FUNCTIONS or len(function["qualified_name"]["path"]) > 1:
            what, remedy = functions.refusal(name, query=True)
            raise self._source.error(what, remedy, node)
        function["from_checked"] = True


def _columns(tree: Node) -> tuple[str, ...]:
    found = (".".join(node["column_names"]) for node in syntax.walk(tree) if node.get("class") == "COLUMN_REF")
    return tuple(dict.fromkeys(found))


def _resolve(path: str, columns: Callable[[str], str], tree: Node, source: Source) -> str:
    try:
        return columns(path)
    except (InputError, KeyError) as error:
        nodes = (node for node in syntax.walk(tree) if node.get("class") == "COLUMN_REF")
        place = next(node for node in nodes if ".".join(node["column_names"]) == path)
        what, remedy = (error.what, error.remedy) if isinstance(error, InputError) else ("", "")
        raise source.error(what or f"there is no column {path}", remedy or "name a column that exists", place) from None


def _replace(node: Any, mapping: Mapping[str, str]) -> Any:
    """The tree with every column of `mapping` replaced by the tree of its SQL."""
    if isinstance(node, list):
        return [_replace(child, mapping) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("class") == "COLUMN_REF":
        return _replacement(node, mapping)
    return {key: _replace(child, mapping) for key, child in node.items()}


def _replacement(node: Node, mapping: Mapping[str, str]) -> Node:
    names: list[str] = node["column_names"]
    for length in range(len(names), 0, -1):
        sql = mapping.get(".".join(names[:length]))
        if sql is None:
            continue
        found: Node = json.loads(syntax.trusted(sql))
        for name in names[length:]:
            field = {"class": "CONSTANT", "type": "VALUE_CONSTANT", "literal": {"kind": "STRING", "text": name}}
            found = {"class": "OPERATOR", "type": "STRUCT_EXTRACT", "children": [found, field]}
        return found
    return node
