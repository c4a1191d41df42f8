"""Data sets: a folder ``quality/NAME`` of the home in BEIR's form, as events to ingest and queries to ask.

A folder holds `corpus.jsonl`, `queries.jsonl` (or .zst, .gz) and judgements. An ordinary source mapping, which is
`mapping.yaml`, may say how the corpus becomes events; without one every document is an event of one entity whose text
is title and text. Only queries that have a relevant document are asked: for others no ranking is better than another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import digest
from context_plane.errors import InputError
from context_plane.evaluation import judgements
from context_plane.log import templates
from context_plane.log.json_rows import JsonRows
from context_plane.log.readers import MAX_EVENT_BYTES, Bad
from context_plane.log.templates import RowError

if TYPE_CHECKING:
    from context_plane.log import mapping as mappings

ID: Final = "_id"
MAPPING: Final = "mapping.yaml"
ENTITY: Final = "beir/corpus"
_SUFFIXES: Final = ("", ".zst", ".gz")
_TIME: Final = "2000-01-01T00:00:00Z"
_IDS: Final = templates.column(ID)
_REMEDY: Final = "a data set is corpus.jsonl, queries.jsonl (or .zst, .gz) and qrels.tsv or qrels/test.tsv"


def folder_of(home: Path) -> Path:
    """Where a home has its data sets."""
    return home / "quality"


def names(home: Path) -> list[str]:
    """Names of the data sets of a home, sorted: the folders in ``quality/``."""
    folder = folder_of(home)
    if not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if each.is_dir() and each.name[0] not in "._")


@dataclass(frozen=True)
class Query:
    """One question, and what answers it."""

    id: str
    text: str
    entity: str | None
    """The only entity that is searched; `None` for all."""
    judged: Mapping[str, int]


@dataclass(frozen=True)
class Dataset:
    """A data set that was read and checked."""

    name: str
    corpus: Path
    mapping: mappings.Mapping | None
    documents: frozenset[str]
    """Ids of the corpus, which are those of the events."""
    queries: tuple[Query, ...]
    sha256: str
    """Of its files, as they lie there."""
    unknown_queries: int
    """Judged queries that are not among the queries. They are left out."""
    unknown_documents: int
    """Judgements of asked queries on documents that the corpus lacks. They count as not found."""

    def events(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """``(line, CloudEvent)`` of every document. Raises `InputError` naming the line that cannot be one."""
        return _events(self.corpus, self.mapping)


def load(folder: Path) -> Dataset:
    """The data set in a folder. Raises `InputError` with file, line and remedy for whatever is wrong in it."""
    corpus, queries = _file(folder, "corpus"), _file(folder, "queries")
    tables = judgements.files_of(folder)
    mapping = _mapping(folder / MAPPING)
    documents = _ids(corpus, mapping)
    judged = judgements.read(tables)
    asked, known = _queries(queries, judged, mapping)
    if not asked:
        what = "no query has a relevant document"
        raise InputError(what, where=str(tables[0]), remedy=f"judge ids of {queries.name} with a score of 1 or more")
    files = [corpus, queries, *tables, *([folder / MAPPING] if mapping else [])]
    return Dataset(
        name=folder.name,
        corpus=corpus,
        mapping=mapping,
        documents=documents,
        queries=tuple(asked),
        sha256=_hash(folder, files),
        unknown_queries=len(judged.keys() - known),
        unknown_documents=sum(len(each.judged.keys() - documents) for each in asked),
    )


def _file(folder: Path, stem: str) -> Path:
    """A file of the data set, plain or compressed."""
    for suffix in _SUFFIXES:
        path = folder / f"{stem}.jsonl{suffix}"
        if path.is_file():
            return path
    raise InputError(f"there is no {stem}.jsonl", where=str(folder), remedy=_REMEDY)


def _mapping(path: Path) -> mappings.Mapping | None:
    """The mapping of the corpus. Raises `InputError` for one whose events could not be found in the judgements."""
    if not path.exists():
        return None
    from context_plane.log.mapping import column_or_template, load_mapping

    mapping = load_mapping(path)
    if mapping.file.format != "jsonl":
        raise mapping.document.error(f"a corpus is jsonl, not {mapping.file.format}", "write format: jsonl", "format")
    if mapping.file.id is None or column_or_template(mapping.file.id).parts != _IDS.parts:
        what = f"judgements name documents by {ID}, so that is the id of their events"
        raise mapping.document.error(what, f"write id: {ID}", "id")
    return mapping


def _ids(corpus: Path, mapping: mappings.Mapping | None) -> frozenset[str]:
    """The documents' ids. Reads every one of them, so that nothing is built of a corpus that is broken at its end."""
    ids: set[str] = set()
    for line, event in _events(corpus, mapping):
        if event["id"] in ids:
            raise _twice(event["id"], corpus, line)
        ids.add(event["id"])
    if not ids:
        raise InputError("the corpus holds no document", where=str(corpus), remedy="write one JSON object a line")
    return frozenset(ids)


