"""Equality of JSON values, type by type: 1 is not 1.0 and not true, -0.0 is not 0.0; the order of keys does not matter.

This is what a decoded text is held against (level L1). Without recursion.
"""

from __future__ import annotations

import json
from math import copysign
from typing import Any


def difference(one: Any, other: Any) -> str | None:
    """The path to the first place where two values differ, such as ``orders[3].total``; `None` where they are equal."""
    todo: list[tuple[Any, Any, tuple[Any, ...]]] = [(one, other, ())]
    while todo:
        a, b, path = todo.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                odd = next(iter(a.keys() ^ b.keys()))
                return text_of((*path, odd))
            todo += [(a[name], b[name], (*path, name)) for name in a]
        elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
            if len(a) != len(b):
                return text_of((*path, min(len(a), len(b))))
            todo += [(x, y, (*path, at)) for at, (x, y) in enumerate(zip(a, b, strict=True))]
        elif type(a) is not type(b) or a != b or (isinstance(a, float) and copysign(1, a) != copysign(1, b)):
            return text_of(path)
    return None


def text_of(path: tuple[Any, ...]) -> str:
    """A path as a reader writes it; ``.`` for the value itself."""
    out = ""
    for step in path:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else str(step)
    return out or "."


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, type by type."""
    try:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except RecursionError:
        return difference(one, other) is None
