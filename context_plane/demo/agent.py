"""The growth agent: which customers to contact about an upgrade, from their bundles and nothing else.

A stand-in for a model that costs nothing and gives the same answer every time. It reads the fields of each bundle, as a
prompt would show them, and contacts the share of customers it was told to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from context_plane.bundles.bundle import Bundle

SHARE: Final = 0.05
"""The share of customers the agent may contact."""


@dataclass(frozen=True)
class Pick:
    """One customer to contact, and why."""

    entity: str
    score: float
    reasons: tuple[str, ...]
    summary: str


@dataclass(frozen=True)
class Quality:
    """How the picks compare with the truth."""

    planted: int
    picked: int
    hits: int
    precision: float
    recall: float
    chance: float
    """Precision of picking at random."""


def rank(bundles: Iterable[Bundle], share: float = SHARE) -> list[Pick]:
    """The customers to contact, the most promising first; equal ones by their id."""
    picks = [judge(bundle) for bundle in bundles]
    return nsmallest(max(1, round(len(picks) * share)), picks, key=lambda pick: (-pick.score, pick.entity))


def judge(bundle: Bundle) -> Pick:
    """What the agent makes of one bundle."""
    fields = bundle.fields
    reasons: list[str] = []
    score = 0.0
    if fields["full"]:
        score += 2
        reasons.append(f"{fields['peak_users']} of {fields['seats']} seats in use")
    for name, weight, words in _SIGNALS:
        if count := fields[name]:
            score += weight * min(count, 2)
            reasons.append(f"{words} {count}x")
    score -= _doubts(fields)
    if fields["plan"] == "enterprise":
        score = -10.0  # has the largest plan already
    return Pick(bundle.entity, score, tuple(reasons), bundle.summary or "")


_SIGNALS: Final = (
    ("limit_hits", 1.5, "hit the seat limit"),
    ("blocked", 1.5, "tried features beyond the plan"),
    ("interest", 2.0, "asked for more"),
)


def _doubts(fields: dict[str, Any]) -> float:
    return (2.0 if fields["failed"] else 0.0) + (1.5 if fields["tickets"] >= 3 else 0.0)


def measure(picks: Collection[Pick], truth: Collection[str], customers: int) -> Quality:
    """The picks against the customers who would take an upgrade."""
    hits = sum(pick.entity in truth for pick in picks)
    return Quality(
        planted=len(truth),
        picked=len(picks),
        hits=hits,
        precision=hits / len(picks) if picks else 0.0,
        recall=hits / len(truth) if truth else 0.0,
        chance=len(truth) / customers,
    )
