"""Events: what comes in is checked and normalised here, once, into a canonical line.

Here belong the rules of contract.md, "Events": which attributes an event must have, how time and identity are
normalised, how text is found. Reading files belongs in `readers`, foreign columns in `mapping`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from context_plane.canonical import canonical
from context_plane.errors import InputError
from context_plane.instants import DAY, format_instant, parse_instant, start_of
from context_plane.store.keys import MAX_ID_CHARS

RESERVED: Final = "cortex."
"""What types of the plane's own events begin with."""
RECEIPT: Final = "cortex.receipt"
"""The type of receipts, which several folds count."""
EXECUTION: Final = "cortex.execution.record"
"""The type of the records of executions."""
OWN_SOURCES: Final = "cortex/"
"""What their sources begin with: nobody else can take an id that one of them will need."""
_CORE: Final = frozenset({"specversion", "id", "source", "type", "subject", "time", "data", "labels"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ATTRIBUTE: Final = re.compile(r"[a-z0-9]{1,64}|data_base64", re.ASCII)
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_MAX_TEXT: Final = 2_000


class Event(NamedTuple):
    """One normalised event."""

    identity: bytes
    """First 16 bytes of SHA-256 over source and id: the event's identity for ever."""
    digest: bytes
    """First 16 bytes of SHA-256 over `line`: its content."""
    entity: str
    at: int
    source: str
    id: str
    line: bytes
    """Canonical JSON (RFC 8785) of the CloudEvent with its time in UTC."""

    @property
    def day(self) -> int:
        """Days since 1970-01-01, UTC."""
        return self.at // DAY

    @property
    def order(self) -> tuple[int, str, str]:
        """What breaks ties everywhere: time, source, id."""
        return (self.at, self.source, self.id)


@dataclass(frozen=True)
class Limits:
    """What an event may be. Set in `plane.toml` under ``[ingest]``.

    The two times keep one mistyped year from moving the tenant's data clock, and with it every window, by a century.
    """

    max_event_bytes: int = 4 * 1024 * 1024
    earliest: str = "1900-01-01T00:00:00Z"
    latest: str = "2100-01-01T00:00:00Z"

    def span(self) -> tuple[int, int]:
        """Earliest instant allowed and the first one no longer allowed."""
        return parse_instant(self.earliest), parse_instant(self.latest)


class Normaliser:
    """Turns raw CloudEvents into `Event`s under fixed limits; raises `InputError` for what is wrong."""

    def __init__(self, limits: Limits | None = None, *, internal: bool = False) -> None:
        self.limits = limits or Limits()
        self._earliest, self._latest = self.limits.span()
        self._internal = internal

    def __call__(self, raw: Any) -> Event:
        """The normalised event. Raises `InputError` naming the attribute and the remedy."""
        if not isinstance(raw, Mapping):
            raise InputError("an event is not a JSON object", remedy="send CloudEvents 1.0 JSON objects")
        source, id_, type_, subject = (_text(raw, name) for name in ("source", "id", "type", "subject"))
        self._check_names(source, id_, type_, subject)
        at = self._time(raw)
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": id_,
            "source": source,
            "type": type_,
            "subject": subject,
            "time": format_instant(at),
        }
        _check_version(raw)
        if (data := raw.get("data")) is not None:
            event["data"] = data
        if labels := raw.get("labels"):
            event["labels"] = _labels(labels)
        if not _CORE.issuperset(raw):
            _attributes(raw, event)
        line = canonical(event)
        if len(line) > self.limits.max_event_bytes:
            raise InputError(
                f"the event has {len(line):,} bytes, {self.limits.max_event_bytes:,} are allowed",
                remedy="store the payload elsewhere and send a reference, or raise max_event_bytes in plane.toml",
            )
        if b"\\u0000" in line and _NUL.search(line):
            raise InputError("the event holds a NUL character", remedy="strip \\u0000 from the data")
        return Event(identity(source, id_), content_digest(line), subject, at, source, id_, line)

    def _check_names(self, source: str, id_: str, type_: str, subject: str) -> None:
        if _CONTROL.search(f"{source}{id_}{type_}{subject}"):
            raise InputError("source, id, type or subject holds a control character", remedy="strip it")
        kind, slash, name = subject.partition("/")
        if not slash or not kind or not name:
            raise InputError(
                f"subject {subject[:64]!r} is not an entity", remedy="write it as type/id, such as customer/acme"
            )
        if source.startswith(OWN_SOURCES) and not self._internal:
            remedy = f"sources that begin with {OWN_SOURCES!r} are the plane's own"
            raise InputError(f"source {source!r:.64} is reserved", remedy=remedy)
        if type_.startswith(RESERVED) and not self._internal:
            raise InputError(
                f"type {type_!r} is reserved", remedy=f"types that begin with {RESERVED!r} are the plane's own"
            )

    def _time(self, raw: Mapping[str, Any]) -> int:
        value = raw.get("time")
        if not isinstance(value, str):
            raise InputError("the event has no time", remedy="give time as RFC 3339 text with an offset")
        at = parse_instant(value)
        if not self._earliest <= at < self._latest:
            raise InputError(
                f"time {value} lies outside {self.limits.earliest[:10]} to {self.limits.latest[:10]}",
                remedy="correct the year, or widen earliest/latest under [ingest] in plane.toml",
            )
        return at


def identity(source: str, id_: str) -> bytes:
    """16 bytes that identify an event for ever. No control character can be in either, so NUL separates them."""
    return hashlib.sha256(f"{source}\0{id_}".encode()).digest()[:16]


def content_digest(line: bytes) -> bytes:
    """16 bytes that identify an event's content."""
    return hashlib.sha256(line).digest()[:16]


def entity_type(entity: str) -> str:
    """The type of an entity: what stands before the first ``/``."""
    return entity.partition("/")[0]


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        found = "is missing" if value is None or value == "" else f"is {type(value).__name__}, not text"
        raise InputError(f"{name} {found}", remedy=f"give every event a {name}")
    if len(value) > MAX_ID_CHARS:
        raise InputError(f"{name} has {len(value)} characters", remedy=f"use at most {MAX_ID_CHARS}")
    return value


def _check_version(raw: Mapping[str, Any]) -> None:
    if (version := raw.get("specversion", "1.0")) != "1.0":
        raise InputError(f"specversion is {str(version)[:16]!r}", remedy="send CloudEvents 1.0")


def _labels(labels: Any) -> list[str]:
    if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
        raise InputError("labels is not a list of texts", remedy='write it like ["pii", "internal"]')
    return sorted(set(labels))


def _attributes(raw: Mapping[str, Any], event: dict[str, Any]) -> None:
    for name in raw.keys() - _CORE:
        value = raw[name]
        if not isinstance(name, str) or not _ATTRIBUTE.fullmatch(name):
            raise InputError(
                f"attribute {str(name)[:64]!r} is not a CloudEvents name",
                remedy="use a-z and 0-9, or move it into data",
            )
        if value is None:
            continue
        if not isinstance(value, (str, int, bool)):
            raise InputError(
                f"attribute {name!r} is {type(value).__name__}",
                remedy="extension attributes are text, integer or boolean",
            )
        event[name] = value


# The columns of the timeline, in the order of `row`.
COLUMNS: Final = ("entity", "time", "source", "id", "type", "text", "labels", "data", "attributes", "digest")
Row = tuple[str, int, str, str, str, str | None, list[str], str | None, str | None, bytes]


def row(line: bytes) -> Row:
    """A canonical line as a row of the timeline, in the order of `COLUMNS`."""
    event: dict[str, Any] = json.loads(line)
    data = event.get("data")
    extra = {name: value for name, value in event.items() if name not in _CORE}
    own = event["type"].startswith(RESERVED)
    return (
        event["subject"],
        _stored_instant(event["time"]),
        event["source"],
        event["id"],
        event["type"],
        said(data) if own else text_of(data),
        event.get("labels", []),
        None if data is None else canonical(data).decode(),
        canonical(extra).decode() if extra else None,
        content_digest(line),
    )


def _stored_instant(text: str) -> int:
    """The instant of a stored time; most are whole seconds in UTC, and one date is shared by many of them."""
    if len(text) == 20:
        seconds = int(text[11:13]) * 3_600 + int(text[14:16]) * 60 + int(text[17:19])
        return _day_start(text[:10]) + seconds * 1_000_000
    return parse_instant(text)


def _day_start(day: str, _known: dict[str, int] = {}) -> int:  # noqa: B006 - the default is the memo
    start = _known.get(day)
    if start is None:
        from datetime import date

        start = _known[day] = start_of(date.fromisoformat(day))
        if len(_known) > 100_000:
            _known.clear()
    return start


def text_of(data: Any) -> str | None:
    """The searchable text of an event: `data.text`, else the data rendered as ``key: value`` pairs in key order.

    Rendered text is cut at 2,000 characters; `data.text` never is.
    """
    if data is None:
        return None
    rendered = said(data) or "; ".join(_pairs(data, ""))[:_MAX_TEXT]
    return rendered or None


def said(data: Any) -> str | None:
    """`data.text`: all that the plane's own events are searched by; receipts are not found for what they hold."""
    text = data.get("text") if isinstance(data, dict) else None
    return text if isinstance(text, str) and text else None


def _pairs(value: Any, name: str) -> list[str]:
    if isinstance(value, dict):
        return [pair for key in sorted(value) for pair in _pairs(value[key], f"{name}.{key}" if name else key)]
    if value is None or value == "" or value == []:
        return []
    if isinstance(value, list):
        shown = ", ".join(item if isinstance(item, str) else canonical(item).decode() for item in value)
    else:
        shown = value if isinstance(value, str) else canonical(value).decode()
    return [f"{name}: {shown}" if name else shown]
