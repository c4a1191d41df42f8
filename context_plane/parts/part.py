"""Parts: what a fold made of a range of the log, and the manifests that list them.

A part is one immutable object (a day's timeline, a pack of bundles) with the facts a reader or publisher needs about
it. Manifests list the parts of one kind in one month; snapshots name manifests by hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Final

from context_plane.canonical import canonical, digest
from context_plane.errors import Corrupt
from context_plane.instants import DAY, day_of, parse_day, start_of

TIMELINE: Final = "timeline"
CONTEXTS: Final = "contexts/"
FULLTEXT: Final = "fulltext"
VECTOR: Final = "vector"
GRAPH: Final = "graph"
MEMORY: Final = "memory"
"""What the plane's own events state of memory, of those days that have such."""
LINKS: Final = "links"
INDEXES: Final = (FULLTEXT, VECTOR)
"""Kinds of index parts, one a day."""
MEMORIES: Final = (MEMORY, LINKS)
"""Kinds of parts of memory, one a day."""
DAILY: Final = (*INDEXES, *MEMORIES)
"""All kinds of which there is a part a day. With `MONTHS` and `YEARS` behind their name: the same, compacted."""
MONTHS: Final = "/months"
YEARS: Final = "/years"
OWN: Final = "own"
"""What says of a kind of packs that the plane's own events are among their inputs."""
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One part as manifests list it."""

    day: int
    """The day it is filed under (days since 1970): the day itself, or the last day a pack covers."""
    version: str
    """SHA-256 of the object's bytes, which also names it."""
    size: int
    rows: int
    """Events of a timeline, bundles of a pack."""
    number: int
    """It holds everything that commits up to this number brought to its range; more of single days may be in it."""
    inputs: str = ""
    """Hash of all that went into a pack: spec, instants, versions of the timelines."""
    since: int | None = None
    """First day a pack depends on; `None` for all history. A timeline depends on its own day."""
    instant: int | None = None
    """A pack's bundles are as of this instant (microseconds)."""
    previous: int | None = None
    """Instant of the pack before, from which this one tells the differences."""
    last: int | None = None
    """The last day that a compacted index part may hold; it is filed under the first."""
    checks: Mapping[str, bool] = field(default_factory=dict)

    @property
    def date(self) -> date:
        """The UTC day it is filed under."""
        return day_of(self.day * DAY)

    @property
    def passed(self) -> bool:
        """Whether all of its checks held; only then is it published."""
        return all(self.checks.values())

    def to_json(self) -> dict[str, Any]:
        """As manifests and notes hold it."""
        raw = {name: value for name, value in asdict(self).items() if value is not None and value != ""}
        raw["day"] = self.date.isoformat()
        raw["checks"] = dict(self.checks)
        return raw

    @staticmethod
    def from_json(raw: dict[str, Any]) -> Part:
        """Reverse of `to_json`."""
        return Part(**{**raw, "day": day_number(raw["day"])})


@dataclass(frozen=True)
class Month:
    """The parts of one kind in one month."""

    month: str
    """``YYYY-MM``."""
    parts: Mapping[int, Part]
    """By day."""

    def encode(self, name: str) -> tuple[str, bytes]:
        """SHA-256 and bytes of the month's manifest."""
        body = canonical(
            {
                "format": FORMAT,
                "part": name,
                "month": self.month,
                "parts": [self.parts[day].to_json() for day in sorted(self.parts)],
            }
        )
        return hashlib.sha256(body).hexdigest(), body


@dataclass(frozen=True)
class Catalog:
    """Parts by kind and day, and for each kind what describes it (a context spec)."""

    parts: Mapping[str, Mapping[int, Part]] = field(default_factory=dict)
    about: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    aside: Mapping[tuple[str, str], Mapping[int, Part]] = field(default_factory=dict, compare=False)
    """Of what is built, parts of a kind by the hash of what describes them, where that is not what `about` says."""

    def of(self, name: str) -> Mapping[int, Part]:
        """Parts of one kind by day; empty where there are none."""
        return self.parts.get(name, {})

    def made_by(self, name: str, about: Mapping[str, Any]) -> Mapping[int, Part]:
        """Parts of one kind by day that this describes, also those that were put aside."""
        return self.of(name) if self.about.get(name) == about else self.aside.get((name, digest(dict(about))), {})

    @property
    def specs(self) -> list[str]:
        """Names of the context specs that have packs."""
        return sorted(name.removeprefix(CONTEXTS) for name in self.parts if name.startswith(CONTEXTS))


def decode_month(key: str, body: bytes, sha256: str) -> Month:
    """A month's manifest. Raises `Corrupt` when its bytes are not the named ones."""
    if hashlib.sha256(body).hexdigest() != sha256:
        raise Corrupt("month manifest is damaged", where=key, remedy="restore it, or materialize and publish again")
    raw = json.loads(body)
    return Month(raw["month"], by_day(Part.from_json(part) for part in raw["parts"]))


def by_day(parts: Iterable[Part]) -> dict[int, Part]:
    """Parts by their day, in order of days."""
    return {part.day: part for part in sorted(parts, key=lambda part: part.day)}


def month_of(day: int) -> str:
    """The month of a day number, ``YYYY-MM``."""
    return day_of(day * DAY).isoformat()[:7]


def day_number(text: str) -> int:
    """Days since 1970 of ``YYYY-MM-DD``."""
    return start_of(parse_day(text)) // DAY
