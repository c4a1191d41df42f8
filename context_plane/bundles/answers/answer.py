"""What a caller holds: the context's text, what is in it, how the budget was spent, and the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from context_plane.bundles.answers.gathering import INSTRUCTIONS
from context_plane.bundles.answers.receipt import Receipt, framed
from context_plane.bundles.viewport.budget import Report
from context_plane.instants import format_instant

_INTERNAL: Final = ("id", "span", "field", "since", "title", "recipe")
"""Of an item, what only replaying needs."""


@dataclass(frozen=True)
class Context:
    """Context for an entity under a budget."""

    text: str
    tokens: int
    """Of the text, in o200k_base; at most the budget."""
    manifest: Receipt
    budget: Report
    """Of every candidate whether it is in the text, what it costs, and if it is not, why."""
    plan: dict[str, Any]
    """What was looked for, and how many candidates that gave."""
    snapshot: int | None
    """The snapshot that it was answered from, `None` where there was none yet."""
    texts: tuple[tuple[str, ...], ...]
    """The items' texts by section, in the order in which they are read."""

    @property
    def receipt(self) -> str:
        """Id of the receipt: the answer can be replayed by it."""
        return self.manifest.id

    @property
    def items(self) -> list[dict[str, Any]]:
        """What is in the text: ``kind, event_id or node_id, entity, time, source, tokens, score`` as far as an item
        has them, in the order in which they are read."""
        return [_shown(each) for each in self.manifest.items]

    def to_dict(self) -> dict[str, Any]:
        """As ``cortex context --format json`` prints it (contract.md)."""
        return {
            "text": self.text, "tokens": self.tokens, "items": self.items, "plan": self.plan,
            "snapshot": self.snapshot, "receipt": self.receipt, "budget": self.budget.to_dict(),
        }  # fmt: skip

    def to_openai(self) -> list[dict[str, str]]:
        """Messages as OpenAI's chat takes them: instructions as the system's, everything else as the user's."""
        system, user = self._apart()
        found = [{"role": "system", "content": system}] if system else []
        return [*found, {"role": "user", "content": user}]

    def to_anthropic(self) -> dict[str, Any]:
        """The same as Anthropic's messages take it."""
        system, user = self._apart()
        return {**({"system": system} if system else {}), "messages": [{"role": "user", "content": user}]}

    def _apart(self) -> tuple[str, str]:
        """What is trusted, and the rest: data is never in the system's position."""
        pairs = list(zip(self.manifest.sections, self.texts, strict=True))
        trusted = [pair for pair in pairs if pair[0]["name"] == INSTRUCTIONS]
        others = [pair for pair in pairs if pair[0]["name"] != INSTRUCTIONS]
        system, user = (framed([a for a, _ in found], [b for _, b in found]) for found in (trusted, others))
        return system, user

    def __repr__(self) -> str:
        return f"<Context of {self.manifest.request.entity}, {self.tokens} tokens, receipt {self.receipt}>"


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in item.items() if key not in _INTERNAL}
    if "id" in item:
        shown["node_id" if item["kind"] == "memory" else "event_id"] = item["id"]
    if "time" in item:
        shown["time"] = format_instant(item["time"])
    return shown
