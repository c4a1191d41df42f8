"""The loops of search, compiled by numba when they are first called and kept on disk from then on.

`plain` has the same functions in numpy; both add and multiply in the same order and give the same bits. What every
function means is written there once.
"""

# Loops over arrays are what numba compiles well: style rules for Python loops do not fit here.
from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

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
def top(scores, k):
    # A heap whose root is the worst of the best: the lowest score, of equal ones the highest place.
    places = np.empty(k, np.int64)
    size = 0
    for i in range(len(scores)):
        score = scores[i]
        if size < k:
            at = size
            places[at] = i
            size += 1
            while at:
                parent = (at - 1) >> 1
                if scores[places[parent]] < scores[places[at]] or (
                    scores[places[parent]] == scores[places[at]] and places[parent] > places[at]
                ):
                    break
                places[parent], places[at] = places[at], places[parent]
                at = parent
        elif score > scores[places[0]]:
            places[0] = i
            at = 0
            while True:
                child = 2 * at + 1
                if child >= size:
                    break
                right = child + 1
                if right < size and (
                    scores[places[right]] < scores[places[child]]
                    or (scores[places[right]] == scores[places[child]] and places[right] > places[child])
                ):
                    child = right
                if scores[places[at]] < scores[places[child]] or (
                    scores[places[at]] == scores[places[child]] and places[at] > places[child]
                ):
                    break
                places[at], places[child] = places[child], places[at]
                at = child
    return places[:size]
