"""Which columns of an expression are used as numbers and which as conditions.

JSON fields have no declared type, so the caller that reads a column out of JSON asks here how the expression uses it.
What it then does with the answer (casts) belongs to the caller. Columns that are compared with each other share what is
known about either. Nothing here refuses anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from context_plane.sql import functions
from context_plane.sql.syntax import Node

_ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "//", "%", "**", "^", "@"})
# Functions whose arguments, or those from the given index on, are of one type that is also what they return.
_SAME: Final = {"coalesce": 0, "ifnull": 0, "greatest": 0, "least": 0, "nullif": 0, "if": 1}
_LITERALS: Final = {"INTEGER": "numeric", "NUMERIC": "numeric", "BOOLEAN": "boolean", "NULL_LITERAL": "any"}


def infer(node: Node, *, condition: bool) -> tuple[frozenset[str], frozenset[str]]:
    """The columns used as numbers and those used as conditions; `condition` says that the whole is one."""
    uses = _Uses()
    term = uses.visit(node)
    if condition:
        uses.mark(term, "boolean")
    numeric = uses.marked("numeric")
    return numeric, uses.marked("boolean") - numeric


class _Column(str):
    """A column as the value of a subexpression, to tell it from a kind."""


class _Uses:
    """Union-find over columns, with the kinds that were found for each group."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._kinds: dict[str, set[str]] = {}
        self._rules: dict[str, Callable[[Node], str]] = {
            "COLUMN_REF": self._column,
            "CONSTANT": self._constant,
            "FUNCTION": self._function,
            "OPERATOR": self._operator,
            "CONJUNCTION": self._conjunction,
            "COMPARISON": self._comparison,
            "BETWEEN": self._comparison,
            "CASE": self._case,
            "CAST": self._cast,
        }

    def marked(self, kind: str) -> frozenset[str]:
        return frozenset(name for name in self._parent if kind in self._kinds.get(self._root(name), ()))

    def mark(self, term: str, kind: str) -> None:
        if isinstance(term, _Column) and kind != "any":
            self._kinds.setdefault(self._root(term), set()).add(kind)

    def visit(self, node: Node) -> str:
        """The kind of the value of `node`, or the column that it is."""
        rule = self._rules.get(node["class"])
        if rule is not None:
            return rule(node)
        for child in _children(node):
            self.visit(child)
        return "other"

    def _column(self, node: Node) -> str:
        name = _Column(".".join(node["column_names"]))
        self._parent.setdefault(name, name)
        return name

    def _constant(self, node: Node) -> str:
        return _LITERALS.get(node.get("literal", {}).get("kind", ""), "other")

    def _comparison(self, node: Node) -> str:
        self._same([self.visit(child) for child in _children(node)])
        return "boolean"

    def _conjunction(self, node: Node) -> str:
        for child in node["children"]:
            self.mark(self.visit(child), "boolean")
        return "boolean"

    def _function(self, node: Node) -> str:
        name = node["function_name"].lower()
        terms = [self.visit(argument["expression"]) for argument in node.get("arguments", ())]
        if name in _SAME:
            if name == "if" and terms:
                self.mark(terms[0], "boolean")
            return self._same(terms[_SAME[name] :])
        if name in _ARITHMETIC:
            if "other" in terms:  # a date plus an interval, or lists
                return "other"
            for term in terms:
                self.mark(term, "numeric")
            return "numeric"
        overloads = [each for each in functions.signatures(name) if len(each.parameters) == len(terms)]
        for index, term in enumerate(terms):
            kinds = {each.parameters[index] for each in overloads}
            self.mark(term, kinds.pop() if len(kinds) == 1 else "any")
        returns = {each.returns for each in overloads}
        return returns.pop() if len(returns) == 1 else "any"

    def _operator(self, node: Node) -> str:
        terms = [self.visit(child) for child in node["children"]]
        match node["type"]:
            case "OPERATOR_NOT":
                self.mark(terms[0], "boolean")
                return "boolean"
            case "COMPARE_IN" | "COMPARE_NOT_IN":
                self._same(terms)
                return "boolean"
            case "OPERATOR_IS_NULL" | "OPERATOR_IS_NOT_NULL":
                return "boolean"
            case "OPERATOR_COALESCE" | "OPERATOR_TRY":
                return self._same(terms)
        return "any"

    def _case(self, node: Node) -> str:
        results = []
        for check in node["case_checks"]:
            self.mark(self.visit(check["when_expr"]), "boolean")
            results.append(self.visit(check["then_expr"]))
        if "else_expr" in node:
            results.append(self.visit(node["else_expr"]))
        return self._same(results)

    def _cast(self, node: Node) -> str:
        kind = functions.type_kind(node["type_expr"].get("type_name"))
        term = self.visit(node["child"])
        if "query_location" not in node:  # the parser's own cast, as in `a IS TRUE`; a written one stands for itself
            self.mark(term, kind)
        return kind

    def _same(self, terms: list[str]) -> str:
        """All terms are of one kind: that of the first of which it is known."""
        columns = [term for term in terms if isinstance(term, _Column)]
        for column in columns[1:]:
            self._join(columns[0], column)
        known = [term for term in terms if not isinstance(term, _Column) and term != "any"]
        for kind in known:
            if columns:
                self.mark(columns[0], kind)
        if known:
            return known[0]
        return columns[0] if columns else "any"

    def _join(self, first: str, second: str) -> None:
        keep, drop = self._root(first), self._root(second)
        if keep != drop:
            self._parent[drop] = keep
            self._kinds.setdefault(keep, set()).update(self._kinds.pop(drop, set()))

    def _root(self, name: str) -> str:
        while self._parent[name] != name:
            name = self._parent[name]
        return name


def _children(node: Node) -> list[Node]:
    """Direct subexpressions of a class that needs no rule of its own."""
    found: list[Node] = []
    stack: list[Any] = list(node.values())
    while stack:
        value = stack.pop()
        if isinstance(value, dict) and "class" in value:
            found.append(value)
        elif isinstance(value, (dict, list)):
            stack.extend(value.values() if isinstance(value, dict) else value)
    return found
