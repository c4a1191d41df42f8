"""Receipts: the manifest of an answer, as an event of the plane's own.

Here belongs what a receipt holds: the request, the view, each item by what it refers to, and the SHA-256 of the text.
What the items say it does not hold: that is in the log, and what is erased there is not to live on here.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from context_plane.bundles.answers.gathering import Gathered
from context_plane.bundles.answers.lines import RENDERING
from context_plane.bundles.answers.request import Request
from context_plane.bundles.viewport.assembly import Viewport
from context_plane.bundles.viewport.rendering import arranged, in_order
from context_plane.errors import Corrupt, InputError
from context_plane.instants import format_instant
from context_plane.log.events import RECEIPT

SOURCE: Final = "cortex/receipts"
FORMAT: Final = 1
_NAME: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})\.([0-9a-f]{20})")


@dataclass(frozen=True)
class Receipt:
    """What an answer was made of."""

    id: str
    """``tenant.hex``: the tenant is part of it."""
    time: int
    """When it was given, wall clock, microseconds since 1970."""
    request: Request
    number: int
    """The log number of the view."""
    as_of: int
    end: int
    spec: dict[str, Any] | None
    """The context spec that fields come from, as it was then."""
    sections: tuple[dict[str, Any], ...]
    """In the order in which they are read: name, whether trusted, and the items in theirs."""
    tokens: int
    sha256: str
    """Of the text in UTF-8."""
    rendering: int = RENDERING

    @property
    def tenant(self) -> str:
        """The tenant that it is of."""
        return self.id.partition(".")[0]

    @property
    def items(self) -> list[dict[str, Any]]:
        """All items, in the order in which they are read."""
        return [{"section": section["name"], **item} for section in self.sections for item in section["items"]]

    def event(self) -> dict[str, Any]:
        """The event that states it."""
        name = self.id.partition(".")[2]
        data = {
            "format": FORMAT, "rendering": self.rendering, "request": self.request.to_json(),
            "view": {"number": self.number, "as_of": format_instant(self.as_of), "end": format_instant(self.end)},
            "sections": [{key: each[key] for key in ("name", "trusted")} for each in self.sections],
            "items": self.items, "tokens": self.tokens, "sha256": self.sha256,
        }  # fmt: skip
        if self.spec is not None:
            data["spec"] = self.spec
        return {
            "specversion": "1.0", "id": name, "source": SOURCE, "type": RECEIPT, "subject": entity_of(self.id),
            "time": format_instant(self.time), "data": data,
        }  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """As `cortex audit show --json` prints it."""
        data: dict[str, Any] = self.event()["data"]
        return {"receipt": self.id, "time": format_instant(self.time), **data}


def receipt_of(
    tenant: str, now: int, request: Request, view: tuple[int, int, int], spec: dict[str, Any] | None,
    gathered: Gathered, viewport: Viewport,
) -> Receipt:  # fmt: skip
    """The receipt of what a viewport took; `view` is its log number, `as_of` and `end`."""
    taken: dict[str, list[Any]] = {}
    for name, item in viewport.items:
        taken.setdefault(name, []).append(item)
    tokens = {(each.section, each.id): each.tokens for each in viewport.report.decisions}
    sections = [
        {
            "name": section.name,
            "trusted": section.trusted,
            "items": [
                {**gathered.refs[section.name, item.id], "tokens": tokens[section.name, item.id]}
                for item in in_order(section, taken[section.name])
            ],
        }
        for section in arranged(gathered.sections)
        if section.name in taken
    ]
    digest = hashlib.sha256(viewport.text.encode()).hexdigest()
    id_ = f"{tenant}.{uuid.uuid4().hex[:20]}"
    return Receipt(id_, now, request, *view, spec, tuple(sections), viewport.tokens, digest)


def split(id_: str) -> tuple[str, str]:
    """Tenant and name of a receipt. Raises `InputError` for what is no receipt's id."""
    found = _NAME.fullmatch(id_) if isinstance(id_, str) else None
    if found is None:
        remedy = "give it as it was returned, such as acme.0f3c9d…"
        raise InputError(f"{id_!r:.80} is no receipt", where="receipt", remedy=remedy)
    return found[1], found[2]


def entity_of(id_: str) -> str:
    """The entity of a receipt's event."""
    return f"receipt/{split(id_)[1]}"


def decode(tenant: str, time: int, name: str, data: dict[str, Any]) -> Receipt:
    """Reverse of `Receipt.event`. Raises `Corrupt` for what is no receipt of a known format."""
    from context_plane.instants import parse_instant

    try:
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']}")
        held: dict[str, list[dict[str, Any]]] = {}
        for item in data["items"]:
            held.setdefault(item["section"], []).append({k: v for k, v in item.items() if k != "section"})
        sections = tuple({**each, "items": held.get(each["name"], [])} for each in data["sections"])
        view = data["view"]
        return Receipt(
            f"{tenant}.{name}", time, Request.from_json(data["request"]), view["number"], parse_instant(view["as_of"]),
            parse_instant(view["end"]), data.get("spec"), sections, data["tokens"], data["sha256"], data["rendering"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, InputError) as error:
        remedy = "it was written by another version: replay it with that one"
        raise Corrupt(f"the receipt does not read: {error}", where=f"{tenant}.{name}", remedy=remedy) from error


def framed(sections: Sequence[dict[str, Any]], texts: Sequence[Sequence[str]]) -> str:
    """The text of sections, whose items' texts are given in the order in which they are read."""
    from context_plane.bundles.viewport.rendering import frame

    shown = zip(sections, texts, strict=True)
    return "\n".join(frame(each["name"], found, trusted=each["trusted"]) for each, found in shown if found)
