"""Diagnostics: what is wrong with a file, exactly where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning"]


class Place(NamedTuple):
    """A place in a file, lines and columns from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One finding. In order of file, line and column."""

    place: Place
    code: str
    """A name of `codes.CODES`."""
    severity: Severity
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.severity} {self.code}: {self.message}: {self.remedy}"

    def to_json(self) -> dict[str, Any]:
        """As ``cortex process check --json`` prints it (contract.md)."""
        return {
            "code": self.code, "severity": self.severity, "file": self.place.file, "line": self.place.line,
            "column": self.place.column, "message": self.message, "remedy": self.remedy,
        }  # fmt: skip
