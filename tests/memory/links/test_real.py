"""Extraction on real issues and pull requests, against the references that their events list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.links import UNEXPLAINED, load, rows, scores
from context_plane.log.mapping import load_mapping
from context_plane.memory.links.declared import Declared, Linking
from context_plane.memory.links.fold import fold

EXAMPLE = Path(__file__).parents[3] / "examples" / "issues" / "sources" / "issues.yaml"


@pytest.fixture(scope="module", params=["refs", "closes"])
def key(request: pytest.FixtureRequest) -> str:
    """Scored are the events that carry it."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def events(data_dir: Path) -> list[dict[str, Any]]:
    """All of them."""
    return [event for path in sorted((data_dir / "issue-timelines").glob("*.jsonl")) for event in load(path)]


def test_precision_and_recall(events: list[dict[str, Any]], key: str) -> None:
    """At least .97 each; what the events do not list was read by hand, and every reason is known (docs/links.md)."""
    score = scores(events, fold(rows(events)))[key]
    assert score.right > 100
    assert score.recall >= 0.97, score.missed
    assert score.audited >= 0.97, score.extra
    assert score.extra[UNEXPLAINED] <= 0.01 * score.right


def test_what_is_listed_comes_from_columns(events: list[dict[str, Any]], key: str) -> None:
    """As the example's mapping declares them; the text's links are beside them."""
    declared = Declared.of(load_mapping(EXAMPLE).links)
    with_data = [{**row, "data": event} for row, event in zip(rows(events), events, strict=True)]
    links = fold(with_data, Linking(sources={"issues": declared}))
    column = [link for link in links if link.evidence.field == key]
    assert len(column) == sum(len(event.get(key) or ()) for event in events)
    assert {(link.kind, link.rule, link.evidence.span) for link in column} == {(key, "column", None)}
    assert [link for link in links if link.rule != "column"] == fold(rows(events))
