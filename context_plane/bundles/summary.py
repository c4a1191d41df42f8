"""The extractive summary: sentences of an entity's recent events, as many as the budget holds.

Here belongs the choice. What a sentence is comes from `sentences`; which events are offered is the spec's window and
`compile.SUMMARY_EVENTS`. Deterministic on any machine: integers only, ties go to the later event and the earlier
sentence, and nothing is looked at but the entity's own texts. Described for users in docs/context-specs.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt
from typing import Final, NamedTuple

from context_plane.bundles.sentences import MAX_CHARS, Sentence, sentences
from context_plane.ctx import tokens

_HALF_LIFE: Final = 8  # the newest event weighs 1, the one eight before it 1/2, the one sixteen before it 1/3
_OVERHEAD: Final = 6  # tokens added to a sentence's length when its worth a token is reckoned: short is not all
ELLIPSIS: Final = "…"


class Source(NamedTuple):
    """One event that may be quoted."""

    day: str
    """``YYYY-MM-DD``"""
    type: str
    text: str


class _Candidate(NamedTuple):
    event: int
    place: int
    sentence: Sentence


def summarize(events: Sequence[Source], max_tokens: int) -> str:
    """At most `max_tokens` tokens of the most informative sentences of `events`, which come in time order.

    One line an event, ``YYYY-MM-DD type: sentence sentence``, in time order; empty where nothing is worth quoting or
    nothing fits.
    """
    count = tokens.counter()
    candidates = [
        _Candidate(event, place, sentence)
        for event, source in enumerate(events)
        for place, sentence in enumerate(sentences(source.text[:MAX_CHARS]))
    ]
    if not candidates:
        return ""
    prefixes = {event: count(f"{events[event].day} {events[event].type}:") + 1 for event in {c.event for c in candidates}}
    chosen = _choose(candidates, prefixes, len(events), max_tokens)
    while chosen:
        text = _written(events, [(each.event, each.place, each.sentence.text) for each in chosen])
        if count(text) <= max_tokens:
            return text
        chosen.pop()  # pieces were counted on their own, and together can come out a little longer
    return _shortened(events, candidates, max_tokens, count)


def _choose(candidates: list[_Candidate], prefixes: dict[int, int], events: int, budget: int) -> list[_Candidate]:
    """Greedily, the candidate that adds most for its length, until nothing that still adds something fits."""
    weights, holders = _weights(candidates)
    recency = [(_HALF_LIFE << 10) // (_HALF_LIFE + events - 1 - event) for event in range(events)]
    worth = [sum(weights[word] for word in candidate.sentence.words) for candidate in candidates]
    order = sorted(range(len(candidates)), key=lambda each: (-candidates[each].event, candidates[each].place))
    covered: set[str] = set()
    quoted: set[int] = set()
    chosen: list[_Candidate] = []
    while order:
        best, best_value, best_cost = -1, 0, 0
        for index in order:
            candidate = candidates[index]
            cost = candidate.sentence.tokens + (0 if candidate.event in quoted else prefixes[candidate.event])
            value = worth[index] * recency[candidate.event] // (cost + _OVERHEAD)
            if value > best_value and cost <= budget:
                best, best_value, best_cost = index, value, cost
        if best < 0:
            break
        order.remove(best)
        budget -= best_cost
        candidate = candidates[best]
        quoted.add(candidate.event)
        chosen.append(candidate)
        for word in candidate.sentence.words - covered:
            for index in holders[word]:
                worth[index] -= weights[word]
        covered |= candidate.sentence.words
    return chosen


def _weights(candidates: list[_Candidate]) -> tuple[dict[str, int], dict[str, list[int]]]:
    """What covering each word is worth (rare words more, by a square root), and which candidates hold it."""
    holders: dict[str, list[int]] = {}
    for index, candidate in enumerate(candidates):
        for word in candidate.sentence.words:
            holders.setdefault(word, []).append(index)
    scale = len(candidates) << 12
    return {word: isqrt(scale // len(at)) for word, at in holders.items()}, holders


def _written(events: Sequence[Source], chosen: Sequence[tuple[int, int, str]]) -> str:
    lines: dict[int, str] = {}
    for event, _, text in sorted(chosen):
        lines[event] = f"{lines[event]} {text}" if event in lines else f"{events[event].day} {events[event].type}: {text}"
    return "\n".join(lines.values())


def _shortened(
    events: Sequence[Source], candidates: list[_Candidate], budget: int, count: Callable[[str], int]
) -> str:
    """The first sentence of the newest event, cut, where not even one sentence fits whole."""
    newest = candidates[-1].event
    sentence = next(each.sentence.text for each in candidates if each.event == newest)
    low, high = 0, len(sentence) - 1
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        if count(_written(events, [(newest, 0, sentence[:middle] + ELLIPSIS)])) <= budget:
            low = middle
        else:
            high = middle - 1
    cut = shorten(sentence, low)
    text = _written(events, [(newest, 0, cut)])
    return text if cut != ELLIPSIS and count(text) <= budget else ""


def shorten(text: str, limit: int) -> str:
    """`text`, or its first `limit` characters back to the end of a word, and an ellipsis."""
    if len(text) <= limit:
        return text
    kept = text[:limit]
    if not text[limit].isspace():
        head, space, _ = kept.rpartition(" ")
        # A text without spaces (Chinese, Japanese, a long path) is cut where the limit is.
        kept = head if space and len(head) >= limit // 2 else kept
    return kept.rstrip() + ELLIPSIS
