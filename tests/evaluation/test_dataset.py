"""Data sets: what is read, and what every mistake is told by file, line and remedy."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from context_plane.errors import InputError
from context_plane.evaluation import dataset
from tests.evaluation.world import CORPUS, HEADER, MAPPING, QRELS, QUERIES, lines, tables, write, write_talks


def test_a_data_set_is_read(tmp_path: Path) -> None:
    """Documents, the queries that have a relevant document, and one event a document: title and text."""
    found = dataset.load(write(tmp_path / "tiny"))
    assert (found.name, found.documents) == ("tiny", {"d1", "d2", "d3", "d4"})
    assert [(query.id, query.entity, dict(query.judged)) for query in found.queries] == [
        ("q1", None, {"d1": 2, "d4": 1, "d2": 0}),
        ("q2", None, {"d2": 1}),
    ]
    assert (found.unknown_queries, found.unknown_documents) == (0, 0)
    events = dict(found.events())
    assert events[1] == {
        "specversion": "1.0", "id": "d1", "source": "beir", "type": "beir.document", "subject": "beir/corpus",
        "time": "2000-01-01T00:00:00Z", "data": {"text": "Exports The export to CSV stops at ten thousand rows."},
    }  # fmt: skip
    assert events[4]["data"]["text"] == "The export of invoices is slow."


def test_compressed_files_are_read(tmp_path: Path) -> None:
    """By what is in them, under either name."""
    folder = write(tmp_path / "tiny")
    plain = dataset.load(folder)
    (folder / "corpus.jsonl.zst").write_bytes(zstandard.compress((folder / "corpus.jsonl").read_bytes()))
    (folder / "queries.jsonl.gz").write_bytes(gzip.compress((folder / "queries.jsonl").read_bytes()))
    (folder / "corpus.jsonl").unlink()
    (folder / "queries.jsonl").unlink()
    found = dataset.load(folder)
    assert (found.documents, found.queries) == (plain.documents, plain.queries)
    assert found.sha256 != plain.sha256


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    """Wherever the folder lies; another judgement is another data set."""
    one, same = dataset.load(write(tmp_path / "a")), dataset.load(write(tmp_path / "b"))
    other = dataset.load(write(tmp_path / "c", qrels=tables(QRELS[:3])))
    mapped = dataset.load(write_talks(tmp_path / "d"))
    assert one.sha256 == same.sha256
    assert len({one.sha256, other.sha256, mapped.sha256}) == 3


def test_of_a_folder_of_judgements_test_is_used_alone(tmp_path: Path) -> None:
    """As BEIR reports it; without it all tables are one."""
    folder = write(tmp_path / "tiny")
    (folder / "qrels.tsv").unlink()
    (folder / "qrels").mkdir()
    (folder / "qrels" / "dev.tsv").write_text(tables(QRELS[:1]))
    (folder / "qrels" / "train.tsv").write_text(tables(QRELS[3:]))
    assert [query.id for query in dataset.load(folder).queries] == ["q1", "q2"]
    (folder / "qrels" / "test.tsv").write_text(tables(QRELS[3:]))
    assert [query.id for query in dataset.load(folder).queries] == ["q2"]


def test_judgements_on_what_is_not_there_are_counted(tmp_path: Path) -> None:
    """A judged query that is missing is left out; a document that is missing can still be missed."""
    qrels = tables([*QRELS, "q1\tgone\t1", "q9\td1\t1", "q8\td1\t1"])
    found = dataset.load(write(tmp_path / "tiny", qrels=qrels))
    assert (found.unknown_queries, found.unknown_documents) == (2, 1)
    assert found.queries[0].judged["gone"] == 1


def test_a_mapping_makes_the_events_and_the_entity_of_a_query(tmp_path: Path) -> None:
    """A query that has the columns of the mapping's entity is about that entity, another about all."""
    found = dataset.load(write_talks(tmp_path / "talks"))
    _, event = next(found.events())
    assert (event["id"], event["subject"], event["source"]) == ("a-0", "talk/a", "talks")
    assert [query.entity for query in found.queries] == ["talk/a", None]


def test_a_mapping_of_one_entity_filters_nothing(tmp_path: Path) -> None:
    """Its subject names no column."""
    found = dataset.load(write_talks(tmp_path / "talks", MAPPING.replace("talk/{conversation}", "talk/all")))
    assert [query.entity for query in found.queries] == [None, None]


def test_the_data_sets_of_a_home_are_its_folders(tmp_path: Path) -> None:
    """Sorted, without files and hidden folders; none where there is no folder."""
    assert dataset.names(tmp_path) == []
    for name in ("b", "a", ".hidden"):
        write(tmp_path / "quality" / name)
    (tmp_path / "quality" / "README.md").write_text("notes")
    assert dataset.names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("corpus.jsonl", "there is no corpus.jsonl"),
        ("queries.jsonl", "there is no queries.jsonl"),
        ("qrels.tsv", "there are no judgements"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, file: str, what: str) -> None:
    """With the folder, and what belongs in it."""
    folder = write(tmp_path / "tiny")
    (folder / file).unlink()
    with pytest.raises(InputError) as caught:
        dataset.load(folder)
    assert (caught.value.what, caught.value.where) == (what, str(folder))
    assert "qrels/test.tsv" in caught.value.remedy


