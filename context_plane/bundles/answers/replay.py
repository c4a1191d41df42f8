"""Replay: a receipt's text, rendered again from what its items refer to.

Here belongs reading what an item refers to, at the view that the receipt names. Nothing is searched and nothing is
chosen: the items, their order and their sections are those of the receipt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from context_plane.bundles.answers import lines
from context_plane.bundles.answers.receipt import Receipt, framed
from context_plane.errors import NotFound
from context_plane.log.events import RESERVED
from context_plane.memory.chains.part import title

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.bundles.bundle import Bundle
    from context_plane.memory.nodes.seen import Seen


@dataclass(frozen=True)
class Replayed:
    """A receipt and what became of its text."""

    receipt: Receipt
    text: str
    equal: bool
    """Whether the text has the very bytes that were answered."""
    erased: tuple[dict[str, Any], ...]
    """Items whose events are no longer in the log."""
    difference: str
    """Why it is not equal; empty where it is."""

    def to_dict(self) -> dict[str, Any]:
        """As ``cortex audit replay --json`` prints it (contract.md)."""
        return {
            "receipt": self.receipt.id, "equal": self.equal, "text": self.text, "erased": list(self.erased),
            "difference": self.difference,
        }  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """What a receipt's items refer to, all at its view."""

    events: Callable[[str, int, int], pa.Table]
    """Rows of the timeline of an entity in [first, end)."""
    seen: Callable[[], Seen]
    bundle: Callable[[], Bundle | None]
    package: Callable[[Mapping[str, Any]], str]
    """The text of the package that an item names. Raises `NotFound`."""
    erased: frozenset[str] = frozenset()
    """Entities that were erased since: what an old view would still show of them is not shown."""


def replay(receipt: Receipt, recorded: Recorded) -> Replayed:
    """The text of a receipt, made again."""
    if receipt.rendering != lines.RENDERING:
        why = f"it was rendered by version {receipt.rendering} of the texts, this one has {lines.RENDERING}"
        return Replayed(receipt, "", False, (), why)
    reader = _Reader(receipt, recorded)
    texts: list[list[str]] = []
    erased: list[dict[str, Any]] = []
    for section in receipt.sections:
        texts.append([])
        for item in section["items"]:
            try:
                texts[-1].append(reader.text(section["name"], item))
            except (NotFound, KeyError):
                erased.append({"section": section["name"], **item})
    text = framed(receipt.sections, texts)
    equal = hashlib.sha256(text.encode()).hexdigest() == receipt.sha256
    return Replayed(receipt, text, equal, tuple(erased), "" if equal else _why(erased))


def _why(erased: Sequence[Mapping[str, Any]]) -> str:
    if erased:
        return f"{len(erased)} of its items are no longer in the log"
    return "the text has other bytes than were answered: what it is computed from, or the code, is not the same"


class _Reader:
    """Reads what items refer to, the events of one entity at once."""

    def __init__(self, receipt: Receipt, recorded: Recorded) -> None:
        self._receipt = receipt
        self._recorded = recorded
        self._rows: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
        self._bundle: Bundle | None = None
        self._seen: Seen | None = None

    def text(self, section: str, item: Mapping[str, Any]) -> str:
        """The text of an item. Raises `NotFound` or `KeyError` for what is gone."""
        self._refuse_erased(item)
        match item["kind"]:
            case "instructions":
                return self._receipt.request.instructions.strip()
            case "state":
                return self._receipt.request.state.strip()
            case "head" | "field":
                return self._of_bundle(item)
            case "memory":
                if self._seen is None:
                    self._seen = self._recorded.seen()
                return lines.of_node(self._seen.node(item["id"]))
            case "event":
                row = self._row(item)
                return lines.of_event(item["time"], row["type"], row["text"] or "")
            case "knowledge":
                row = self._row(item)
                data = json.loads(row["data"])
                return lines.of_chunk(item["topic"], data.get("heading", ()), data["text"])
            case "link":
                return self._of_link(item)
            case "package":
                return self._recorded.package(item)
        raise KeyError(f"{section}: {item['kind']}")

    def _refuse_erased(self, item: Mapping[str, Any]) -> None:
        of = self._receipt.request.entity if item["kind"] in ("head", "field") else item.get("entity")
        for entity in (of, item.get("title")):
            if entity in self._recorded.erased:
                raise NotFound(f"{entity!r:.80} was erased")

    def _of_bundle(self, item: Mapping[str, Any]) -> str:
        if self._bundle is None:
            self._bundle = self._recorded.bundle()
        if self._bundle is None:
            raise KeyError("bundle")
        return lines.of_head(self._bundle) if item["kind"] == "head" else lines.of_field(self._bundle, item["name"])

    def _of_link(self, item: Mapping[str, Any]) -> str:
        row = self._row(item)
        quote = ""
        if item["span"]:
            start, end = item["span"]
            quote = " ".join(str(json.loads(row["data"])[item["field"]])[start:end].split())
        named = ""
        if item["since"] is not None:
            rows = self._recorded.events(item["title"], item["since"], item["since"] + 1).to_pylist()
            first = next((row for row in rows if not row["type"].startswith(RESERVED)), None)
            if first is None:
                raise NotFound(f"there is no event of {item['title']!r:.80} any more")
            named = title(first["text"])
        return lines.of_link(item["time"], item["link"], item["actor"], item["target"], quote, named)

    def _row(self, item: Mapping[str, Any]) -> dict[str, Any]:
        entity = item["entity"]
        if entity not in self._rows:
            times = [each["time"] for each in self._receipt.items if each.get("entity") == entity]
            table = self._recorded.events(entity, min(times), max(times) + 1)
            self._rows[entity] = {(row["source"], row["id"]): row for row in table.to_pylist()}
        return self._rows[entity][item["source"], item["id"]]
