"""Source mappings (`sources/*.yaml`): foreign CSV, JSONL and Parquet become CloudEvents.

Here belongs what the keys of a mapping mean (contract.md, "Events"). The files are read by `csv_rows`, `json_rows` and
`parquet_rows`, whose rows are dicts without absent values; `where` is run by `row_filter`.

What the contract leaves open is decided here:
- `data` defaults to every column but the ones that are the time, the text and, where it is a plain column, the id.
  Columns that `index` and `links` name are always kept, because the events of a source are what those are built from.
- `text` may be a column or a template; the text is stored as `data.text`.
- Without `id`, an event's id is the SHA-256 of its row (as text, so independent of how columns are typed) and its
  ordinal among identical rows.
What is indexed of events that come as CloudEvents is declared without a mapping: `declaration`.
Additions to the contract: `json` (columns of text that hold JSON), `types` (columns whose type is fixed instead of
detected, so that it is the same in every file of a series), `delimiter` (CSV), and ``{column|slug}`` in templates.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from context_plane import yamls
from context_plane.errors import InputError
from context_plane.log import templates
from context_plane.log.clocks import Clock
from context_plane.log.readers import MAX_EVENT_BYTES, Bad
from context_plane.log.templates import Template
from context_plane.sql import guard

Rows = Iterator[tuple[int, dict[str, Any] | Bad]]
Name = Annotated[str, Field(min_length=1)]
Format = Literal["jsonl", "csv", "parquet"]
EVENT_TIME: Final = "time"
"""Among what is indexed beside the text this is the day of the event in words, whatever column it comes from."""


class Neighbours(BaseModel):
    """How many events before and after one are indexed with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    before: int = Field(default=0, ge=0, le=20)
    after: int = Field(default=0, ge=0, le=20)
    within: Name | None = None
    """Column whose value neighbours share, such as a session."""


class Index(BaseModel):
    """What is indexed beside the text."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: Name | None = None
    """Column or template that is indexed instead of the event's text."""
    with_: list[Name] = Field(default=[], alias="with")
    neighbours: Neighbours = Neighbours()

    def columns(self) -> dict[tuple[str | int, ...], tuple[str, ...]]:
        """The columns that each of its keys names."""
        named: dict[tuple[str | int, ...], tuple[str, ...]] = {
            ("index", "with", place): (name,) for place, name in enumerate(self.with_) if name != EVENT_TIME
        }
        if self.text is not None:
            named[("index", "text")] = column_or_template(self.text).columns
        if self.neighbours.within is not None:
            named[("index", "neighbours", "within")] = (self.neighbours.within,)
        return named


_TEXT: Final = "text"


class Reference(BaseModel):
    """One way in which things are referred to in texts and columns (`memory.links.notations` reads it)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    written: Name
    entity: Name | None = None
    event: Name | None = None


class MappingFile(BaseModel):
    """A mapping as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: Name
    format: Format
    id: Name | None = None
    subject: Name
    type: Name
    time: Name
    timezone: Name | None = None
    text: Name | None = None
    data: list[Name] | None = None
    index: Index | None = None
    links: dict[Name, Name] = {}
    references: list[Reference] = []
    texts: list[Name] = []
    """Columns whose text is read for links; by default that of the event."""
    where: Name | None = None
    json_: list[Name] = Field(default=[], alias="json")
    types: dict[Name, Literal["text", "number", "boolean"]] = {}
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None