BROKEN = {
    "json": ("corpus", '{"_id": "d1", "text": "a"}\n\n{"_id": "d2"', 3, "not JSON"),
    "a list": ("corpus", '{"_id": "d1", "text": "a"}\n[]\n', 2, "not a JSON object"),
    "no id": ("corpus", '{"text": "a"}\n', 1, "there is no _id"),
    "empty id": ("queries", '{"_id": "", "text": "a"}\n', 1, "there is no _id"),
    "no text": ("corpus", '{"_id": "d1"}\n', 1, "text is missing"),
    "text": ("corpus", '{"_id": "d1", "text": 7}\n', 1, "text is int, not text"),
    "title": ("corpus", '{"_id": "d1", "text": "", "title": []}\n', 1, "title is list, not text"),
    "twice": ("corpus", lines([*CORPUS, CORPUS[0]]), 5, "_id 'd1' is there twice"),
    "query twice": ("queries", lines([*QUERIES, QUERIES[2]]), 4, "_id 'q3' is there twice"),
    "query text": ("queries", '{"_id": "q1"}\n', 1, "text is missing"),
    "header": ("qrels", "q1\td1\t1\n", 1, "the first line is not query-id corpus-id score"),
    "empty": ("qrels", "", 1, "the first line is not"),
    "columns": ("qrels", f"{HEADER}\nq1\td1\n", 2, "the line has 2 columns"),
    "empty column": ("qrels", f"{HEADER}\nq1\t\t1\n", 2, "an id is empty"),
    "score": ("qrels", f"{HEADER}\n\nq1\td1\t0.5\n", 3, "score '0.5' is not a whole number"),
    "contradiction": ("qrels", tables([*QRELS, "q2\td2\t0"]), 6, "has two scores"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_named(tmp_path: Path, name: str) -> None:
    """With file, line and a remedy."""
    part, text, line, what = BROKEN[name]
    folder = write(tmp_path / "tiny", **{part: text})
    with pytest.raises(InputError) as caught:
        dataset.load(folder)
    file = folder / ("qrels.tsv" if part == "qrels" else f"{part}.jsonl")
    assert what in caught.value.what
    assert caught.value.where == f"{file}:{line}"
    assert caught.value.remedy


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """With the line of the first byte that is wrong."""
    folder = write(tmp_path / "tiny")
    (folder / "qrels.tsv").write_bytes(f"{HEADER}\nq\xe9\td1\t1\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8") as caught:
        dataset.load(folder)
    assert caught.value.where.endswith("qrels.tsv:2")


@pytest.mark.parametrize("qrels", [tables([]), tables(["q1\td1\t0"]), tables(["q9\td1\t1"])])
def test_without_a_relevant_document_nothing_can_be_measured(tmp_path: Path, qrels: str) -> None:
    """No judgement, none above 0, or none of a query that is there."""
    with pytest.raises(InputError, match="no query has a relevant document"):
        dataset.load(write(tmp_path / "tiny", qrels=qrels))


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    """There is nothing to search."""
    with pytest.raises(InputError, match="holds no document"):
        dataset.load(write(tmp_path / "tiny", corpus="\n"))


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("id: _id\n", "", 1, "judgements name documents by _id"),
        ("id: _id\n", 'id: "{_id}-{session}"\n', 3, "judgements name documents by _id"),
        ("format: jsonl", "format: csv", 2, "a corpus is jsonl, not csv"),
        ("time: at", "time: moment", 6, "there is no column 'moment'"),
        ("text: text", "txt: text", 7, "unknown key 'txt'"),
    ],
)
def test_a_mapping_that_cannot_be_is_told_why(tmp_path: Path, old: str, new: str, line: int, what: str) -> None:
    """With the line of its key; above all, an event must have the id of its document."""
    folder = write_talks(tmp_path / "talks", MAPPING.replace(old, new))
    with pytest.raises(InputError) as caught:
        dataset.load(folder)
    assert what in caught.value.what
    assert caught.value.where.startswith(f"{folder / 'mapping.yaml'}:{line}")
    assert caught.value.remedy


def test_a_row_that_the_mapping_cannot_read_is_named(tmp_path: Path) -> None:
    """With the line of the corpus."""
    folder = write_talks(tmp_path / "talks")
    corpus = folder / "corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("2024-05-01T10:01:00Z", "yesterday", 1))
    with pytest.raises(InputError, match="'yesterday' is not ISO 8601") as caught:
        dataset.load(folder)
    assert caught.value.where == f"{corpus}:2"
