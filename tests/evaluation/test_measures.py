"""Measures: values known by hand, bounds for all rankings, and intervals that are the same each time."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.evaluation.measures import NAMES, Interval, means, ndcg, of_query, recall, reciprocal_rank

IDS = [f"d{number}" for number in range(15)]
rankings = st.lists(st.sampled_from(IDS), unique=True)
judgements = st.dictionaries(st.sampled_from(IDS), st.integers(-1, 3), min_size=1).filter(
    lambda judged: max(judged.values()) > 0
)


@pytest.mark.parametrize(
    ("ranked", "judged", "value"),
    [
        (["a", "b"], {"a": 1}, 1.0),
        (["b", "a"], {"a": 1}, 1 / log2(3)),
        (["b", "c"], {"a": 1}, 0.0),
        ([], {"a": 1}, 0.0),
        # The example of trec_eval's measure: gains are the scores themselves, not two to their power.
        (["a", "b", "c"], {"a": 1, "b": 2, "c": 3}, (1 + 2 / log2(3) + 3 / 2) / (3 + 2 / log2(3) + 1 / 2)),
        # What was not found belongs to the ideal, what was judged to be irrelevant gains nothing.
        (["x", "a"], {"a": 1, "b": 1, "x": 0, "y": -2}, (1 / log2(3)) / (1 + 1 / log2(3))),
        ([*IDS[:10], "a"], {"a": 1}, 0.0),
    ],
)
def test_ndcg(ranked: list[str], judged: dict[str, int], value: float) -> None:
    """Linear gains, log2 of rank + 1, the ideal over all that is judged, ten hits."""
    assert ndcg(ranked, judged) == pytest.approx(value)


def test_recall_and_reciprocal_rank() -> None:
    """Relevant is a score above 0; the first ten count."""
    judged = {"a": 1, "b": 2, "c": 0, "d": 1}
    assert recall(["c", "b", "a"], judged) == pytest.approx(2 / 3)
    assert reciprocal_rank(["c", "b", "a"], judged) == 0.5
    late = [*IDS[:10], "a"]
    assert (recall(late, judged), reciprocal_rank(late, judged)) == (0, 0)


@given(rankings, judgements)
def test_measures_lie_between_0_and_1(ranked: list[str], judged: dict[str, int]) -> None:
    """Whatever is ranked."""
    assert all(0 <= value <= 1 for value in of_query(ranked, judged))


@given(judgements)
def test_the_perfect_ranking_has_1(judged: dict[str, int]) -> None:
    """By descending score; of more than ten relevant documents recall can only reach a part."""
    perfect = sorted(judged, key=lambda each: -judged[each])
    gain, share, rank = of_query(perfect, judged)
    relevant = sum(score > 0 for score in judged.values())
    assert (gain, share, rank) == (pytest.approx(1), min(relevant, 10) / relevant, 1)


@given(rankings, judgements, st.data())
def test_putting_the_better_first_is_never_worse(
    ranked: list[str], judged: dict[str, int], data: st.DataObject
) -> None:
    """Two hits in the order of their scores have at least the gain of the other order."""
    if len(ranked) < 2:
        return
    one, other = sorted(data.draw(st.lists(st.integers(0, len(ranked) - 1), min_size=2, max_size=2, unique=True)))
    better, worse = list(ranked), list(ranked)
    pair = sorted((ranked[one], ranked[other]), key=lambda each: -max(0, judged.get(each, 0)))
    better[one], better[other] = pair
    worse[one], worse[other] = reversed(pair)
    assert ndcg(better, judged) >= ndcg(worse, judged) - 1e-12


def test_intervals_are_those_of_the_mean() -> None:
    """Near the normal approximation, and the same at every call."""
    values = np.random.default_rng(1).random((500, 3))
    found = means(values)
    assert found == means(values.copy())
    assert list(found) == list(NAMES)
    for column, interval in zip(values.T, found.values(), strict=True):
        error = 1.96 * column.std() / np.sqrt(500)
        assert interval.mean == pytest.approx(column.mean(), abs=1e-6)
        assert interval.low == pytest.approx(column.mean() - error, abs=0.1 * error)
        assert interval.high == pytest.approx(column.mean() + error, abs=0.1 * error)


def test_differences_are_paired() -> None:
    """A mode that is better by the same on every query is so beyond doubt, however much queries differ."""
    values = np.random.default_rng(1).random((50, 3))
    assert means((values + 0.25) - values)["nDCG@10"] == Interval(0.25, 0.25, 0.25)
    assert means(values)["nDCG@10"].high - means(values)["nDCG@10"].low > 0.1


def test_one_query_has_an_interval_without_width() -> None:
    """Nothing can be said of its spread."""
    assert str(means(np.array([[0.5, 1.0, 1.0]]))["nDCG@10"]) == "0.500 [0.500, 0.500]"