@dataclass(frozen=True)
class Mapping:
    """A checked mapping. `index` and `links` are kept with it for search and memory, which are built from the log."""

    file: MappingFile
    document: yamls.Document
    where: guard.Expression | None

    @property
    def source(self) -> str:
        """The CloudEvents source of its events."""
        return self.file.source

    @property
    def index(self) -> Index:
        """What is indexed beside the text."""
        return self.file.index or Index()

    @property
    def links(self) -> dict[str, str]:
        """Link kinds, and the columns that hold their targets."""
        return self.file.links

    def events(
        self, path: str | os.PathLike[str], *, max_event_bytes: int = MAX_EVENT_BYTES
    ) -> Iterator[tuple[int, Any]]:
        """``(line, CloudEvent)`` for every row of a file that `where` keeps; a `Bad` for a row that cannot be one.

        The line is where the row begins (of Parquet, its number; of a JSON array, the item's). Raises `InputError` for
        a file that cannot be read or is cut off, and for columns that it does not have.
        """
        from context_plane.log.row_events import RowEvents
        from context_plane.log.sources import open_rows

        opened = open_rows(self, os.fspath(path), max_event_bytes)
        events = RowEvents(self, opened)
        for line, row in opened.rows:
            yield line, row if isinstance(row, Bad) else events.event(line, row)

    def columns(self) -> dict[tuple[str | int, ...], tuple[str, ...]]:
        """The columns that each key of the mapping names."""
        file = self.file
        named: dict[tuple[str | int, ...], tuple[str, ...]] = {
            ("subject",): templates.parse(file.subject).columns,
            ("type",): templates.parse(file.type).columns,
            ("time",): (file.time,),
            **{("data", index): (name,) for index, name in enumerate(file.data or ())},
            **self.index.columns(),
            **{("links", kind): (name,) for kind, name in file.links.items()},
            **{("texts", index): (name,) for index, name in enumerate(file.texts) if not self._own(name)},
            **{("json", index): (name,) for index, name in enumerate(file.json_)},
            **{("types", name): (name,) for name in file.types},
        }
        for key, value in (("id", file.id), ("text", file.text)):
            if value is not None:
                named[(key,)] = column_or_template(value).columns
        return named

    def _own(self, name: str) -> bool:
        """Whether a name under `texts` is the event's text, which need not be a column of the file."""
        return name == _TEXT and self.file.text is not None

    def data_columns(self, columns: tuple[str, ...]) -> list[str]:
        """Of a file's columns, those that become data, in their order."""
        if self.file.data is not None:
            chosen = dict.fromkeys(self.file.data)
        else:
            taken = {self.file.time, self.file.id, self.file.text}
            chosen = dict.fromkeys(name for name in columns if name not in taken)
        indexed = [name for key, names in self.columns().items() if key[0] == "index" for name in names]
        read = (name for name in self.file.texts if not self._own(name))
        chosen |= dict.fromkeys([*indexed, *self.file.links.values(), *read])
        if self.file.text not in (None, "text") and "text" in chosen:
            raise self.document.error(
                "text and the column named text would both be data.text",
                "list the columns to keep under data, without text",
                "text",
            )
        return list(chosen)


def load_mapping(path: str | os.PathLike[str]) -> Mapping:
    """The mapping in a YAML file. Raises `InputError` naming file, line and key for anything that is wrong in it."""
    return mapping_of(yamls.load(Path(path)))


def mapping_of(document: yamls.Document) -> Mapping:
    """The mapping in a document. Raises `InputError` as `load_mapping`."""
    file = document.into(MappingFile)
    for name in ("id", "subject", "type", "text"):
        check_template(document, getattr(file, name), (name,))
    check_template(document, file.index.text if file.index else None, ("index", "text"))
    try:
        Clock(file.timezone)
    except InputError as error:
        raise document.error(error.what, error.remedy, "timezone") from None
    for key, only in (("delimiter", "csv"), ("types", "csv")):
        if getattr(file, key) and file.format != only:
            raise document.error(f"{key} is for {only} files", "leave it out: other formats say it themselves", key)
    where = None
    if file.where is not None:
        where = guard.check_expression(file.where, where=document.place("where"), condition=True)
    return Mapping(file, document, where)


def check_template(document: yamls.Document, text: str | None, key: tuple[str, ...]) -> None:
    """Raises `InputError` at a key whose text is no template."""
    if text is not None:
        try:
            templates.parse(text)
        except InputError as error:
            raise document.error(error.what, error.remedy, key) from None


def column_or_template(text: str) -> Template:
    """What `id` and `text` may be: a column's name, or a template."""
    return templates.parse(text) if "{" in text or "}" in text else templates.column(text)
