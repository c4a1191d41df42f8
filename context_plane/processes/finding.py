"""Finding a process by what it is for: `cortex process find "text"`.

A catalog has hundreds of processes, each a few lines of text: ranked by BM25 with the words' stems, over names,
descriptions and the descriptions of steps. The weights are those of search (docs/spec/indexes.md).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from context_plane.processes.linked import LinkedProcess

if TYPE_CHECKING:
    from collections.abc import Callable

_K1: Final = 1.2
_B: Final = 0.75
_NAME: Final = 3
"""How often the words of a name and of a description count."""


@dataclass(frozen=True)
class Found:
    """A process, and how well it fits."""

    process: LinkedProcess
    score: float


def find(
    text: str, processes: Iterable[LinkedProcess], analyze: Callable[[str], list[str]], k: int = 10
) -> list[Found]:
    """The k processes that fit a text best, the best first; those that share no word with it are not among them."""
    documents = [(each, Counter(_words(each, analyze))) for each in processes]
    length = sum(sum(counts.values()) for _, counts in documents) / max(1, len(documents))
    query = set(analyze(text))
    having = {word: sum(word in counts for _, counts in documents) for word in query}
    found = [Found(each, _score(query, counts, having, len(documents), length)) for each, counts in documents]
    best = sorted((each for each in found if each.score > 0), key=lambda each: (-each.score, each.process.name))
    return best[:k]


def _words(process: LinkedProcess, analyze: Callable[[str], list[str]]) -> list[str]:
    name = process.name.replace("_", " ").replace(".", " ")
    steps = [f"{step.id.replace('_', ' ')} {step.description}" for step in process.steps]
    return analyze(f"{name} {process.description}") * _NAME + analyze(" ".join(steps))


def _score(query: set[str], counts: Counter[str], having: dict[str, int], total: int, length: float) -> float:
    size = sum(counts.values())
    score = 0.0
    for word in sorted(query):
        if count := counts[word]:
            idf = math.log(1 + (total - having[word] + 0.5) / (having[word] + 0.5))
            score += idf * count / (count + _K1 * (1 - _B + _B * size / length))
    return score
