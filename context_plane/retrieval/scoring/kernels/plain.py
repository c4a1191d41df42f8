"""The loops of search in numpy: what a process uses until numba is loaded, and the meaning of the compiled ones.

All work on the arrays of a full-text shard (`fulltext`). `rows` are distinct row numbers, i32. `buffer` holds one f32
per row and is zero wherever nothing was written; `stamps` one i32 per row. Outputs are written into arrays that the
caller owns, and their used length is returned where it is not known beforehand.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from context_plane.retrieval.scoring.kernels.costs import FIRST, LOOKUP, POSTING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Ranked = tuple[Array, Array, Array, Array]

SCALE: Final = 1e6
"""Scores are rounded to six digits: what lies beyond differs between processors, and would decide ties."""


def by_postings(
    post_start: Array,
    post_row: Array,
    post_tf: Array,
    span: Array,
    terms: Array,
    weights: Array,
    a: float,
    b: float,
    buffer: Array,
    touched: Array,
) -> int:
    """Adds to `buffer` the BM25 of every document that holds one of the terms, and lists these in `touched`.

    A term gives ``weight · tf / (tf + a + b · span)``: with a = k1 (1 - b'), b = k1 b' / mean span and a document's
    length as its span this is BM25 in Lucene's form, whose constant factor k1 + 1 is left out.
    """
    found = []
    for term, weight in zip(terms.tolist(), weights.tolist(), strict=True):
        place = slice(post_start[term], post_start[term + 1])
        rows, tf = post_row[place], post_tf[place].astype(np.float64)
        found.append(rows[buffer[rows] == 0])
        buffer[rows] += (weight * (tf / (tf + (a + b * span[rows].astype(np.float64))))).astype(np.float32)
    rows = np.concatenate(found) if found else np.zeros(0, np.int32)
    touched[: len(rows)] = rows
    return len(rows)


def by_rows(
    fwd_start: Array,
    fwd_term: Array,
    fwd_tf: Array,
    span: Array,
    rows: Array,
    terms: Array,
    weights: Array,
    a: float,
    b: float,
    buffer: Array,
) -> None:
    """Writes into `buffer` the BM25 of these documents, from the terms they hold. `terms` are ascending."""
    counts = fwd_start[rows + 1] - fwd_start[rows]
    owner = np.repeat(np.arange(len(rows)), counts)
    first = np.repeat(fwd_start[rows] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    places = first + np.arange(len(owner))
    held = fwd_term[places]
    buffer[rows] = 0
    for term, weight in zip(terms.tolist(), weights.tolist(), strict=True):
        mine = np.flatnonzero(held == term)
        at, tf = rows[owner[mine]], fwd_tf[places[mine]].astype(np.float64)
        buffer[at] += (weight * (tf / (tf + (a + b * span[at].astype(np.float64))))).astype(np.float32)


def by_postings_lent(
    post_start: Array,
    post_row: Array,
    post_tf: Array,
    post_own: Array,
    span: Array,
    terms: Array,
    weights: Array,
    a: float,
    b: float,
    before: Array,
    after: Array,
    source: Array,
    reach_before: Array,
    reach_after: Array,
    shares: Array,
    time: Array,
    cut: int,
    sums: Array,
    found: Array,  # noqa: ARG001 - room that the compiled loop needs
    buffer: Array,
    touched: Array,
) -> int:
    """`by_postings` where neighbours count: a term's frequency is the document's own and shares of its neighbours'.

    This is BM25F (Robertson, Zaragoza, Taylor 2004) with the neighbours' texts as a field of less weight. Shares are
    powers of a half, so that sums are exact in any order. `sums` holds an f32 per row and is zero before and after.
    """
    lists = []
    for term, weight in zip(terms.tolist(), weights.tolist(), strict=True):
        place = slice(post_start[term], post_start[term + 1])
        rows, tf, own = post_row[place], post_tf[place], post_own[place]
        known = time[rows] < cut
        rows, tf, own = rows[known], tf[known], own[known]
        sums[rows] += tf.astype(np.float32)
        held = [rows]
        for link, reach in ((after, reach_before), (before, reach_after)):
            at, lent, steps = rows[own > 0], own[own > 0].astype(np.float32), reach[source[rows[own > 0]]]
            for step in range(int(steps.max(initial=0))):
                at = link[at]
                good = (at >= 0) & (step < steps)
                at, lent, steps = at[good], lent[good], steps[good]
                np.add.at(sums, at, shares[step] * lent)
                held.append(at)
        mine = np.unique(np.concatenate(held))
        wide = sums[mine].astype(np.float64)
        sums[mine] = 0
        lists.append(mine[buffer[mine] == 0])
        buffer[mine] += (weight * (wide / (wide + (a + b * span[mine].astype(np.float64))))).astype(np.float32)
    rows = np.concatenate(lists) if lists else np.zeros(0, np.int32)
    touched[: len(rows)] = rows
    return len(rows)


def by_rows_lent(
    fwd_start: Array,
    fwd_term: Array,
    fwd_tf: Array,
    fwd_own: Array,
    span: Array,
    rows: Array,
    terms: Array,
    weights: Array,
    a: float,
    b: float,
    before: Array,
    after: Array,
    source: Array,
    reach_before: Array,
    reach_after: Array,
    shares: Array,
    time: Array,
    cut: int,
    buffer: Array,
) -> None:
    """`by_rows` where neighbours count."""
    buffer[rows] = 0
    for term, weight in zip(terms.tolist(), weights.tolist(), strict=True):
        found = _counts(fwd_start, fwd_term, fwd_tf, rows, term)
        for link, reach in ((before, reach_before), (after, reach_after)):
            at, steps = rows.copy(), reach[source[rows]]
            for step in range(int(steps.max(initial=0))):
                at = np.where(at >= 0, link[at], -1)
                at = np.where((at >= 0) & (step < steps) & (time[at] < cut), at, -1)
                near = np.flatnonzero(at >= 0)
                found[near] += shares[step] * _counts(fwd_start, fwd_term, fwd_own, at[near], term)
        held = found > 0
        at, tf = rows[held], found[held].astype(np.float64)
        buffer[at] += (weight * (tf / (tf + (a + b * span[at].astype(np.float64))))).astype(np.float32)


def _counts(fwd_start: Array, fwd_term: Array, counts: Array, rows: Array, term: int) -> Array:
    """How often each row has a term, f32."""
    sizes = fwd_start[rows + 1] - fwd_start[rows]
    owner = np.repeat(np.arange(len(rows)), sizes)
    places = np.repeat(fwd_start[rows] - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(owner))
    mine = fwd_term[places] == term
    out = np.zeros(len(rows), np.float32)
    out[owner[mine]] = counts[places[mine]]
    return out


def lend(
    scores: Array,
    rows: Array,
    before: Array,
    after: Array,
    source: Array,
    reach_before: Array,
    reach_after: Array,
    shares: Array,
    time: Array,
    cut: int,
    out: Array,
) -> None:
    """The mean of each row's score and its neighbours', these weighted by their shares; none at or after `cut`."""
    share = np.ones(len(rows), np.float32)
    out[:] = scores[rows]
    for link, reach in ((before, reach_before), (after, reach_after)):
        at, steps = rows.copy(), reach[source[rows]]
        for step in range(int(steps.max(initial=0))):
            at = np.where(at >= 0, link[at], -1)
            at = np.where((at >= 0) & (step < steps) & (time[at] < cut), at, -1)
            near = at >= 0
            out[near] += shares[step] * scores[at[near]]
            share[near] += shares[step]
    out /= share


def spread(
    rows: Array,
    before: Array,
    after: Array,
    source: Array,
    reach_before: Array,
    reach_after: Array,
    stamps: Array,
    stamp: int,
    out: Array,
) -> int:
    """The rows, and all that one of them lends its score to, each once."""
    found = [rows]
    for link, reach in ((after, reach_before), (before, reach_after)):
        at, steps = rows, reach[source[rows]]
        for step in range(int(steps.max(initial=0))):
            at = link[at[step < steps]]
            steps = steps[step < steps][at >= 0]
            at = at[at >= 0]
            found.append(at)
    unique = np.unique(np.concatenate(found))
    stamps[unique] = stamp
    out[: len(unique)] = unique
    return len(unique)


def dots(vectors: Array, query: Array, rows: Array, out: Array) -> None:
    """The dot product of each row's vector with the query's."""
    out[:] = vectors[rows] @ query


def select(
    starts: Array,
    entities: Array,
    time: Array,
    since: int,
    until: int,
    types: Array,
    type_ok: Array,
    labels: Array,
    label_ok: Array,
    out: Array,
) -> int:
    """Rows of these entities with a time in [since, until) and a type and labels that are allowed (empty: all are)."""
    spans = [np.arange(starts[entity], starts[entity + 1], dtype=np.int32) for entity in entities.tolist()]
    rows = np.concatenate(spans) if spans else np.zeros(0, np.int32)
    good = (time[rows] >= since) & (time[rows] < until)
    for allowed, values in ((type_ok, types), (label_ok, labels)):
        if len(allowed):
            good &= allowed[values[rows]] != 0
    rows = rows[good]
    out[: len(rows)] = rows
    return len(rows)


def keep(rows: Array, stamps: Array, stamp: int, out: Array) -> int:
    """The rows that bear the stamp, in their order."""
    kept = rows[stamps[rows] == stamp]
    out[: len(kept)] = kept
    return len(kept)


def mark(rows: Array, stamps: Array, stamp: int) -> None:
    """Stamps rows."""
    stamps[rows] = stamp


def clear(buffer: Array, rows: Array) -> None:
    """Makes the buffer zero again where something was written."""
    buffer[rows] = 0


def gather(buffer: Array, rows: Array, out: Array) -> None:
    """The buffer's values of rows."""
    out[:] = buffer[rows]


def count_before(post_start: Array, post_row: Array, time: Array, terms: Array, cut: int, out: Array) -> None:
    """How many documents before `cut` hold each term."""
    for place, term in enumerate(terms.tolist()):
        out[place] = np.count_nonzero(time[post_row[post_start[term] : post_start[term + 1]]] < cut)


def top(scores: Array, order: Array, k: int) -> Array:
    """The places of the k highest scores, of equal ones those lowest in `order`; in no particular order."""
    if k >= len(scores):
        return np.arange(len(scores))
    if k <= 0:
        return np.zeros(0, np.int64)
    worst = np.partition(scores, len(scores) - k)[len(scores) - k]
    better, equal = np.flatnonzero(scores > worst), np.flatnonzero(scores == worst)
    if len(equal) > k - len(better):
        equal = equal[np.argsort(order[equal], kind="stable")[: k - len(better)]]
    return np.concatenate([better, equal])


def rows_of(keys: Array, ordered: Array, order: Array, out: Array) -> int:
    """The rows of those keys that are among the ascending ones, in the order asked."""
    places = np.minimum(ordered.searchsorted(keys), max(0, len(ordered) - 1))
    found = order[places[ordered[places] == keys]] if len(ordered) else order
    out[: len(found)] = found
    return len(found)


def astray(vectors: Array, query: Array, found: Array, trusted: int, sample: Array, sampled: Array) -> bool:
    """Whether any row of a sample, whose vectors are `sampled`, is nearer than the `trusted`-th of the rows found and
    not among these."""
    near = np.empty(len(found), np.float32)
    dots(vectors, query, found, near)
    least = np.partition(near, -trusted)[-trusted] if len(near) > trusted else near.min(initial=inf)
    nearer = sample[sampled @ query > least]
    return bool(len(nearer)) and not np.isin(nearer, found).all()


def lookup(terms: Array, post_start: Array, hashes: Array, numbers: Array, frequency: Array) -> int:
    """The number of each term hash (ascending), -1 where it is not here; adds its documents to `frequency`. Returns how
    many are here."""
    numbers[:] = -1
    if not len(terms):
        return 0
    found = np.minimum(terms.searchsorted(hashes), len(terms) - 1)
    good = terms[found] == hashes
    numbers[good] = found[good]
    frequency[good] += post_start[found[good] + 1] - post_start[found[good]]
    return int(np.count_nonzero(good))


def exact_dots(vectors: Array, query: Array, rows: Array, out: Array) -> None:
    """`dots` in double precision, where products are exact; added up in an order that is part of the answer."""
    whole = vectors.shape[1] - vectors.shape[1] % 8
    columns = vectors[rows].astype(np.float64) * query.astype(np.float64)
    if whole:
        lanes = columns[:, :whole].reshape(len(rows), whole // 8, 8).cumsum(axis=1)[:, -1]
        columns = np.concatenate([lanes, columns[:, whole:]], axis=1)
    out[:] = columns.cumsum(axis=1)[:, -1]


def _ranked(candidates: Array, bm25: Array, vectors: Array, query: Array, text: float, near: float, k: int) -> Ranked:
    """The k best candidates, the best first, of equal ones in order of rows: rows, BM25, cosine (both f32), and in f64
    what `text` and `near` make of them, rounded."""
    cosine = np.zeros(len(candidates), np.float32)
    compared = near != 0 and len(vectors) > 0 and len(candidates) > 0
    if compared:
        dots(vectors, query, candidates, cosine)
    best = top(_fused(bm25, cosine, text, near), candidates, k)
    rows, bm25, cosine = candidates[best], bm25[best], cosine[best]
    if compared:
        exact_dots(vectors, query, rows, cosine)
    return ordered(rows, bm25, cosine, _fused(bm25.astype(np.float64), cosine.astype(np.float64), text, near))


def ordered(rows: Array, bm25: Array, cosine: Array, score: Array) -> Ranked:
    """Candidates with their scores rounded, the best first, of equal ones in order of rows."""
    score = np.rint(score * SCALE) / SCALE
    order = np.lexsort((rows, -score))
    return rows[order], bm25[order], cosine[order], score[order]


def _fused(bm25: Array, cosine: Array, text: float, near: float) -> Array:
    if not near:
        return bm25 * text
    fused = cosine * near
    if text:
        fused += bm25 * text
    return fused


def rank_rows(
    rows: Array,
    fwd_start: Array,
    fwd_term: Array,
    fwd_tf: Array,
    post_start: Array,
    post_row: Array,
    post_tf: Array,
    span: Array,
    terms: Array,
    weights: Array,
    a: float,
    b: float,
    vectors: Array,
    query: Array,
    text: float,
    near: float,
    k: int,
    buffer: Array,
    touched: Array,
) -> Ranked:
    """The k best of these rows, all of which are scored, the best first; `vectors` is empty where there are none."""
    bm25 = np.zeros(len(rows), np.float32)
    if text and len(terms) and len(rows):
        postings = int((post_start[terms + 1] - post_start[terms]).sum())
        if len(rows) * len(terms) * LOOKUP < postings * POSTING:
            by_rows(fwd_start, fwd_term, fwd_tf, span, rows, terms, weights, a, b, buffer)
            dirty = rows
        else:
            count = by_postings(post_start, post_row, post_tf, span, terms, weights, a, b, buffer, touched)
            dirty = touched[:count]
        gather(buffer, rows, bm25)
        clear(buffer, dirty)
    return _ranked(rows, bm25, vectors, query, text, near, k)


def rank_postings(
    rows: Array,
    everything: bool,
    found: Array,
    split: int,
    most: int,
    fwd_start: Array,  # noqa: ARG001 - these the compiled loop needs, to go through less
    fwd_term: Array,  # noqa: ARG001
    fwd_tf: Array,  # noqa: ARG001
    post_start: Array,
    post_row: Array,
    post_tf: Array,
    span: Array,
    terms: Array,
    weights: Array,
    a: float,
    b: float,
    vectors: Array,
    query: Array,
    text: float,
    near: float,
    k: int,
    buffer: Array,
    touched: Array,
    kept: Array,  # noqa: ARG001
    stamps: Array,
    stamp: int,
) -> tuple[Array, Array, Array, Array, bool]:
    """The k best of `rows` (of `everything`) by their words, and by their vectors where `near` counts these.

    `found` are the nearest rows of the whole index, whatever `rows` are: up to `split` those of the graph, then those
    that it does not know. No other row is nearer than the last of either, so that only rows are compared whose words
    can make up for this: as in the threshold algorithm (Fagin, Lotem, Naor 2001). At most `most` rows are, the best by
    BM25. Last of the result: whether rows without any of the words could be among the best (then `rows` must be
    searched by vector). Uses the stamps `stamp` and `stamp + 1`.
    """
    held = touched[: by_postings(post_start, post_row, post_tf, span, terms, weights, a, b, buffer, touched)]
    if not everything:
        mark(rows, stamps, stamp)
    allowed = held if everything else held[stamps[held] == stamp]
    scores = buffer[allowed]
    candidates, reach, worst = allowed[top(scores, allowed, FIRST * k)], 0.0, inf
    if near:
        cosine = np.empty(len(found), np.float32)
        dots(vectors, query, found, cosine)
        lowest = max((float(part.min()) for part in (cosine[:split], cosine[split:]) if len(part)), default=-1.0)
        reach = near * lowest
        candidates = np.union1d(candidates, found if everything else found[stamps[found] == stamp])
        fused = np.empty(len(candidates), np.float32)
        dots(vectors, query, candidates, fused)
        fused *= np.float32(near)
        fused += buffer[candidates] * np.float32(text)
        worst = float(np.partition(fused, len(fused) - k)[len(fused) - k]) - 1e-6 if len(fused) >= k else -inf
        hopeful = np.flatnonzero(scores.astype(np.float64) * text + reach >= worst)
        candidates = np.union1d(candidates, allowed[top(scores, allowed, most) if len(hopeful) > most else hopeful])
    bm25 = buffer[candidates]
    clear(buffer, held)
    return *_ranked(candidates, bm25, vectors, query, text, near, k), bool(near and reach >= worst)


def about(rows: Array, starts: Array, time: Array, source: Array, kind: Array, offsets: Array, out: Array) -> None:
    """Of each row: its entity's number, time, source, type, and where its entry in the documents begins and ends."""
    out[:, 0] = starts.searchsorted(rows, side="right") - 1
    for column, array in enumerate((time, source, kind, offsets), 1):
        out[:, column] = array[rows]
    out[:, 5] = offsets[rows + 1]