def _events(corpus: Path, mapping: mappings.Mapping | None) -> Iterator[tuple[int, dict[str, Any]]]:
    if mapping is None:
        for line, row in _rows(corpus):
            yield line, _event(row, f"{corpus}:{line}")
        return
    for line, found in mapping.events(corpus):
        if isinstance(found, Bad):
            raise InputError(found.reason, where=f"{corpus}:{line}", remedy=f"correct the line, or {MAPPING}")
        yield line, found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, row in JsonRows(str(path), max_row_bytes=MAX_EVENT_BYTES).read():
        if isinstance(row, Bad):
            raise InputError(row.reason, where=f"{path}:{line}", remedy="write one JSON object a line")
        yield line, row


def _event(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A document as an event, without a mapping."""
    return {
        "specversion": "1.0",
        "id": _id(row, where),
        "source": "beir",
        "type": "beir.document",
        "subject": ENTITY,
        "time": _TIME,
        "data": {"text": f"{_words(row, 'title', where, needed=False)} {_words(row, 'text', where)}".strip()},
    }


def _queries(
    path: Path, judged: judgements.Judged, mapping: mappings.Mapping | None
) -> tuple[list[Query], frozenset[str]]:
    """The queries with a relevant document, and the ids of all."""
    subject = templates.parse(mapping.file.subject) if mapping is not None else None
    asked: list[Query] = []
    ids: set[str] = set()
    for line, row in _rows(path):
        where = f"{path}:{line}"
        id_ = _id(row, where)
        if id_ in ids:
            raise _twice(id_, path, line)
        ids.add(id_)
        scores = judged.get(id_, {})
        if any(score > 0 for score in scores.values()):
            asked.append(Query(id_, _words(row, "text", where), _entity(subject, row), scores))
    return asked, frozenset(ids)


def _entity(subject: templates.Template | None, row: Mapping[str, Any]) -> str | None:
    """The entity whose documents a query is about, where it has all columns that the mapping makes one from."""
    if subject is None or not subject.columns:
        return None
    try:
        return subject.fill(row)
    except RowError:
        return None


def _id(row: Mapping[str, Any], where: str) -> str:
    try:
        return _IDS.fill(row)
    except RowError:
        raise InputError(f"there is no {ID}", where=where, remedy=f"give every line an {ID}") from None


def _words(row: Mapping[str, Any], name: str, where: str, *, needed: bool = True) -> str:
    value = row.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        found = "missing" if value is None else f"{type(value).__name__}, not text"
        raise InputError(f"{name} is {found}", where=where, remedy=f'write "{name}": "…"')
    return value


def _twice(id_: str, path: Path, line: int) -> InputError:
    return InputError(f"{ID} {id_[:80]!r} is there twice", where=f"{path}:{line}", remedy="keep one of the lines")


def _hash(folder: Path, files: Sequence[Path]) -> str:
    found = {}
    for path in files:
        with path.open("rb") as file:
            found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digest(found).removeprefix("sha256:")
