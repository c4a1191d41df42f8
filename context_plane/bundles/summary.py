"""The extractive summary: sentences of an entity's recent events, as many as the budget holds.

Here belongs the choice. What a sentence is comes from `sentences`; which events are offered is the spec's window and
`compile.SUMMARY_EVENTS`. Deterministic on any machine: integers only, ties go to the later event and the earlier
sentence, and nothing is looked at but the entity's own texts. Described for users in docs/context-specs.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isqrt
from typing import Final, NamedTuple

from context_plane.bundles.sentences import ENDS, MAX_CHARS, Sentence, sentences
from context_plane.ctx import tokens

_HALF_LIFE: Final = 8  # the newest event weighs 1, the one eight before it 1/2, the one sixteen before it 1/3
_OVERHEAD: Final = 6  # tokens added to a sentence's length when its worth a token is reckoned: short is not all
_LEAD: Final = 2  # an event's first sentence (a title, the point of a mail) is worth this part more
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
        for event in range(len(events) - 1, -1, -1)
        for place, sentence in enumerate(sentences(events[event].text[:MAX_CHARS]))
    ]
    if not candidates:
        return ""
    lines = {event: count(f"{events[event].day} {events[event].type}:") + 1 for event, _, _ in candidates}
    chosen = _choose(candidates, lines, max_tokens)
    while chosen:
        text = _written(events, chosen)
        if count(text) <= max_tokens:
            return text
        chosen.pop()  # pieces were counted on their own, and together can come out a little longer
    return _shortened(events, candidates[0], max_tokens, count)


def _choose(candidates: Sequence[_Candidate], lines: Mapping[int, int], budget: int) -> list[_Candidate]:
    """Greedily, the candidate that adds most for its length, until nothing that still adds something fits.

    Candidates come newest event first; the earlier of two that are worth the same is taken. `lines` is what the
    beginning of an event's line costs.
    """
    worth, holders, weights = _worth(candidates)
    costs = [each.sentence.tokens + lines[each.event] for each in candidates]
    newest = candidates[0].event
    scales = [(_HALF_LIFE << 10) // (_HALF_LIFE + newest - each.event) for each in candidates]
    scales = [scale + (0 if each.place else scale // _LEAD) for scale, each in zip(scales, candidates, strict=True)]
    left, quoted, covered = list(range(len(candidates))), set[int](), set[str]()
    chosen: list[_Candidate] = []
    while left:
        values = [worth[at] * scales[at] // (costs[at] + _OVERHEAD) if costs[at] <= budget else 0 for at in left]
        best = max(values)
        if best <= 0:
            break
        at = left.pop(values.index(best))
        taken = candidates[at]
        chosen.append(taken)
        budget -= costs[at]
        if taken.event not in quoted:
            quoted.add(taken.event)
            for other in left:
                if candidates[other].event == taken.event:
                    costs[other] -= lines[taken.event]
        for word in taken.sentence.words - covered:
            for other in holders[word]:
                worth[other] -= weights[word]
        covered |= taken.sentence.words
    return chosen


def _worth(candidates: Sequence[_Candidate]) -> tuple[list[int], dict[str, list[int]], dict[str, int]]:
    """What each candidate adds at first, which candidates hold each word, and what covering a word is worth: the more,
    by a square root, the fewer hold it."""
    holders: dict[str, list[int]] = {}
    for at, candidate in enumerate(candidates):
        for word in candidate.sentence.words:
            holders.setdefault(word, []).append(at)
    by_count = [0, *(isqrt((len(candidates) << 12) // count) for count in range(1, len(candidates) + 1))]
    weights = {word: by_count[len(at)] for word, at in holders.items()}
    return [sum(map(weights.__getitem__, each.sentence.words)) for each in candidates], holders, weights


def _written(events: Sequence[Source], chosen: Iterable[_Candidate]) -> str:
    lines: dict[int, str] = {}
    for event, _, sentence in sorted(chosen, key=lambda each: each[:2]):
        line = lines.get(event)
        if line is None:
            line = f"{events[event].day} {events[event].type}:"
        elif not line.endswith(ENDS):
            line += ";"  # a title or list item without a full stop
        lines[event] = f"{line} {sentence.text}"
    return "\n".join(lines.values())


def _shortened(events: Sequence[Source], first: _Candidate, budget: int, count: Callable[[str], int]) -> str:
    """The first sentence of the newest event, cut, where not even one sentence fits whole."""

    def line(text: str) -> str:
        return _written(events, [first._replace(sentence=first.sentence._replace(text=text))])

    text = first.sentence.text
    low, high = 0, len(text) - 1
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        if count(line(text[:middle] + ELLIPSIS)) <= budget:
            low = middle
        else:
            high = middle - 1
    cut = shorten(text, low)
    return line(cut) if cut != ELLIPSIS and count(line(cut)) <= budget else ""


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
