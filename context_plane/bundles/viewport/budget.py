"""The budget report: of every candidate whether it is in the context, what it costs, and if it is not, why.

Here belongs what is told, not how it is decided (`assembly`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MANDATORY: Final = "mandatory"
CHOSEN: Final = "chosen"


@dataclass(frozen=True)
class Decision:
    """What became of one item."""

    section: str
    id: str
    tokens: int
    included: bool
    why: str


@dataclass(frozen=True)
class Report:
    """How a budget was spent."""

    budget: int
    tokens: int
    """Of the whole text."""
    decisions: tuple[Decision, ...]
    """In the order of the sections given and their items."""

    @property
    def framing(self) -> int:
        """Tokens that are no item's: the names of sections, what joins items, and where two tokens became one."""
        return self.tokens - sum(each.tokens for each in self.decisions if each.included)

    def to_dict(self) -> dict[str, Any]:
        """As `cortex context --format json` has it under ``budget``."""
        sections: dict[str, dict[str, Any]] = {}
        for each in self.decisions:
            about = sections.setdefault(each.section, {"tokens": 0, "included": [], "left_out": []})
            if each.included:
                about["tokens"] += each.tokens
                about["included"].append({"id": each.id, "tokens": each.tokens, "why": each.why})
            else:
                about["left_out"].append({"id": each.id, "tokens": each.tokens, "why": each.why})
        return {
            "max_tokens": self.budget,
            "tokens": self.tokens,
            "framing": self.framing,
            "unused": self.budget - self.tokens,
            "sections": sections,
        }
