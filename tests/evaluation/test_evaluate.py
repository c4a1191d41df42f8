"""Evaluation through the façade, reports as JSON, and the history in a store."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from context_plane.config import Settings, load_settings
from context_plane.errors import Corrupt, InputError
from context_plane.evaluation import dataset, history
from context_plane.evaluation.evaluate import evaluate
from context_plane.evaluation.measures import Interval
from context_plane.evaluation.report import Figures, Report
from context_plane.store import keys
from context_plane.store.open import open_store
from tests.evaluation.world import CORPUS, QUERIES, lines, tables, write, write_talks
from tests.retrieval.oracle import Hashed


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "home")


@pytest.fixture
def hashed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose embedder knows words by their hash alone."""
    monkeypatch.setattr("context_plane.retrieval.embedders.open_embedder", Hashed)
    return replace(settings, embedder="words", analyzer="none")


def test_words_alone(tmp_path: Path, settings: Settings) -> None:
    """Without an embedder there is one mode; the figures are those of the ranking, and the home is left alone."""
    report = evaluate(dataset.load(write(tmp_path / "tiny")), settings)
    assert (report.dataset, report.documents, report.queries) == ("tiny", 4, 2)
    assert (report.embedder, report.analyzer) == ("none", "english")
    assert list(report.modes) == ["bm25"]
    assert report.differences == {}
    assert report.shortfall == 0
    figures = report.modes["bm25"]
    assert dict(figures.means) == dict.fromkeys(figures.means, Interval(1, 1, 1))
    assert 0 < figures.p50_ms <= figures.p99_ms
    assert report.seconds > 0
    assert not settings.home.exists()


def test_a_miss_costs(tmp_path: Path, settings: Settings) -> None:
    """A judged document that the corpus lacks counts as not found: half the recall, and the gain of one of two."""
    qrels = tables(["q2\td2\t1", "q2\tgone\t1"])
    report = evaluate(dataset.load(write(tmp_path / "tiny", qrels=qrels)), settings)
    means = report.modes["bm25"].means
    assert [round(each.mean, 3) for each in means.values()] == [0.613, 0.5, 1]
    assert report.unknown_documents == 1


def test_three_modes_and_their_differences(tmp_path: Path, hashed: Settings) -> None:
    """With an embedder words, vectors and both are measured, and both against each."""
    report = evaluate(dataset.load(write(tmp_path / "tiny")), hashed)
    assert list(report.modes) == ["bm25", "vector", "hybrid"]
    assert list(report.differences) == ["bm25", "vector"]
    assert report.embedder == "hashed/words/16"
    for part, means in report.differences.items():
        for name, each in means.items():
            ahead = report.modes["hybrid"].means[name].mean - report.modes[part].means[name].mean
            assert each.mean == pytest.approx(ahead, abs=2e-6)
    assert report.shortfall <= 0


def test_a_mapping_declares_what_is_indexed(tmp_path: Path, settings: Settings) -> None:
    """Beside the text the speaker is searched, and a query is asked of its own conversation alone."""
    folder = write_talks(tmp_path / "talks")
    (folder / "queries.jsonl").write_text(lines([{"_id": "q1", "conversation": "b", "text": "Bob"}]))
    (folder / "qrels.tsv").write_text(tables(["q1\tb-1\t1"]))
    report = evaluate(dataset.load(folder), settings)
    assert [each.mean for each in report.modes["bm25"].means.values()] == [1, 1, 1]


def test_a_query_is_no_answer_to_itself(tmp_path: Path, settings: Settings) -> None:
    """Where queries are documents too, the first hit is the query; BEIR leaves it out."""
    asked = {"_id": "d4", "text": CORPUS[3]["text"]}
    folder = write(tmp_path / "tiny", queries=lines([*QUERIES, asked]), qrels=tables(["d4\td1\t1"]))
    report = evaluate(dataset.load(folder), settings)
    assert report.modes["bm25"].means["MRR@10"].mean == 1


def test_a_document_that_no_event_can_be_made_of_is_named(tmp_path: Path, settings: Settings) -> None:
    """With its line in the corpus, blank lines counted."""
    corpus = lines(CORPUS[:1]) + "\n" + lines([{"_id": "d2", "text": "a\0b"}])
    folder = write(tmp_path / "tiny", corpus=corpus)
    with pytest.raises(InputError, match="NUL") as caught:
        evaluate(dataset.load(folder), settings)
    assert caught.value.where == f"{folder / 'corpus.jsonl'}:3"


def made(at: int, dataset: str = "tiny") -> Report:
    """A report of some instant."""
    means = {"nDCG@10": Interval(0.5, 0.4, 0.6)}
    return Report(
        dataset=dataset, sha256="f" * 64, at=at, documents=4, queries=2, unknown_queries=1, unknown_documents=0,
        embedder="none", analyzer="english", modes={"bm25": Figures(means, 1.5, 2.0)}, differences={}, seconds=0.25,
    )  # fmt: skip


def test_reports_are_json_and_back(tmp_path: Path, hashed: Settings) -> None:
    """What is kept is what was found."""
    report = evaluate(dataset.load(write(tmp_path / "tiny")), hashed)
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_the_history_is_in_order_of_time(tmp_path: Path) -> None:
    """Of one data set, whatever it is called, the oldest first; the same report again is the same object."""
    store = open_store(tmp_path / "store")
    second = 1_772_000_000_000_000
    reports = [made(second + part) for part in (0, 1, 999_999, 1_000_000, 10**15)]
    for report in [*reversed(reports), reports[0], made(second, "tiny/2")]:
        history.keep(store, report)
    assert history.kept(store, "tiny") == reports
    assert history.kept(store, "tiny/2") == [made(second, "tiny/2")]
    assert history.kept(store, "none") == []
    assert next(store.list("quality/tiny/")).startswith("quality/tiny/2026-02-25T061320.000000Z-")


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"format": 2}', b'{"format": 1, "at": "then"}'])
def test_what_is_no_evaluation_is_told(tmp_path: Path, body: bytes) -> None:
    """With the key of the object."""
    store = open_store(tmp_path / "store")
    key = keys.evaluation("tiny", 0, "0" * 64)
    store.create(key, body)
    with pytest.raises(Corrupt, match="not an evaluation") as caught:
        history.kept(store, "tiny")
    assert caught.value.where == key
