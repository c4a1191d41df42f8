"""The loops of search, compiled by numba when they are first called and kept on disk from then on.

`plain` has the same functions in numpy; both add and multiply in the same order and give the same bits. What every
function means is written there once.
"""

# Loops over arrays are what numba compiles well: style rules for Python loops do not fit here.
from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from context_plane.retrieval.scoring.kernels.costs import COMPARED, ESTIMATED, FIRST, LOOKUP, POSTING, RUN
from context_plane.retrieval.scoring.kernels.plain import SCALE

_jit: Any = nb.njit(cache=True, nogil=True, error_model="numpy")
_inline: Any = nb.njit(cache=True, nogil=True, error_model="numpy", inline="always")
_fast: Any = nb.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")


@_jit
def by_postings(post_start, post_row, post_tf, span, terms, weights, a, b, buffer, touched):
    count = 0
    for i in range(len(terms)):
        weight = weights[i]
        for p in range(post_start[terms[i]], post_start[terms[i] + 1]):
            row = post_row[p]
            tf = np.float64(post_tf[p])
            before = buffer[row]
            if before == np.float32(0):
                touched[count] = row
                count += 1
            buffer[row] = before + np.float32(weight * (tf / (tf + (a + b * np.float64(span[row])))))
    return count


@_jit
def by_rows(fwd_start, fwd_term, fwd_tf, span, rows, terms, weights, a, b, buffer):
    last = len(terms)
    for i in range(len(rows)):
        row = rows[i]
        norm = a + b * np.float64(span[row])
        score = np.float32(0)
        p = fwd_start[row]
        end = fwd_start[row + 1]
        for t in range(last):
            term = terms[t]
            # The terms of a document are ascending: halve what is left until the wanted one is reached.
            low, high = p, end
            while low < high:
                middle = (low + high) >> 1
                if fwd_term[middle] < term:
                    low = middle + 1
                else:
                    high = middle
            p = low
            if p >= end:
                break
            if fwd_term[p] == term:
                tf = np.float64(fwd_tf[p])
                score += np.float32(weights[t] * (tf / (tf + norm)))
        buffer[row] = score


@_jit
def by_postings_lent(
    post_start,
    post_row,
    post_tf,
    post_own,
    span,
    terms,
    weights,
    a,
    b,
    before,
    after,
    source,
    reach_before,
    reach_after,
    shares,
    time,
    cut,
    sums,
    found,
    buffer,
    touched,
):
    count = 0
    for i in range(len(terms)):
        size = 0
        for p in range(post_start[terms[i]], post_start[terms[i] + 1]):
            row = post_row[p]
            if time[row] >= cut:
                continue
            if sums[row] == np.float32(0):
                found[size] = row
                size += 1
            sums[row] += np.float32(post_tf[p])
            own = np.float32(post_own[p])
            if own == np.float32(0):
                continue
            at = row
            for step in range(reach_before[source[row]]):
                at = after[at]
                if at < 0:
                    break
                if sums[at] == np.float32(0):
                    found[size] = at
                    size += 1
                sums[at] += shares[step] * own
            at = row
            for step in range(reach_after[source[row]]):
                at = before[at]
                if at < 0:
                    break
                if sums[at] == np.float32(0):
                    found[size] = at
                    size += 1
                sums[at] += shares[step] * own
        weight = weights[i]
        for j in range(size):
            row = found[j]
            tf = np.float64(sums[row])
            sums[row] = np.float32(0)
            score = buffer[row]
            if score == np.float32(0):
                touched[count] = row
                count += 1
            buffer[row] = score + np.float32(weight * (tf / (tf + (a + b * np.float64(span[row])))))
    return count


@_inline
def _count_of(fwd_start, fwd_term, counts, row, term):
    low = fwd_start[row]
    end = fwd_start[row + 1]
    high = end
    while low < high:
        middle = (low + high) >> 1
        if fwd_term[middle] < term:
            low = middle + 1
        else:
            high = middle
    if low < end and fwd_term[low] == term:
        return np.float32(counts[low])
    return np.float32(0)


