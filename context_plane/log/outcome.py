"""Outcomes: what an ingest did, and what it refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from context_plane.errors import InputError


@dataclass(frozen=True)
class Rejected:
    """One event that was not stored."""

    line: int
    reason: str


@dataclass(frozen=True)
class Commit:
    """What one ingest did."""

    id: int | None
    """Number of the commit in the tenant's log; of the newest one when nothing new was in the batch."""
    accepted: int
    duplicates: int
    rejected: list[Rejected] = field(default_factory=list)
    rejected_count: int = 0
    """May exceed ``len(rejected)``: only the first 1,000 are listed."""


class RefusedBatch(InputError):
    """A batch that was refused whole; nothing of it is stored."""

    def __init__(self, what: str, *, where: str, remedy: str, commit: Commit) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.commit = commit
