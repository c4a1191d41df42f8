"""What may stand in the syntax tree of user-written SQL, node by node.

Here belong the lists of node kinds and the checks of a single node; the walk over a tree, and with it the difference
between an expression and a query, is in `guard`. A kind that is not on a list is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from context_plane.sql import functions
from context_plane.sql.syntax import Node, Source

EXPRESSION_CLASSES: Final = frozenset(
    "COLUMN_REF CONSTANT FUNCTION OPERATOR CONJUNCTION COMPARISON BETWEEN CASE CAST TYPE LAMBDA COLLATE".split()
)
QUERY_CLASSES: Final = EXPRESSION_CLASSES | {"STAR", "SUBQUERY", "WINDOW", "POSITIONAL_REFERENCE"}
ROW_OPERATORS: Final = frozenset(
    """OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_COALESCE OPERATOR_TRY COMPARE_IN COMPARE_NOT_IN
    ARRAY_EXTRACT ARRAY_SLICE ARRAY_CONSTRUCTOR STRUCT_EXTRACT""".split()
)
QUERY_OPERATORS: Final = ROW_OPERATORS | {"OPERATOR_UNPACK", "GROUPING_FUNCTION"}
QUERY_NODES: Final = frozenset(
    """SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE SUBQUERY JOIN EMPTY EXPRESSION_LIST PIVOT ORDER_MODIFIER
    LIMIT_MODIFIER DISTINCT_MODIFIER ORDER_DEFAULT ASCENDING DESCENDING""".split()
)
CONSTRUCTS: Final = {
    "STAR": "* stands for many columns",
    "SUBQUERY": "a subquery is not allowed",
    "WINDOW": "a window function works on many rows",
    "LAMBDA": "a lambda or list comprehension is not allowed",
    "PARAMETER": "parameters (?, $1, $name) are not supported",
    "POSITIONAL_REFERENCE": "#1 refers to a column by position",
    "SHOW_REF": "DESCRIBE, SHOW and SUMMARIZE are not allowed",
    "INSERT_QUERY_NODE": "a statement that changes data is not allowed",
    "UPDATE_QUERY_NODE": "a statement that changes data is not allowed",
    "DELETE_QUERY_NODE": "a statement that changes data is not allowed",
}
EXPRESSION_REMEDY: Final = "write an expression over the columns of one row, without SELECT, lambda, OVER or *"
QUERY_REMEDY: Final = "write one SELECT over the tables of the view"


def fold(name: str) -> str:
    """Names differ in case only for A-Z: folding more than DuckDB does would take one table for another."""
    return "".join(each.lower() if each.isascii() else each for each in name)


def check_shape(node: Node, source: Source, classes: Collection[str], operators: Collection[str], remedy: str) -> None:
    """Refuses kinds, operators, types and collations that are not on the lists."""
    kind = node.get("class")
    if kind is None:
        return
    if kind not in classes:
        raise source.error(CONSTRUCTS.get(kind, f"{kind} is not allowed"), remedy, node)
    if kind == "OPERATOR" and node["type"] not in operators:
        raise source.error(f"{node['type']} is not allowed", remedy, node)
    if kind == "TYPE":
        path = node.get("qualified_name", {}).get("path", [])
        if len(path) != 1 or not functions.known_type(path[0]):
            raise source.error(f"there is no type {'.'.join(path)}", "use a type such as INTEGER or VARCHAR", node)
    if kind == "COLLATE" and not functions.COLLATIONS.issuperset(node["collation"].lower().split(".")):
        allowed = ", ".join(sorted(functions.COLLATIONS))
        raise source.error(f"collation {node['collation']} is not allowed", f"use {allowed}", node)


def check_row_function(node: Node, source: Source) -> None:
    """Refuses a call that is not a plain scalar call."""
    if len(node["qualified_name"]["path"]) > 1:
        raise source.error(
            f"{'.'.join(node['qualified_name']['path'])}() is not allowed",
            f"write {node['function_name']}(…) with the value as its first argument",
            node,
        )
    if "filter" in node or node.get("distinct") or node.get("order_bys", {}).get("orders"):
        raise source.error(f"{node['function_name']}() is used as an aggregate", EXPRESSION_REMEDY, node)
    check_function(node, source, query=False)


def check_function(node: Node, source: Source, *, query: bool) -> None:
    """Refuses functions that are not allowed, and the forms of allowed ones that depend on more than arguments."""
    name = node["function_name"].lower()
    arguments = node.get("arguments", [])
    if not (functions.in_query(name) if query else functions.scalar(name)):
        what, remedy = functions.refusal(name, query=query)
        raise source.error(what, remedy, node)
    if name == "age" and len(arguments) < 2:
        raise source.error("age() of one instant depends on the clock", "give age() two instants", node)
    if name in functions.LIST_AGGREGATES and len(arguments) > 1:
        chosen = arguments[1]["expression"].get("literal", {}).get("text", "")
        if not functions.aggregate(chosen):
            raise source.error(f"{name}() needs the name of an aggregate", "write it like 'sum'", node)


def check_column(node: Node, source: Source, *, vouched: bool) -> None:
    """Refuses names that DuckDB reads as the clock or the session, unless the caller vouches for the columns."""
    names = node["column_names"]
    if len(names) == 1 and names[0].lower() in functions.CLOCK_WORDS and not vouched:
        raise source.error(f"{names[0]} is not allowed", "answers may not depend on the clock or the session", node)
