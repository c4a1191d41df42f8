"""Scalars: the shapes of single values; what is taken, what is told of others, and how an editor is told.

A shape has two methods: `read` gives the value as later stages want it, or `DROP` after it told what is wrong; `schema`
is the same as JSON Schema, so that what editors show cannot differ from what is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Protocol

from context_plane.processes.language.findings import Findings, kind_of, listed, meant, shown
from context_plane.processes.language.marks import REFUSED, mark_of

DROP: Final = object()
"""Stands for a value that was not taken; what is wrong with it has been told."""
NAME: Final = "[a-z][a-z0-9_]{0,62}"
DOTTED: Final = rf"{NAME}(\.{NAME})*"
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}
_LONGEST: Final = 30 * 86_400.0
_MOST: Final = 999_999_999


class Report:
    """What is told while a document is read."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.lost = False
        """Whether something was left out of a list or mapping, so that later stages must not miss it."""

    def drop(self, code: str, spot: Any, message: str, remedy: str) -> Any:
        """Tells of a value that is not taken."""
        self.findings.add(code, mark_of(spot), message, remedy)
        return DROP

    def wrong(self, label: str, value: Any, spot: Any, wanted: str) -> Any:
        """Tells of a value of another type than the wanted one."""
        if value is REFUSED:
            return DROP
        quotes = isinstance(value, (int, float)) and "text" in wanted
        remedy = f'put it in quotes: {label}: "{"true" if value is True else value}"' if quotes else f"write {wanted}"
        return self.drop("wrong-type", spot, f"{label} is {kind_of(value)}, not {wanted}", remedy)


class Shape(Protocol):
    """What a value may be."""

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        """The value as later stages want it, or `DROP`."""

    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""


class Text:
    """A text, which may have to be of some form."""

    def __init__(self, least: int = 0, *, pattern: str | None = None, code: str = "bad-name", like: str = "") -> None:
        self._least = least
        self._pattern = pattern
        self._matches = re.compile(pattern, re.ASCII).fullmatch if pattern else None
        self._code = code
        self._like = like

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if type(value) is not str:
            return report.wrong(label, value, spot, "a text")
        if self._matches is not None and self._matches(value) is None:
            return report.drop(self._code, spot, f"{label}: {shown(value)} is no name", f"write {self._like}")
        if len(value.strip()) < self._least:
            return report.drop("bad-value", spot, f"{label} is empty", "write a text, or leave the key out")
        return value

    def schema(self) -> dict[str, Any]:
        pattern = {"pattern": f"^{self._pattern}$"} if self._pattern else {}
        return {"type": "string", **pattern, **({"pattern": r"\S"} if self._least else {})}


class Boolean:
    """`true` or `false`."""

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        return value if type(value) is bool else report.wrong(label, value, spot, "true or false")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Number:
    """A number between two others, whole or not; what is none has a code of its own."""

    def __init__(self, code: str, least: float, most: float = _MOST, *, whole: bool = True) -> None:
        self._code, self._least, self._most, self._whole = code, least, most, whole

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        types = (int,) if self._whole else (int, float)
        if type(value) in types and self._least <= value <= self._most:
            return value
        if value is REFUSED:
            return DROP
        kind = "whole number" if self._whole else "number"
        remedy = f"write a {kind} from {self._least:,} to {self._most:,}"
        return report.drop(self._code, spot, f"{label} is {kind_of(value)}", remedy)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer" if self._whole else "number", "minimum": self._least, "maximum": self._most}


class OneOf:
    """One of a few words."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(words)

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        if value in self._words and type(value) is str:
            return value
        if value is REFUSED:
            return DROP
        remedy = meant(value, self._words, "") if type(value) is str else ""
        known = f"write {listed(self._words[:-1])} or {self._words[-1]}"
        return report.drop("bad-value", spot, f"{label} is {kind_of(value)}", remedy or known)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self._words)}


class Duration:
    """A length of time, in seconds once it is read."""

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def read(self, value: Any, spot: Any, report: Report, label: str) -> Any:
        seconds = _seconds(value)
        if seconds is not None and (seconds > 0 or (self._zero and seconds == 0)) and seconds <= _LONGEST:
            return seconds
        if value is REFUSED:
            return DROP
        remedy = "write it like 30s, 5m, 1h, 500ms or as a number of seconds, up to 30 days"
        return report.drop("bad-duration", spot, f"{label} is {kind_of(value)}", remedy)

    def schema(self) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "number", "maximum": _LONGEST}
        number |= {"minimum": 0} if self._zero else {"exclusiveMinimum": 0}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{_DURATION.pattern}$"}]}


class Anything:
    """Whatever YAML can say."""

    def read(self, value: Any, _spot: Any, _report: Report, _label: str) -> Any:
        return DROP if value is REFUSED else value

    def schema(self) -> dict[str, Any]:
        return {}


def _seconds(value: Any) -> float | None:
    if type(value) is int or type(value) is float:
        return float(value)
    found = _DURATION.fullmatch(value) if type(value) is str else None
    return round(float(found[1]) * _UNITS[found[2]], 6) if found else None
