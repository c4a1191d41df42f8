"""Types of inputs: what values each takes, and whether what has one type may be given for another."""

from __future__ import annotations

from typing import Any, Final

TYPES: Final[dict[str, tuple[type, ...]]] = {
    "text": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,), "list": (list, tuple),
    "mapping": (dict,), "any": (object,),
}  # fmt: skip


def fits(value: Any, type: str) -> bool:
    """Whether a value is of a declared type; a boolean is no number."""
    if isinstance(value, bool):
        return type in ("boolean", "any")
    return isinstance(value, TYPES[type])


def may_be(given: str, wanted: str) -> bool:
    """Whether a value of one declared type may be given where another is wanted."""
    return "any" in (given, wanted) or given == wanted or (given, wanted) == ("integer", "number")
