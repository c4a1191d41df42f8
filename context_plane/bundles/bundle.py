"""The bundle a reader holds: one entity's context under one spec at one instant.

Here belongs the value itself and how it is read. How its bytes come about is `render` and `evaluate`; where they are
stored is `pack`. A bundle is made for every read, thousands in a loop, so it keeps the bytes and parses them only when
a part of them is asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from context_plane.canonical import canonical


@dataclass(frozen=True, slots=True)
class Events:
    """The events a bundle rests on: how many, and the SHA-256 over their digests in (time, source, id) order."""

    count: int
    digest: str


class Bundle:
    """An entity's context: canonical JSON bytes and the values in them. Immutable; equal where the bytes are equal."""

    __slots__ = ("_body", "_parsed", "as_of", "entity", "spec")

    def __init__(self, entity: str, spec: str, as_of: str, body: bytes) -> None:
        """`body` is the text of the bundle's JSON object behind its first key, ``{"as_of":"…",`` (see `evaluate`)."""
        self.entity = entity
        self.spec = spec
        self.as_of = as_of
        self._body = body
        self._parsed: dict[str, Any] | None = None

    @property
    def json(self) -> bytes:
        """The whole bundle as canonical JSON (RFC 8785), UTF-8."""
        return b'{"as_of":"%s",%s' % (self.as_of.encode(), self._body)

    @property
    def fields(self) -> dict[str, Any]:
        """The values of the spec's fields by name."""
        fields: dict[str, Any] = self._value()["fields"]
        return fields

    @property
    def summary(self) -> str | None:
        """The extractive summary; `None` where the spec asks for none."""
        return self._value().get("summary")

    @property
    def tenant(self) -> str:
        """The tenant whose log the bundle was computed from."""
        return str(self._value()["tenant"])

    @property
    def tokens(self) -> int:
        """o200k tokens of `text`."""
        return int(self._value()["tokens"])

    @property
    def version(self) -> str:
        """``sha256:…`` over everything but `as_of`: the same facts have the same version."""
        return str(self._value()["version"])

    @property
    def events(self) -> Events:
        """Count and digest of the events in the spec's widest window."""
        return Events(**self._value()["events"])

    @property
    def text(self) -> str:
        """What an agent puts into its prompt: canonical JSON of entity, fields and summary."""
        value = self._value()
        return canonical({key: value[key] for key in ("entity", "fields", "summary") if key in value}).decode()

    def to_dict(self) -> dict[str, Any]:
        """The bundle as the JSON object that `json` holds."""
        return {"as_of": self.as_of, **self._value()}

    def _value(self) -> dict[str, Any]:
        if self._parsed is None:
            self._parsed = json.loads(b"{" + self._body)
        return self._parsed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bundle):
            return NotImplemented
        return (self.as_of, self._body) == (other.as_of, other._body)

    def __hash__(self) -> int:
        return hash((self.as_of, self._body))

    def __repr__(self) -> str:
        return f"<Bundle {self.spec} of {self.entity} as of {self.as_of}>"