@_jit
def by_rows_lent(
    fwd_start,
    fwd_term,
    fwd_tf,
    fwd_own,
    span,
    rows,
    terms,
    weights,
    a,
    b,
    before,
    after,
    source,
    reach_before,
    reach_after,
    shares,
    time,
    cut,
    buffer,
):
    for i in range(len(rows)):
        row = rows[i]
        norm = a + b * np.float64(span[row])
        score = np.float32(0)
        for t in range(len(terms)):
            term = terms[t]
            found = _count_of(fwd_start, fwd_term, fwd_tf, row, term)
            at = row
            for step in range(reach_before[source[row]]):
                at = before[at]
                if at < 0:
                    break
                found += shares[step] * _count_of(fwd_start, fwd_term, fwd_own, at, term)
            at = row
            for step in range(reach_after[source[row]]):
                at = after[at]
                if at < 0 or time[at] >= cut:
                    break
                found += shares[step] * _count_of(fwd_start, fwd_term, fwd_own, at, term)
            if found > np.float32(0):
                tf = np.float64(found)
                score += np.float32(weights[t] * (tf / (tf + norm)))
        buffer[row] = score


@_jit
def lend(scores, rows, before, after, source, reach_before, reach_after, shares, time, cut, out):
    for i in range(len(rows)):
        row = rows[i]
        total = scores[row]
        share = np.float32(1)
        at = row
        for step in range(reach_before[source[row]]):
            at = before[at]
            if at < 0:
                break
            total += shares[step] * scores[at]
            share += shares[step]
        at = row
        for step in range(reach_after[source[row]]):
            at = after[at]
            if at < 0 or time[at] >= cut:
                break
            total += shares[step] * scores[at]
            share += shares[step]
        out[i] = total / share


@_jit
def spread(rows, before, after, source, reach_before, reach_after, stamps, stamp, out):
    count = 0
    for i in range(len(rows)):
        row = rows[i]
        if stamps[row] != stamp:
            stamps[row] = stamp
            out[count] = row
            count += 1
        at = row
        for _ in range(reach_before[source[row]]):
            at = after[at]
            if at < 0:
                break
            if stamps[at] != stamp:
                stamps[at] = stamp
                out[count] = at
                count += 1
        at = row
        for _ in range(reach_after[source[row]]):
            at = before[at]
            if at < 0:
                break
            if stamps[at] != stamp:
                stamps[at] = stamp
                out[count] = at
                count += 1
    return count


@_fast
def dots(vectors, query, rows, out):
    width = vectors.shape[1]
    for i in range(len(rows)):
        row = rows[i]
        total = np.float32(0)
        for j in range(width):
            total += vectors[row, j] * query[j]
        out[i] = total


