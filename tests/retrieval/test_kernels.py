"""The compiled loops and those in numpy find the same, and what they skip could not have been among the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from context_plane.retrieval.scoring.kernels import compiled, plain

ROWS, TERMS, WIDTH = 12_000, 60, 24
A, B = 0.3, 0.0225


@dataclass(frozen=True)
class Shard:
    """Random documents; the first terms are in most of them, the last in a few."""

    forward: tuple[Any, Any, Any]
    postings: tuple[Any, Any, Any]
    span: Any
    vectors: Any

    def bm25(self, terms: Any, weights: Any) -> Any:
        """Of every document, straight from the definition."""
        start, row, tf = self.postings
        out = np.zeros(ROWS)
        for term, weight in zip(terms, weights, strict=True):
            here = slice(start[term], start[term + 1])
            often = tf[here].astype(np.float64)
            out[row[here]] += weight * often / (often + A + B * self.span[row[here]])
        return out


@pytest.fixture(scope="module")
def shard() -> Shard:
    rng = np.random.default_rng(7)
    share = 0.8 / np.arange(1, TERMS + 1) ** 1.2
    held = rng.random((ROWS, TERMS)) < share
    counts = np.where(held, rng.integers(1, 5, (ROWS, TERMS)), 0)
    row, term = np.nonzero(counts)
    fwd = (np.searchsorted(row, np.arange(ROWS + 1)).astype(np.int64), term.astype(np.int32))
    tf = counts[row, term].astype(np.uint16)
    order = np.lexsort((row, term))
    posts = (np.searchsorted(term[order], np.arange(TERMS + 1)).astype(np.int64), row[order].astype(np.int32))
    span = rng.integers(5, 90, ROWS).astype(np.float32)
    vectors = rng.normal(size=(ROWS, WIDTH)).astype(np.float32) + rng.normal(size=WIDTH).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Shard((*fwd, tf), (*posts, tf[order]), span, vectors)


def room() -> tuple[Any, ...]:
    return np.zeros(ROWS, np.float32), *(np.empty(ROWS, np.int32) for _ in range(2)), np.zeros(ROWS, np.int32)


@pytest.mark.parametrize("kernels", [plain, compiled], ids=["plain", "compiled"])
@pytest.mark.parametrize("near", [0.0, 0.3])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.05])
def test_ranking_by_postings_misses_nothing(kernels: Any, near: float, share: float, shard: Shard) -> None:
    rng, text, k = np.random.default_rng(int(share * 100)), 1 - near, 15
    buffer, touched, kept, stamps = room()
    for number in range(30):
        terms = np.sort(rng.choice(TERMS, rng.integers(1, 9), replace=False))
        start = shard.postings[0]
        weights = np.log1p(ROWS / (start[terms + 1] - start[terms] + 0.5))
        rows = np.sort(rng.choice(ROWS, int(share * ROWS), replace=False)).astype(np.int32)
        query = shard.vectors[rng.integers(ROWS)] + rng.normal(size=WIDTH).astype(np.float32) * np.float32(0.2)
        query /= np.linalg.norm(query)
        cosine = shard.vectors.astype(np.float64) @ query
        score = text / weights.sum() * shard.bm25(terms, weights) + near * cosine
        found = np.argsort(-cosine)[:100].astype(np.int32) if near else np.zeros(0, np.int32)
        *ranked, unsure = kernels.rank_postings(
            rows, share == 1, found, len(found), 4_096, *shard.forward, *shard.postings, shard.span, terms, weights,
            A, B, shard.vectors, query, text / weights.sum(), near, k, buffer, touched, kept, stamps, 2 * number + 2,
        )  # fmt: skip
        wanted = np.sort(score[rows])[::-1][:k] if not unsure else np.zeros(0)
        wanted = wanted if near else wanted[wanted > 0]
        assert ranked[3].max(initial=0) <= score[rows].max() + 1e-6
        assert np.sort(ranked[3])[::-1][: len(wanted)] == pytest.approx(wanted, abs=1e-6)
        assert ranked[3] == pytest.approx(score[ranked[0]], abs=1e-6)
        assert set(ranked[0].tolist()) <= set(rows.tolist())
        assert len(set(ranked[0].tolist())) == len(ranked[0])
        assert not buffer.any()


@pytest.mark.parametrize("share", [0.6, 0.02, 0.001])
def test_both_rank_rows_to_the_same_bits(share: float, shard: Shard) -> None:
    """By runs, by rows or by postings: sums are made in one order."""
    rng = np.random.default_rng(3)
    for number in range(20):
        size = max(1, int(share * ROWS))
        at = int(rng.integers(ROWS - size))
        slices = number % 2 == 0
        rows = np.arange(at, at + size) if slices else np.sort(rng.choice(ROWS, size, replace=False))
        terms = np.sort(rng.choice(TERMS, 5, replace=False))
        weights = rng.random(5)
        answers = []
        for kernels in (plain, compiled):
            buffer, touched, _, _ = room()
            answers.append(
                kernels.rank_rows(
                    rows.astype(np.int32), *shard.forward, *shard.postings, shard.span, terms, weights, A, B,
                    shard.vectors, shard.vectors[at], 0.2, 0.3, 12, buffer, touched,
                )
            )  # fmt: skip
            assert not buffer.any()
        (rows_one, bm25_one, *_), (rows_other, bm25_other, *_) = answers
        one, other = dict(zip(rows_one, bm25_one, strict=True)), dict(zip(rows_other, bm25_other, strict=True))
        shared = one.keys() & other.keys()
        assert len(shared) >= 11  # the last may differ where cosines in single precision are rounded
        assert all(one[row] == other[row] for row in shared)


@pytest.mark.parametrize("k", [0, 1, 12, 300, 5_000])
@pytest.mark.parametrize("kernels", [plain, compiled], ids=["plain", "compiled"])
def test_the_best_come_first_and_equal_ones_in_order_of_rows(kernels: Any, k: int, shard: Shard) -> None:
    """With vectors of which many are the same."""
    few = shard.vectors[np.arange(ROWS) % 40]
    rows = np.random.default_rng(5).permutation(ROWS)[:9_000].astype(np.int32)
    buffer, touched, _, _ = room()
    none = np.zeros(0, np.int64)
    found, _, _, score = kernels.rank_rows(
        rows, *shard.forward, *shard.postings, shard.span, none, np.zeros(0), A, B, few, few[3], 0.0, 1.0, k, buffer,
        touched,
    )  # fmt: skip
    exact = np.round(few.astype(np.float64) @ few[3].astype(np.float64), 6)
    wanted = sorted(rows.tolist(), key=lambda row: (-exact[row], row))[:k]
    assert found.tolist() == wanted
    assert score == pytest.approx(exact[wanted], abs=2e-6)
    assert (np.rint(score * 1e6) / 1e6 == score).all()


@pytest.mark.parametrize("kernels", [plain, compiled], ids=["plain", "compiled"])
def test_keys_and_terms_are_found(kernels: Any) -> None:
    rng = np.random.default_rng(11)
    keys = np.unique(rng.integers(0, 1 << 63, 500).astype(np.uint64))
    order = rng.permutation(len(keys)).astype(np.int32)
    asked = np.concatenate([keys[[3, 0, len(keys) - 1]], np.array([0, (1 << 64) - 1], np.uint64)])
    out = np.empty(len(asked), np.int32)
    assert out[: kernels.rows_of(asked, keys, order, out)].tolist() == order[[3, 0, len(keys) - 1]].tolist()
    assert kernels.rows_of(asked, keys[:0], order[:0], out) == 0
    starts = np.arange(len(keys) + 1) * 2
    numbers, frequency = np.empty(4, np.int64), np.ones(4, np.int64)
    terms = np.sort(np.array([keys[7], keys[9], 0, (1 << 64) - 1], np.uint64))
    assert kernels.lookup(keys, starts, terms, numbers, frequency) == 2
    assert numbers.tolist() == [-1, 7, 9, -1]
    assert frequency.tolist() == [1, 3, 3, 1]
    assert kernels.lookup(keys[:0], starts[:1], terms, numbers, frequency) == 0
    assert numbers.tolist() == [-1] * 4


@pytest.mark.parametrize("kernels", [plain, compiled], ids=["plain", "compiled"])
def test_a_graph_is_astray_where_a_sample_knows_nearer_ones(kernels: Any, shard: Shard) -> None:
    query = shard.vectors[17]
    nearest = np.argsort(-(shard.vectors @ query)).astype(np.int32)
    sample = np.arange(0, ROWS, 3, dtype=np.int32)

    def astray(found: Any, sample: Any = sample) -> bool:
        return bool(kernels.astray(shard.vectors, query, found, 10, sample, shard.vectors[sample]))

    assert not astray(nearest[:20])
    assert astray(nearest[200:220])
    assert astray(nearest[200:203])  # fewer than are trusted
    assert not astray(nearest[200:220], nearest[220:300])
    assert not astray(np.concatenate([nearest[:10], nearest[200:220]]), nearest[10:300])
    assert not astray(nearest[:12][::-1].copy(), nearest[:12])  # all that are nearer were found
