"""Documents: what of an event is indexed, and what of it is returned.

Here belongs the reading of timeline rows by what their source declares (contract.md, `index` of a source mapping). What
is returned is always the event's own text; what is indexed is its text (or the declared template over its data) and the
fields declared under `with`. Neighbours are not copied into the text: a document only says which chain of neighbours it
belongs to, and the scorer counts their words as a field of it that weighs less (ADR 7), so that an event that comes
later, across midnight or in the tail, changes no part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from context_plane.instants import day_of
from context_plane.log import templates
from context_plane.log.events import RESERVED, identity

if TYPE_CHECKING:
    import pyarrow as pa

TIME: Final = "time"
# Not strftime, whose words follow the locale of the process.
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
KNOWLEDGE: Final = "cortex/knowledge"
"""CloudEvents source of the plane's own events of knowledge."""
_COLUMNS: Final = ("entity", "time", "source", "id", "type", "text", "labels", "data")


@dataclass(frozen=True)
class Declared:
    """What one source declares under `index`."""

    text: str | None = None
    """Column or template over the data that is indexed instead of the text."""
    with_: tuple[str, ...] = ()
    """Fields of the data that are indexed beside the text; `time` is the day in words."""
    before: int = 0
    after: int = 0
    """How many neighbours before and after are counted with an event."""
    within: str | None = None
    """Field of the data that neighbours share, such as a session; without it all events of source and entity."""

    @property
    def chained(self) -> bool:
        """Whether neighbours count at all."""
        return bool(self.before or self.after)


OWN: Final[Mapping[str, Declared]] = {KNOWLEDGE: Declared(with_=("heading",))}
"""What is indexed of the plane's own events, in every home: no part of what a home declares, and so of no identity."""


@dataclass(frozen=True)
class Indexing:
    """How a tenant's events are indexed: part of the identity of every index part."""

    analyzer: str = "english"
    sources: Mapping[str, Declared] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As snapshots record it: plain JSON, equal to what is read back."""
        declared = {name: asdict(self.sources[name]) for name in sorted(self.sources)}
        sources = {name: {**each, "with_": list(each["with_"])} for name, each in declared.items()}
        return {"analyzer": self.analyzer, "sources": sources}

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Indexing:
        """Reverse of `to_json`."""
        sources = {name: Declared(**{**each, "with_": tuple(each["with_"])}) for name, each in raw["sources"].items()}
        return Indexing(raw["analyzer"], sources)


class Document(NamedTuple):
    """One event as the index takes it in."""

    entity: str
    at: int
    source: str
    id: str
    type: str
    labels: tuple[str, ...]
    text: str
    """The event's own text: what is returned and embedded."""
    indexed: str
    """The text that is analysed, and of which neighbours are lent a part."""
    beside: str
    """The declared fields, which are analysed too and not lent: neighbours have their own."""
    chain: int
    """64-bit hash of the chain of neighbours; 0 for none."""

    @property
    def key(self) -> int:
        """64 bits of the event's identity."""
        return event_key(self.source, self.id)


def event_key(source: str, id_: str) -> int:
    """The 64 bits under which index parts know an event."""
    return int.from_bytes(identity(source, id_)[:8], "little")


def searched(events: pa.Table) -> pa.Table:
    """Those of a timeline's rows that search may find: all but the plane's own events that say nothing in words, such
    as receipts. They would count as documents, so that every answer changed the next."""
    import pyarrow.compute as pc

    own = pc.starts_with(events["type"], RESERVED)
    if not pc.any(own).as_py():
        return events
    return events.filter(pc.invert(pc.and_(own, pc.is_null(events["text"]))))


def documents(events: pa.Table, indexing: Indexing) -> Iterator[Document]:
    """The documents of a timeline's rows, in their order."""
    import pyarrow as pa

    events = searched(events)
    columns = [events[name].cast(pa.int64()) if name == TIME else events[name] for name in _COLUMNS]
    lists = [column.to_pylist() for column in columns]
    readers = {name: _Reader(name, declared) for name, declared in {**OWN, **indexing.sources}.items()}
    for entity, at, source, id_, kind, text, labels, data in zip(*lists, strict=True):
        own = text or ""
        reader = readers.get(source)
        indexed, beside, chain = (own, "", 0) if reader is None else reader.read(entity, at, own, data)
        yield Document(entity, at, source, id_, kind, tuple(labels), own, indexed, beside, chain)


class _Reader:
    """What one declaring source's rows are indexed by."""

    def __init__(self, source: str, declared: Declared) -> None:
        self._source = source
        self._declared = declared
        self._template = None if declared.text is None else _template(declared.text)

    def read(self, entity: str, at: int, own: str, data: str | None) -> tuple[str, str, int]:
        """The text to analyse, what is analysed beside it, and the chain."""
        declared = self._declared
        values: dict[str, Any] = {}
        if data is not None and (declared.with_ or declared.within or self._template):
            parsed = json.loads(data)
            values = parsed if isinstance(parsed, dict) else {}
        text = own if self._template is None else _filled(self._template, values) or own
        beside = [_words(at) if name == TIME else _shown(values.get(name)) for name in declared.with_]
        return text, "\n".join(filter(None, beside)), self._chain(entity, values) if declared.chained else 0

    def _chain(self, entity: str, values: Mapping[str, Any]) -> int:
        within = _shown(values.get(self._declared.within)) if self._declared.within else ""
        body = f"{entity}\0{self._source}\0{within}".encode()
        return int.from_bytes(hashlib.blake2b(body, digest_size=8).digest(), "little") or 1


def _template(text: str) -> templates.Template:
    return templates.parse(text) if "{" in text or "}" in text else templates.column(text)


def _filled(template: templates.Template, values: Mapping[str, Any]) -> str:
    row = {name: _shown(values.get(name)) or " " for name in template.columns}
    return template.fill(row).strip()


def _shown(value: Any) -> str:
    """A value of the data as words."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(filter(None, map(_shown, value)))
    if isinstance(value, dict):
        return ", ".join(filter(None, map(_shown, value.values())))
    return json.dumps(value, ensure_ascii=False)


def _words(at: int) -> str:
    """A day as people write and ask for it."""
    day = day_of(at)
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"