@_inline
def _first_at(time, low, high, wanted):
    while low < high:
        middle = (low + high) >> 1
        if time[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@_jit
def select(starts, entities, time, since, until, types, type_ok, labels, label_ok, out):
    count = 0
    for i in range(len(entities)):
        low = starts[entities[i]]
        high = starts[entities[i] + 1]
        if low < high and time[low] < since:
            low = _first_at(time, low, high, since)
        if low < high and time[high - 1] >= until:
            high = _first_at(time, low, high, until)
        for row in range(low, high):
            if len(type_ok) and not type_ok[types[row]]:
                continue
            if len(label_ok) and not label_ok[labels[row]]:
                continue
            out[count] = row
            count += 1
    return count


@_jit
def keep(rows, stamps, stamp, out):
    count = 0
    for i in range(len(rows)):
        if stamps[rows[i]] == stamp:
            out[count] = rows[i]
            count += 1
    return count


@_jit
def mark(rows, stamps, stamp):
    for i in range(len(rows)):
        stamps[rows[i]] = stamp


@_jit
def clear(buffer, rows):
    for i in range(len(rows)):
        buffer[rows[i]] = np.float32(0)


@_jit
def gather(buffer, rows, out):
    for i in range(len(rows)):
        out[i] = buffer[rows[i]]


@_jit
def count_before(post_start, post_row, time, terms, cut, out):
    for i in range(len(terms)):
        found = 0
        for p in range(post_start[terms[i]], post_start[terms[i] + 1]):
            if time[post_row[p]] < cut:
                found += 1
        out[i] = found


@_jit
def top(scores, order, k):
    # A heap whose root is the worst of the best: the lowest score, of equal ones the last in order.
    places = np.empty(k, np.int64)
    size = 0
    for i in range(len(scores) if k else 0):
        score = scores[i]
        if size < k:
            at = size
            places[at] = i
            size += 1
            while at:
                parent = (at - 1) >> 1
                if scores[places[parent]] < scores[places[at]] or (
                    scores[places[parent]] == scores[places[at]] and order[places[parent]] > order[places[at]]
                ):
                    break
                places[parent], places[at] = places[at], places[parent]
                at = parent
        elif score > scores[places[0]] or (score == scores[places[0]] and order[i] < order[places[0]]):
            places[0] = i
            at = 0
            while True:
                child = 2 * at + 1
                if child >= size:
                    break
                right = child + 1
                if right < size and (
                    scores[places[right]] < scores[places[child]]
                    or (scores[places[right]] == scores[places[child]] and order[places[right]] > order[places[child]])
                ):
                    child = right
                if scores[places[at]] < scores[places[child]] or (
                    scores[places[at]] == scores[places[child]] and order[places[at]] > order[places[child]]
                ):
                    break
                places[at], places[child] = places[child], places[at]
                at = child
    return places[:size]


@_jit
def rows_of(keys, ordered, order, out):
    count = 0
    for i in range(len(keys)):
        low, high = 0, len(ordered)
        while low < high:
            middle = (low + high) >> 1
            if ordered[middle] < keys[i]:
                low = middle + 1
            else:
                high = middle
        if low < len(ordered) and ordered[low] == keys[i]:
            out[count] = order[low]
            count += 1
    return count


@_jit
def astray(vectors, query, found, trusted, sample, sampled):
    near = np.empty(len(found), np.float32)
    dots(vectors, query, found, near)
    places = top(near, found, min(trusted, len(found)))
    least = np.float32(np.inf)
    for i in range(len(places)):
        least = min(least, near[places[i]])
    every = np.arange(len(sample))
    of_sample = np.empty(len(sample), np.float32)
    dots(sampled, query, every, of_sample)
    for i in range(len(sample)):
        if of_sample[i] > least:
            missed = True
            for j in range(len(found)):
                if found[j] == sample[i]:
                    missed = False
                    break
            if missed:
                return True
    return False


@_jit
def lookup(terms, post_start, hashes, numbers, frequency):
    count = len(terms)
    held = 0
    for i in range(len(hashes)):
        low, high = 0, count
        while low < high:
            middle = (low + high) >> 1
            if terms[middle] < hashes[i]:
                low = middle + 1
            else:
                high = middle
        if low < count and terms[low] == hashes[i]:
            numbers[i] = low
            frequency[i] += post_start[low + 1] - post_start[low]
            held += 1
        else:
            numbers[i] = -1
    return held


@_jit
def exact_dots(vectors, query, rows, out):
    # Eight sums side by side: one alone would wait for every addition before it.
    width = vectors.shape[1]
    whole = width - width % 8
    for i in range(len(rows)):
        row = rows[i]
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
        for j in range(0, whole, 8):
            s0 += np.float64(vectors[row, j]) * np.float64(query[j])
            s1 += np.float64(vectors[row, j + 1]) * np.float64(query[j + 1])
            s2 += np.float64(vectors[row, j + 2]) * np.float64(query[j + 2])
            s3 += np.float64(vectors[row, j + 3]) * np.float64(query[j + 3])
            s4 += np.float64(vectors[row, j + 4]) * np.float64(query[j + 4])
            s5 += np.float64(vectors[row, j + 5]) * np.float64(query[j + 5])
            s6 += np.float64(vectors[row, j + 6]) * np.float64(query[j + 6])
            s7 += np.float64(vectors[row, j + 7]) * np.float64(query[j + 7])
        total = 0.0 + s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7
        for j in range(whole, width):
            total += np.float64(vectors[row, j]) * np.float64(query[j])
        out[i] = np.float32(total)


@_jit
def _runs(rows, starts, ends):
    count = 0
    for i in range(len(rows)):
        if i and rows[i] == rows[i - 1] + 1:
            ends[count - 1] += 1
        else:
            starts[count] = rows[i]
            ends[count] = rows[i] + 1
            count += 1
    return count


@_jit
def by_runs(post_start, post_row, post_tf, span, starts, ends, terms, weights, a, b, buffer):
    for i in range(len(terms)):
        weight = weights[i]
        p = post_start[terms[i]]
        last = post_start[terms[i] + 1]
        for r in range(len(starts)):
            # Gallop: double the step until the run is passed, then halve what lies between.
            step = 1
            while p + step < last and post_row[p + step] < starts[r]:
                p += step
                step <<= 1
            high = min(p + step, last)
            while p < high:
                middle = (p + high) >> 1
                if post_row[middle] < starts[r]:
                    p = middle + 1
                else:
                    high = middle
            while p < last and post_row[p] < ends[r]:
                row = post_row[p]
                tf = np.float64(post_tf[p])
                buffer[row] += np.float32(weight * (tf / (tf + (a + b * np.float64(span[row])))))
                p += 1
            if p >= last:
                break


@_jit
def _fused(bm25, cosine, text, near, out):
    for i in range(len(bm25)):
        if near != 0.0:
            out[i] = cosine[i] * np.float32(near)
            if text != 0.0:
                out[i] += bm25[i] * np.float32(text)
        else:
            out[i] = bm25[i] * np.float32(text)


@_jit
def _finished(candidates, bm25, fused, vectors, query, text, near, k):
    best = top(fused, candidates, k)
    rows = np.empty(len(best), np.int32)
    of_text = np.empty(len(best), np.float32)
    of_vector = np.zeros(len(best), np.float32)
    score = np.empty(len(best), np.float64)
    for i in range(len(best)):
        rows[i] = candidates[best[i]]
        of_text[i] = bm25[best[i]]
    if near != 0.0 and len(vectors):
        exact_dots(vectors, query, rows, of_vector)
    for i in range(len(best)):
        if near != 0.0:
            total = np.float64(of_vector[i]) * near
            if text != 0.0:
                total += np.float64(of_text[i]) * text
        else:
            total = np.float64(of_text[i]) * text
        score[i] = np.rint(total * SCALE) / SCALE
    order = _descending(score, rows)
    return rows[order], of_text[order], of_vector[order], score[order]


@_jit
def _descending(score, rows):
    if len(score) > 256:
        by_row = np.argsort(rows)
        return by_row[np.argsort(-score[by_row], kind="mergesort")]
    order = np.arange(len(score))
    for i in range(1, len(score)):
        at = i
        while at and (
            score[order[at - 1]] < score[i] or (score[order[at - 1]] == score[i] and rows[order[at - 1]] > rows[i])
        ):
            order[at] = order[at - 1]
            at -= 1
        order[at] = i
    return order


@_jit
def rank_rows(
    rows,
    fwd_start,
    fwd_term,
    fwd_tf,
    post_start,
    post_row,
    post_tf,
    span,
    terms,
    weights,
    a,
    b,
    vectors,
    query,
    text,
    near,
    k,
    buffer,
    touched,
):
    bm25 = np.zeros(len(rows), np.float32)
    if text != 0.0 and len(terms):
        postings = 0
        for i in range(len(terms)):
            postings += post_start[terms[i] + 1] - post_start[terms[i]]
        starts = np.empty(len(rows), np.int32)
        ends = np.empty(len(rows), np.int32)
        runs = _runs(rows, starts, ends)
        cost = min(len(rows) * len(terms) * LOOKUP, postings * POSTING)
        if runs * len(terms) * RUN + postings * POSTING * len(rows) / len(buffer) < cost:
            by_runs(post_start, post_row, post_tf, span, starts[:runs], ends[:runs], terms, weights, a, b, buffer)
            gather(buffer, rows, bm25)
            clear(buffer, rows)
        elif len(rows) * len(terms) * LOOKUP < postings * POSTING:
            by_rows(fwd_start, fwd_term, fwd_tf, span, rows, terms, weights, a, b, buffer)
            gather(buffer, rows, bm25)
            clear(buffer, rows)
        else:
            count = by_postings(post_start, post_row, post_tf, span, terms, weights, a, b, buffer, touched)
            gather(buffer, rows, bm25)
            clear(buffer, touched[:count])
    cosine = np.zeros(len(rows), np.float32)
    if near != 0.0 and len(vectors):
        dots(vectors, query, rows, cosine)
    fused = np.empty(len(rows), np.float32)
    _fused(bm25, cosine, text, near, fused)
    return _finished(rows, bm25, fused, vectors, query, text, near, k)


@_jit
def _lowest(cosine, first, last):
    found = np.float32(-1)
    for i in range(first, last):
        if i == first or cosine[i] < found:
            found = cosine[i]
    return found


@_jit
def _compare(
    candidates,
    fwd_start,
    fwd_term,
    fwd_tf,
    span,
    terms,
    weights,
    a,
    b,
    vectors,
    query,
    text,
    near,
    buffer,
    rest,
    worst,
    bm25,
    fused,
):
    """Scores of candidates; of those that cannot reach `worst`, whatever terms they hold, minus infinity."""
    if near != 0.0:
        dots(vectors, query, candidates, fused)
    else:
        fused[:] = np.float32(0)
    for i in range(len(candidates)):
        row = candidates[i]
        if text * (np.float64(buffer[row]) + rest) + near * np.float64(fused[i]) < worst:
            fused[i] = np.float32(-np.inf)
            continue
        norm = a + b * np.float64(span[row])
        score = np.float32(0)
        p = fwd_start[row]
        end = fwd_start[row + 1]
        for t in range(len(terms)):
            low, high = p, end
            while low < high:
                middle = (low + high) >> 1
                if fwd_term[middle] < terms[t]:
                    low = middle + 1
                else:
                    high = middle
            p = low
            if p >= end:
                break
            if fwd_term[p] == terms[t]:
                tf = np.float64(fwd_tf[p])
                score += np.float32(weights[t] * (tf / (tf + norm)))
        bm25[i] = score
        if near != 0.0:
            fused[i] = fused[i] * np.float32(near) + score * np.float32(text)
        else:
            fused[i] = score * np.float32(text)


@_jit
def _kth(fused, rows, k):
    if len(fused) < k:
        return -np.inf
    best = top(fused, rows, k)
    worst = np.float32(np.inf)
    for i in range(len(best)):
        worst = min(worst, fused[best[i]])
    return np.float64(worst) - 1e-6  # sums in single precision differ by their order


@_jit
def _hopeful(rows, buffer, text, ceiling, worst):
    count = 0
    for i in range(len(rows)):
        if text * np.float64(buffer[rows[i]]) + ceiling >= worst:
            count += 1
    return count


@_jit
def _best_unseen(rows, buffer, count, stamps, stamp, out):
    scores = np.empty(len(rows), np.float32)
    gather(buffer, rows, scores)
    size = 0
    places = top(scores, rows, count)
    for i in range(len(places)):
        row = rows[places[i]]
        if stamps[row] != stamp:
            stamps[row] = stamp
            out[size] = row
            size += 1
    return size


@_jit
def _unseen(found, everything, stamps, stamp, out):
    size = 0
    for i in range(len(found)):
        row = found[i]
        if stamps[row] != stamp + 1 and (everything or stamps[row] == stamp):
            stamps[row] = stamp + 1
            out[size] = row
            size += 1
    return size


@_jit
def _kept(candidates, bm25, fused):
    size = 0
    for i in range(len(candidates)):
        if fused[i] > np.float32(-np.inf):
            candidates[size], bm25[size], fused[size] = candidates[i], bm25[i], fused[i]
            size += 1
    return size


@_jit
def rank_postings(
    rows,
    everything,
    found,
    split,
    most,
    fwd_start,
    fwd_term,
    fwd_tf,
    post_start,
    post_row,
    post_tf,
    span,
    terms,
    weights,
    a,
    b,
    vectors,
    query,
    text,
    near,
    k,
    buffer,
    touched,
    kept,
    stamps,
    stamp,
):
    # Terms are gone through by weight, and no further than a document that holds only the others could still be among
    # the best (MaxScore: Turtle and Flood 1995). The best by what is known of them are compared in growing portions,
    # because every portion raises what the others have to reach.
    if not everything:
        mark(rows, stamps, stamp)
    room = min(len(found) + len(terms) * FIRST * k + 2 * most, len(buffer))
    candidates = np.empty(room, np.int32)
    bm25 = np.empty(room, np.float32)
    fused = np.empty(room, np.float32)
    asked = (fwd_start, fwd_term, fwd_tf, span, terms, weights, a, b, vectors, query, text, near, buffer)
    reach = 0.0
    if near != 0.0:
        cosine = np.empty(len(found), np.float32)
        dots(vectors, query, found, cosine)
        reach = near * np.float64(max(_lowest(cosine, 0, split), _lowest(cosine, split, len(found))))
    order = np.argsort(-weights)
    rest = weights.sum()
    looked = LOOKUP * len(terms) + (COMPARED * vectors.shape[1] if near != 0.0 else 0.0)
    count = done = size = total = 0
    worst = -np.inf
    for t in range(len(order)):
        term, weight = terms[order[t]], weights[order[t]]
        ahead = post_start[term + 1] - post_start[term]
        if text * rest + reach < worst and (
            min(_hopeful(kept[:size], buffer, text, text * rest + reach, worst), 1_024) * looked < ahead * POSTING
        ):
            break
        rest = max(rest - weight, 0.0)
        for p in range(post_start[term], post_start[term + 1]):
            row = post_row[p]
            tf = np.float64(post_tf[p])
            before = buffer[row]
            if before == np.float32(0):
                touched[count] = row
                count += 1
            buffer[row] = before + np.float32(weight * (tf / (tf + (a + b * np.float64(span[row])))))
        for i in range(done, count):
            if everything or stamps[touched[i]] >= stamp:
                kept[size] = touched[i]
                size += 1
        done = count
        if t + 1 == len(order) or post_start[terms[order[t + 1]] + 1] - post_start[terms[order[t + 1]]] > ESTIMATED:
            more = total + _best_unseen(kept[:size], buffer, FIRST * k, stamps, stamp + 1, candidates[total:])
            _compare(candidates[total:more], *asked, rest, worst, bm25[total:more], fused[total:more])
            worst, first = max(worst, _kth(fused[:more], candidates[:more], k)), total == 0
            total = more
            if first:
                more += _unseen(found, everything, stamps, stamp, candidates[total:])
                _compare(candidates[total:more], *asked, rest, worst, bm25[total:more], fused[total:more])
                worst, total = max(worst, _kth(fused[:more], candidates[:more], k)), more
    if not total:  # no term of the question is here
        total = _unseen(found, everything, stamps, stamp, candidates)
        _compare(candidates[:total], *asked, rest, worst, bm25[:total], fused[:total])
        worst = _kth(fused[:total], candidates[:total], k)
    ceiling = text * rest + reach
    portion = 8 * FIRST * k
    while portion < most and _hopeful(kept[:size], buffer, text, ceiling, worst) > portion:
        more = total + _best_unseen(kept[:size], buffer, portion, stamps, stamp + 1, candidates[total:])
        _compare(candidates[total:more], *asked, rest, worst, bm25[total:more], fused[total:more])
        worst, total = max(worst, _kth(fused[:more], candidates[:more], k)), more
        portion *= 4
    more = total
    if _hopeful(kept[:size], buffer, text, ceiling, worst) > most:
        more += _best_unseen(kept[:size], buffer, most, stamps, stamp + 1, candidates[total:])
    else:
        for i in range(size):
            row = kept[i]
            if text * np.float64(buffer[row]) + ceiling >= worst and stamps[row] != stamp + 1:
                candidates[more] = row
                more += 1
    _compare(candidates[total:more], *asked, rest, worst, bm25[total:more], fused[total:more])
    clear(buffer, touched[:count])
    more = _kept(candidates[:more], bm25, fused)
    ranked = _finished(candidates[:more], bm25[:more], fused[:more], vectors, query, text, near, k)
    return ranked[0], ranked[1], ranked[2], ranked[3], near != 0.0 and reach >= worst


@_jit
def about(rows, starts, time, source, kind, offsets, out):
    for i in range(len(rows)):
        row = rows[i]
        low, high = 0, len(starts) - 1
        while low < high:
            middle = (low + high + 1) >> 1
            if starts[middle] <= row:
                low = middle
            else:
                high = middle - 1
        out[i, 0] = low
        out[i, 1] = time[row]
        out[i, 2] = source[row]
        out[i, 3] = kind[row]
        out[i, 4] = np.int64(offsets[row])
        out[i, 5] = np.int64(offsets[row + 1])
