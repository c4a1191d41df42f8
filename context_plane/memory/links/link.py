"""What a link is: who says it, of what, to what, on which evidence; and its JSON form.

Here belong the value types that extractors and folds share, and the published kinds. How links are found is the
business of `rules`, what is done with them that of whoever asked for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from context_plane.instants import format_instant, parse_instant

REFS: Final = "refs"
CLOSES: Final = "closes"
ADDRESSES: Final = "addresses"
SUPERSEDES: Final = "supersedes"
REVERTS: Final = "reverts"
DUPLICATE_OF: Final = "duplicate_of"
INSTEAD_OF: Final = "instead_of"
KINDS: Final = (REFS, CLOSES, ADDRESSES, SUPERSEDES, REVERTS, DUPLICATE_OF, INSTEAD_OF)
"""The kinds that rules find in text. A mapping's `links` may name any other."""


@dataclass(frozen=True, order=True)
class Target:
    """What a link leads to. At most one of `entity` and `event` is given; neither for a commit that is no entity."""

    written: str
    """The reference as it is written."""
    entity: str = ""
    """The entity that it stands for, ``type/id``. That the tenant has it is not checked."""
    event: str = ""
    """The id of the event that it stands for, of the same source."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for references to the same thing, however they are written."""
        return (self.entity, self.event, "" if self.entity or self.event else self.written)


@dataclass(frozen=True, order=True)
class Evidence:
    """Where an event says it: a field of its data, and there the characters from `start` up to `end`.

    The characters are the reference with the words that give the link its kind. Values of a column have no span: both
    are -1.
    """

    field: str
    start: int = -1
    end: int = -1

    @property
    def span(self) -> tuple[int, int] | None:
        """Start and end in characters (code points), or `None` for a column."""
        return None if self.start < 0 else (self.start, self.end)


@dataclass(frozen=True, order=True)
class Found:
    """A link as an extractor returns it; the event that says it is known to its caller."""

    evidence: Evidence
    kind: str
    target: Target
    inverse: bool = False
    """Whether the target is what acts: "superseded by #5" is `supersedes`, inverse."""
    rule: str = ""
    """Name of the rule that found it."""


@dataclass(frozen=True, order=True)
class Link:
    """One typed link, ordered by time, source and id of the event that states it."""

    time: int
    """Event time, microseconds since 1970."""
    source: str
    id: str
    entity: str
    """The entity that the event is about."""
    kind: str
    target: Target
    inverse: bool
    rule: str
    evidence: Evidence

    @property
    def edge(self) -> tuple[str, str, str]:
        """Who, kind, whom: entities, or the target as `Target.key` knows it, in the direction in which it is meant."""
        other = self.target.entity or self.target.event or self.target.written
        return (other, self.kind, self.entity) if self.inverse else (self.entity, self.kind, other)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `span` is left out for columns, `entity` and `event` of the target where they are not known."""
        target = {"written": self.target.written, "entity": self.target.entity, "event": self.target.event}
        span = {} if self.evidence.span is None else {"span": list(self.evidence.span)}
        return {
            "time": format_instant(self.time),
            "source": self.source,
            "id": self.id,
            "entity": self.entity,
            "kind": self.kind,
            "target": {name: value for name, value in target.items() if value},
            "inverse": self.inverse,
            "rule": self.rule,
            "evidence": {"field": self.evidence.field, **span},
        }

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Link:
        """Reverse of `to_json`."""
        return Link(
            parse_instant(raw["time"]),
            raw["source"],
            raw["id"],
            raw["entity"],
            raw["kind"],
            Target(**raw["target"]),
            raw["inverse"],
            raw["rule"],
            Evidence(raw["evidence"]["field"], *raw["evidence"].get("span", ())),
        )
