"""Judgements (`qrels`): which documents answer which query, and how well.

Here belongs reading BEIR's tables, ``query-id corpus-id score`` with tabs between. What the ids stand for is
`dataset`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from context_plane.errors import InputError
from context_plane.log.compressed import plain
from context_plane.log.readers import open_chunks

HEADER: Final = ("query-id", "corpus-id", "score")
Judged = dict[str, dict[str, int]]
"""Query → document → score; a score above 0 is a relevant document."""


def files_of(folder: Path) -> list[Path]:
    """The tables of a data set: `qrels.tsv`, else `qrels/test.tsv`, else all of `qrels/`. Raises `InputError`."""
    for path in (folder / "qrels.tsv", folder / "qrels" / "test.tsv"):
        if path.is_file():
            return [path]
    found = sorted((folder / "qrels").glob("*.tsv"))
    if not found:
        raise InputError(
            "there are no judgements",
            where=str(folder),
            remedy=f"add qrels.tsv or qrels/test.tsv: the columns {' '.join(HEADER)}, with tabs between",
        )
    return found


def read(paths: list[Path]) -> Judged:
    """What the tables say. Raises `InputError` naming file and line."""
    judged: Judged = {}
    for path in paths:
        for number, (query, document, score) in _rows(path):
            known = judged.setdefault(query, {}).setdefault(document, score)
            if known != score:
                raise InputError(
                    f"document {document[:80]!r} has two scores for query {query[:80]!r}",
                    where=f"{path}:{number}",
                    remedy="keep one of the lines",
                )
    return judged


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, str, int]]]:
    lines = _text(path).splitlines()
    if not lines or tuple(lines[0].split("\t")) != HEADER:
        what = f"the first line is not {' '.join(HEADER)}"
        raise InputError(what, where=f"{path}:1", remedy="write this header, with tabs between the columns")
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            yield number, _row(line, f"{path}:{number}")


def _row(line: str, where: str) -> tuple[str, str, int]:
    match line.split("\t"):
        case [query, document, score] if query and document:
            try:
                return query, document, int(score)
            except ValueError:
                what = f"score {score[:40]!r} is not a whole number"
                raise InputError(what, where=where, remedy="write 0 for irrelevant, 1 or more for relevant") from None
        case found:
            what = f"the line has {len(found)} columns" if len(found) != len(HEADER) else "an id is empty"
            raise InputError(what, where=where, remedy=f"write {', '.join(HEADER)} with tabs between")


def _text(path: Path) -> str:
    where, chunks = open_chunks(path)
    raw = b"".join(plain(chunks, where))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError("the file is not UTF-8", where=f"{path}:{line}", remedy="save it as UTF-8") from error
