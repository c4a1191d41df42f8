"""The tree of public errors: every one names a place and a remedy.

Here belong the exceptions a caller may catch. Foreign exceptions (obstore, DuckDB, pydantic, zstandard) are translated
into these where they enter, so that nobody above needs to know which library was underneath.
"""

from __future__ import annotations


class ContextPlaneError(Exception):
    """Base of all public errors.

    `str(error)` reads ``what (where): remedy``; the three parts are attributes too, because the command line, HTTP
    problem details and the Dagster UI lay them out differently.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what, where, remedy)

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        remedy = f": {self.remedy}" if self.remedy else ""
        return f"{self.what}{place}{remedy}"


class InputError(ContextPlaneError):
    """What the caller gave is wrong: a file, a line, a key, an argument."""


class NotFound(ContextPlaneError):
    """The tenant, entity, spec, snapshot or object asked for does not exist."""


class Denied(ContextPlaneError):
    """The store or a policy refuses the operation."""


class Infeasible(ContextPlaneError):
    """A hard limit (budget, latency, space) cannot be kept."""


class Conflict(ContextPlaneError):
    """The same identity was given other content, or another writer holds what was asked for."""


class Corrupt(ContextPlaneError):
    """Stored bytes are not the bytes that were recorded. Never skipped, never repaired silently."""


class Unavailable(ContextPlaneError):
    """The store could not be reached, or its answer was lost; whether a write landed may be unknown. Try again."""
