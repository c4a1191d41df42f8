"""SQL text to DuckDB's own syntax tree and back.

Here belong parsing, unparsing and positions. Which trees are allowed is decided in `guard`. DuckDB parses, so that what
is checked is what would run; the tree is the JSON of `json_serialize_sql` from the bundled json extension.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import duckdb

from context_plane.errors import InputError
from context_plane.sql import engine

Node = dict[str, Any]

MAX_EXPRESSION_CHARS: Final = 10_000
MAX_QUERY_CHARS: Final = 100_000
# DuckDB's own limit is 1,000; a tree that deep exhausts Python's stack when its JSON is read.
_MAX_DEPTH: Final = 150
_OPEN, _CLOSE = "SELECT (", "\n)"  # the line break ends a comment that the user's text may end in
_SERIALIZE: Final = "SELECT json_serialize_sql(?::VARCHAR, skip_default := true, skip_empty := true, skip_null := true)"
_LOCK: Final = threading.Lock()


class Source:
    """The text a tree was parsed from: turns DuckDB's byte offsets into places a person can look up."""

    def __init__(self, text: str, where: str, *, shift: int = 0) -> None:
        self.text = text
        self.where = where
        self.shift = shift

    def error(self, what: str, remedy: str, at: int | Node | None = None) -> InputError:
        """An `InputError` that names the line (where the text has several) and column of `at`, both from 1."""
        if isinstance(at, dict):
            at = next((found["query_location"] for found in walk(at) if "query_location" in found), None)
        if at is None:
            return InputError(what, where=self.where, remedy=remedy)
        before = self.text.encode()[: max(0, at - self.shift)].decode(errors="ignore")
        column = len(before) - (before.rfind("\n") + 1) + 1
        line = f"line {before.count(chr(10)) + 1}, " if "\n" in self.text.strip() else ""
        return InputError(what, where=f"{self.where}, {line}column {column}", remedy=remedy)

    def ends_before(self, at: int) -> bool:
        """Whether a byte offset lies behind the end of the text."""
        return at - self.shift >= len(self.text.encode().rstrip())


def parse_expression(text: str, where: str) -> tuple[Node, Source]:
    """The tree of one expression. Raises `InputError` where the text is anything else."""
    source = Source(text, where, shift=len(_OPEN))
    _check_size(text, MAX_EXPRESSION_CHARS, source)
    statements = _statements(f"{_OPEN}{text}{_CLOSE}", source)
    alone = source.error("this is more than one SQL expression", "write one expression, without SELECT, ; or FROM")
    if len(statements) != 1:
        raise alone
    node = statements[0]["node"]
    plain = {"type", "cte_map", "select_list", "from_table", "aggregate_handling"}
    if node["type"] != "SELECT_NODE" or not plain.issuperset(node) or node["from_table"]["type"] != "EMPTY":
        raise alone
    if len(node["select_list"]) != 1 or node["cte_map"] or "alias" in node["select_list"][0]:
        raise alone
    expression: Node = node["select_list"][0]
    if expression.get("query_location", source.shift) < source.shift:
        raise alone  # it begins with our own parenthesis: `a, b` became a tuple
    return expression, source


def parse_query(text: str, where: str) -> tuple[Node, Source]:
    """The tree of the one statement in `text`. Raises `InputError` where it is not exactly one SELECT."""
    source = Source(text, where)
    _check_size(text, MAX_QUERY_CHARS, source)
    statements = _statements(text, source)
    if len(statements) != 1:
        raise source.error(f"{len(statements)} statements were given", "write exactly one SELECT")
    if statements[0].get("named_param_map"):
        raise source.error("parameters (?, $1, $name) are not supported", "write the values into the query")
    node: Node = statements[0]["node"]
    return node, source


def expression_sql(node: Node) -> str:
    """SQL text of an expression's tree."""
    select = {"type": "SELECT_NODE", "cte_map": {}, "select_list": [node], "from_table": {"type": "EMPTY"}}
    select["aggregate_handling"] = "STANDARD_HANDLING"
    tree = json.dumps({"error": False, "statements": [{"node": select}]})
    with _LOCK:
        row = _connection().execute("SELECT json_deserialize_sql(?::JSON)", [tree]).fetchone()
    assert row is not None
    return str(row[0]).removeprefix("SELECT ")


@cache
def trusted(text: str) -> str:
    """JSON of the tree of an expression that the plane itself wrote."""
    return json.dumps(parse_expression(text, "a replacement")[0])


def walk(node: Any) -> Iterator[Node]:
    """Every object of a tree, parents before their children, in the order of the text as far as the tree has it."""
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from walk(child)


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    con = engine.connect(threads=1)
    con.execute(f"SET max_expression_depth = {_MAX_DEPTH}")
    engine.lock(con)
    return con


def _check_size(text: str, limit: int, source: Source) -> None:
    if not text.strip():
        raise source.error("the SQL is empty", "write an expression, or leave the key out")
    if len(text) > limit:
        raise source.error(f"the SQL has {len(text)} characters", f"use at most {limit}")
    if "\0" in text:
        raise source.error("the SQL holds a NUL character", "remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise source.error("the SQL holds a lone surrogate", "write valid Unicode") from None


def _statements(sql: str, source: Source) -> list[Node]:
    try:
        with _LOCK:
            row = _connection().execute(_SERIALIZE, [sql]).fetchone()
        assert row is not None
        tree = json.loads(row[0])
    except (duckdb.Error, RecursionError) as error:
        raise source.error("the SQL cannot be parsed", "make it shorter and less nested") from error
    if not tree["error"]:
        statements: list[Node] = tree["statements"]
        return statements
    message = str(tree["error_message"])
    if tree["error_type"] != "parser":
        raise source.error("this is not a SELECT", "only SELECT statements are allowed, and PIVOT needs IN (…)")
    if "depth" in message:
        raise source.error("the SQL is nested too deeply", f"nest at most {_MAX_DEPTH} levels")
    at = int(tree["position"]) if "position" in tree else None
    if at is not None and source.ends_before(at):
        raise source.error("the SQL ends too early", "finish the expression and close what is open", at)
    remedy = "use DuckDB's SQL; put a column whose name is a keyword in double quotes"
    raise source.error(f"not SQL: {message}", remedy, at)
