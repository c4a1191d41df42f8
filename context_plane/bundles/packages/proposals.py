"""Proposals: packages that nobody declared, of chains that answers drew on together again and again (seed 001, 6.4).

Here belongs when chains belong together: they were in at least so many answers at once, and not merely because each is
in many. A proposal is a declaration as text; somebody has to want it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from context_plane.errors import InputError

LEAST: Final = 5
"""Answers that chains have to be in together."""
LIFT: Final = 1.5
"""How many times as often as by chance. Chains of which none comes without the other are together whatever it says."""
MOST_CHAINS: Final = 20
"""Of one proposal."""
_MOST_A_RECEIPT: Final = 200


@dataclass(frozen=True)
class Proposal:
    """Chains that make a package."""

    chains: tuple[str, ...]
    """Sorted."""
    answers: int
    """How many drew on all of them."""
    lift: float
    """Of the pair that is together least often for its share."""

    @property
    def name(self) -> str:
        """A name that says nothing but is the same for the same chains."""
        return f"auto/{hashlib.sha256(' '.join(self.chains).encode()).hexdigest()[:12]}"

    @property
    def yaml(self) -> str:
        """A declaration, to be put into `packages/`."""
        chains = "".join(f"  - {_quoted(chain)}\n" for chain in self.chains)
        return (
            f"# {self.answers:,} answers drew on all of these chains, {self.lift:.1f} times as many as by chance.\n"
            f"package: {self.name}\nscope: personal\nchains:\n{chains}"
        )

    def to_dict(self) -> dict[str, Any]:
        """As `cortex package propose --json` prints it."""
        return {
            "name": self.name, "chains": list(self.chains), "answers": self.answers, "lift": round(self.lift, 6),
            "yaml": self.yaml,
        }  # fmt: skip


def propose(
    answers: Iterable[frozenset[str]], *, least: int = LEAST, lift: float = LIFT, known: Sequence[Collection[str]] = ()
) -> list[Proposal]:
    """Packages of chains that were in at least `least` answers together, `lift` times as often as by chance, the one of
    most answers first. What lies within one of `known` is not proposed. The same answers in any order give the same.

    Raises `InputError` for limits that cannot be meant."""
    if type(least) is not int or least < 2:
        raise InputError(f"least is {least!r:.40}", where="least", remedy="give a number of answers, from 2")
    if isinstance(lift, bool) or not isinstance(lift, (int, float)) or not lift >= 0:
        raise InputError(f"lift is {lift!r:.40}", where="lift", remedy="give a number, such as 1.5")
    drawn = list(answers)
    total, single, pairs = len(drawn), Counter[str](), Counter[tuple[str, str]]()
    for chains in drawn:
        single.update(chains)
        if len(chains) <= _MOST_A_RECEIPT:  # an answer of everything says nothing of what belongs together
            pairs.update(combinations(sorted(chains), 2))
    lifts = {
        pair: together * total / (single[pair[0]] * single[pair[1]])
        for pair, together in pairs.items()
        if together >= least
    }
    good = {pair: found for pair, found in lifts.items() if found >= lift or _inseparable(pair, pairs, single)}
    found = dict.fromkeys(_grown(pair, good, drawn, least) for pair in sorted(good, key=lambda p: (-pairs[p], p)))
    proposals = [
        Proposal(chains, count, min(good[pair] for pair in combinations(chains, 2))) for chains, count in found
    ]
    free = [each for each in proposals if not any(set(each.chains) <= set(held) for held in known)]
    whole = [each for each in free if not any(set(each.chains) < set(other.chains) for other in free)]
    return sorted(whole, key=lambda each: (-each.answers, -len(each.chains), each.chains))


def _inseparable(pair: tuple[str, str], pairs: Counter[tuple[str, str]], single: Counter[str]) -> bool:
    return pairs[pair] == single[pair[0]] == single[pair[1]]


def _grown(
    pair: tuple[str, str], good: Collection[tuple[str, str]], drawn: Sequence[frozenset[str]], least: int
) -> tuple[tuple[str, ...], int]:
    """A pair with every chain that fits all of it, the most frequent first; and how many answers drew on all."""
    chosen = set(pair)
    held = [chains for chains in drawn if chosen <= chains]
    while len(chosen) < MOST_CHAINS:
        counts = Counter(chain for chains in held for chain in chains - chosen)
        fitting = ((-count, chain) for chain, count in counts.items() if count >= least and _fits(chain, chosen, good))
        best = min(fitting, default=None)
        if best is None:
            break
        chosen.add(best[1])
        held = [chains for chains in held if best[1] in chains]
    return tuple(sorted(chosen)), len(held)


def _fits(chain: str, chosen: Iterable[str], good: Collection[tuple[str, str]]) -> bool:
    return all((min(chain, each), max(chain, each)) in good for each in chosen)


def _quoted(text: str) -> str:
    """A text as YAML: ids of nodes may be anything printable."""
    return "".join(_characters(text))


def _characters(text: str) -> Iterator[str]:
    yield '"'
    for sign in text:
        yield f"\\{sign}" if sign in '"\\' else sign
    yield '"'
