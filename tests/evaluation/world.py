"""A tiny data set in BEIR's form, and a home to evaluate it with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CORPUS = [
    {"_id": "d1", "title": "Exports", "text": "The export to CSV stops at ten thousand rows.", "metadata": {}},
    {"_id": "d2", "title": "Login", "text": "Single sign-on fails after the certificate was renewed."},
    {"_id": "d3", "title": "", "text": "Invoices are sent twice on the first day of a month."},
    {"_id": "d4", "text": "The export of invoices is slow."},
]
QUERIES = [
    {"_id": "q1", "text": "export stops"},
    {"_id": "q2", "text": "certificate renewed"},
    {"_id": "q3", "text": "nobody judged this"},
]
QRELS = ["q1\td1\t2", "q1\td4\t1", "q1\td2\t0", "q2\td2\t1"]
HEADER = "query-id\tcorpus-id\tscore"
SAID = [("Ann", "Where did you go?"), ("Bob", "To the lake."), ("Ann", "Nice!")]
TURNS = [
    {"_id": f"{talk}-{at}", "conversation": talk, "session": 1, "speaker": who, "at": f"2024-05-01T10:0{at}:00Z"}
    | {"text": text}
    for talk in ("a", "b")
    for at, (who, text) in enumerate(SAID)
]
ABOUT = [
    {"_id": "q1", "conversation": "a", "text": "Who went to the lake?"},
    {"_id": "q2", "text": "Who went to the lake?"},
]
MAPPING = """\
source: talks
format: jsonl
id: _id
subject: "talk/{conversation}"
type: talk.turn
time: at
text: text
index: {with: [speaker], neighbours: {before: 1, after: 1, within: session}}
"""


def lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """JSONL."""
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def tables(rows: Iterable[str]) -> str:
    """A table of judgements."""
    return "\n".join([HEADER, *rows]) + "\n"


def write(
    folder: Path,
    corpus: str = lines(CORPUS),
    queries: str = lines(QUERIES),
    qrels: str = tables(QRELS),
    mapping: str | None = None,
) -> Path:
    """Writes a data set and returns its folder."""
    folder.mkdir(parents=True)
    for name, text in (("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels.tsv", qrels)):
        (folder / name).write_text(text, "utf-8")
    if mapping is not None:
        (folder / "mapping.yaml").write_text(mapping, "utf-8")
    return folder


def write_talks(folder: Path, mapping: str = MAPPING) -> Path:
    """Writes a data set of two conversations, with a mapping."""
    return write(folder, lines(TURNS), lines(ABOUT), tables(["q1\ta-1\t1", "q2\ta-1\t1", "q2\tb-1\t1"]), mapping)
