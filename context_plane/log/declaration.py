"""Declarations (`sources/*.yaml` with ``format: cloudevents``): what is indexed and linked of events without a mapping.

Here belongs which of the two kinds of file in `sources/` one is, and what a declaration may hold: the CloudEvents
source that it is for, `index`, `links`, `references` and `texts`. How rows become events, and the keys under these, are
`mapping`'s business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict

from context_plane import yamls
from context_plane.log.mapping import (
    Format,
    Index,
    Mapping,
    MappingFile,
    Name,
    Reference,
    check_template,
    mapping_of,
)  # fmt: skip
from context_plane.log.readers import MAX_EVENT_BYTES, Source, read_events

CLOUDEVENTS: Final = "cloudevents"
FORMATS: Final = (*get_args(Format), CLOUDEVENTS)
_ROW_FORMATS: Final = ", ".join(get_args(Format))
_DATA: Final = "data."


class DeclarationFile(BaseModel):
    """A declaration as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: Name
    format: Literal["cloudevents"]
    index: Index | None = None
    links: dict[Name, Name] = {}
    references: list[Reference] = []
    texts: list[Name] = []


_MAPPED: Final = {item.alias or name for name, item in MappingFile.model_fields.items()}
_ROW_KEYS: Final = _MAPPED - DeclarationFile.model_fields.keys()


@dataclass(frozen=True)
class Declaration:
    """A checked declaration. Names under `index` are fields of the events' data."""

    file: DeclarationFile
    document: yamls.Document

    @property
    def source(self) -> str:
        """The CloudEvents source of the events that it is for."""
        return self.file.source

    def events(self, events: Source, *, max_event_bytes: int = MAX_EVENT_BYTES) -> Iterator[tuple[int, Any]]:
        """The events as they are, as without a declaration: `read_events`."""
        return read_events(events, max_event_bytes=max_event_bytes)


def load_source(path: str | os.PathLike[str]) -> Mapping | Declaration:
    """The mapping or declaration in a YAML file. Raises `InputError` naming file, line and key for what is wrong."""
    document = yamls.load(Path(path))
    form = document.data.get("format")
    if isinstance(form, str) and form not in FORMATS:
        near = get_close_matches(form, FORMATS, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"the formats are: {', '.join(FORMATS)}"
        raise document.error(f"there is no format {form!r}", remedy, "format")
    return _declaration(document) if form == CLOUDEVENTS else mapping_of(document)


def _declaration(document: yamls.Document) -> Declaration:
    for key in document.data:
        if key in _ROW_KEYS:
            what = f"{key} is for files whose rows become events, and these are CloudEvents"
            raise document.error(what, f"leave {key} out, or write the format of the rows: {_ROW_FORMATS}", key)
    file = document.into(DeclarationFile)
    index = file.index or Index()
    if file.index is None and not (file.links or file.references or file.texts):
        raise document.error("it declares nothing", "write index, links, references or texts", "format")
    check_template(document, index.text, ("index", "text"))
    links: dict[tuple[str | int, ...], tuple[str, ...]] = {
        **{("links", kind): (of,) for kind, of in file.links.items()},
        **{("texts", at): (of,) for at, of in enumerate(file.texts)},
    }
    for place, names in {**index.columns(), **links}.items():
        for name in names:
            if name.startswith(_DATA):
                what = f"{name!r} would be a field of that name inside the data"
                raise document.error(what, f"write {name.removeprefix(_DATA)}: names are fields of the data", place)
    return Declaration(file, document)
