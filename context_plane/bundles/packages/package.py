"""What a caller holds: a package, how it stands, and what building did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from context_plane.bundles.packages.compile import Compiled
from context_plane.bundles.packages.declaration import Scope
from context_plane.errors import ContextPlaneError

if TYPE_CHECKING:
    from context_plane.bundles.packages.shelf import Origin
    from context_plane.bundles.packages.stored import Head

Standing = Literal["fresh", "stale", "not built", "imported", "broken"]


@dataclass(frozen=True)
class Freshness:
    """How a package stands beside what was built of it."""

    state: Standing
    """What was built is what it is now; it is not; nothing was built; it came from elsewhere; it cannot be compiled."""
    built: str | None = None
    """When it was compiled last, RFC 3339; when it was imported."""
    log: int | None = None
    """The log number that it was compiled at."""
    changes: tuple[str, ...] = ()
    """What has changed since."""

    def to_dict(self) -> dict[str, Any]:
        """As `cortex package show --json` prints it."""
        return {"state": self.state, "built": self.built, "log": self.log, "changes": list(self.changes)}


def freshness_of(head: Head | None, changes: tuple[str, ...]) -> Freshness:
    """That of a declared package."""
    if head is None:
        return Freshness("not built")
    return Freshness("stale" if changes else "fresh", head.time, head.log, changes)


@dataclass(frozen=True)
class Package:
    """A package as it is at a view."""

    tenant: str
    name: str
    compiled: Compiled = field(repr=False)
    origin: Origin
    freshness: Freshness
    count: Callable[[], int] = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """The package as it is read: CTX."""
        return self.compiled.text

    @property
    def tokens(self) -> int:
        """Of the text, in o200k_base."""
        return self.compiled.tokens

    @property
    def raw_tokens(self) -> int:
        """Of what it was compiled from, uncompiled."""
        return self.compiled.raw_tokens

    @property
    def ratio(self) -> float:
        """`raw_tokens` a token."""
        return self.compiled.ratio

    @property
    def version(self) -> str:
        """``sha256:…`` of the package."""
        return self.compiled.version

    @property
    def scope(self) -> Scope:
        """personal, project, team, org or domain."""
        return self.compiled.declaration.scope

    @property
    def description(self) -> str:
        """As it is declared."""
        return self.compiled.declaration.description

    @property
    def sources(self) -> list[Mapping[str, Any]]:
        """What it was made of itself: topics, chains, walks, queries, each with its version and facts."""
        return list(self.compiled.sources)

    @property
    def chains(self) -> list[str]:
        """The chains of memory in it, by their earliest nodes."""
        return [chain for source in self.compiled.sources for chain in source.get("chains", ())]

    @property
    def depends(self) -> list[dict[str, str]]:
        """The packages that it builds on, with their versions."""
        return [{"package": name, "version": version} for name, version in self.compiled.depends]

    @cached_property
    def accesses(self) -> int:
        """In how many answers it was; looked up when it is first asked for."""
        return self.count()

    @property
    def manifest(self) -> dict[str, Any]:
        """All that is known of it but its text."""
        made = self.compiled
        return {
            "name": self.name, "version": self.version, "scope": self.scope, "description": self.description,
            "origin": self.origin, "tokens": self.tokens, "raw_tokens": self.raw_tokens, "ratio": round(self.ratio, 4),
            "precedence": made.declaration.precedence,
            "mode": {"data": made.declaration.data_mode, "text": made.declaration.text_mode},
            "max_tokens": made.declaration.max_tokens, "depends": self.depends, "sources": self.sources,
            "pieces": [
                {"package": part.name, "kind": piece.kind, "id": piece.id, "facts": len(piece.facts)}
                for part in made.parts
                for piece in part.pieces
            ],
            "left_out": list(made.left_out), "freshness": self.freshness.to_dict(), "accesses": self.accesses,
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """As `cortex package show --json` prints it."""
        return {**self.manifest, "text": self.text}


@dataclass(frozen=True)
class Row:
    """A package in a list: nothing is compiled for it."""

    name: str
    origin: Origin
    freshness: Freshness
    scope: str = ""
    description: str = ""
    version: str | None = None
    """What was built last; `None` where nothing was."""
    tokens: int | None = None
    raw_tokens: int | None = None
    ratio: float | None = None
    depends: tuple[str, ...] = ()
    accesses: int = 0
    error: ContextPlaneError | None = None
    """Why it cannot be compiled."""

    @property
    def lacking(self) -> bool:
        """Whether it is to be built: it is not, or something has changed since."""
        return self.freshness.state in ("stale", "not built")

    def to_dict(self) -> dict[str, Any]:
        """As `cortex package list --json` prints it."""
        return {
            "name": self.name, "scope": self.scope, "description": self.description, "origin": self.origin,
            "version": self.version, "tokens": self.tokens, "raw_tokens": self.raw_tokens,
            "ratio": None if self.ratio is None else round(self.ratio, 4), "depends": list(self.depends),
            "freshness": self.freshness.to_dict(), "accesses": self.accesses,
            "error": None if self.error is None else str(self.error),
        }  # fmt: skip


@dataclass(frozen=True)
class Built:
    """What building a package did."""

    name: str
    package: Package | None
    """`None` where it could not be compiled."""
    new: bool = False
    """Whether another version than before is the newest now."""
    changes: tuple[str, ...] = ()
    """Why it was stale."""
    error: ContextPlaneError | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `cortex package build --json` prints it."""
        made = self.package
        return {
            "name": self.name, "new": self.new, "version": made.version if made else None,
            "tokens": made.tokens if made else None, "raw_tokens": made.raw_tokens if made else None,
            "ratio": round(made.ratio, 4) if made else None, "changes": list(self.changes),
            "error": None if self.error is None else str(self.error),
        }  # fmt: skip


@dataclass(frozen=True)
class Verified:
    """Whether what was built is what the log makes."""

    name: str
    equal: bool
    version: str | None
    """What was built; `None` where nothing was."""
    compiled: str
    """What the log makes at the same view."""
    difference: str
    """Empty where they are equal."""

    def to_dict(self) -> dict[str, Any]:
        """As `cortex package verify --json` prints it."""
        return {
            "name": self.name, "equal": self.equal, "version": self.version, "compiled": self.compiled,
            "difference": self.difference,
        }  # fmt: skip
