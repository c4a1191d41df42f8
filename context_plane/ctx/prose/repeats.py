"""What a text says several times, and which of it a reference says with fewer tokens.

Here belongs the search. Phrases are whole words within a line, or beginnings of addresses and paths up to a ``/``; long
ones are taken before short ones. It takes time in proportion to the text: phrases of 2, 4, 8 … words are told apart by
a pair of numbers of their halves, and what stands in one place only is not looked at again.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Final

_ATOM: Final = re.compile(r"\n| +(?= [^ \n])| ?[^ \n/]*/+| ?[^ \n/]+| +")
_LENGTHS: Final = (64, 48, 32, 24, 16, 12, 8, 6, 5, 4, 3, 2, 1)
_LONGEST: Final = 256
_MOST: Final = 999
_REFERENCE_COST: Final = 2  # tokens of " §12"
_ENTRY_COST: Final = 4  # tokens of an entry beside what it stands for
_LEAST_GAIN: Final = 4
_LEAST_LETTERS: Final = 10


class Repeats:
    """The atoms of a text, and what of them entries stand for."""

    def __init__(self, text: str, count: Callable[[str], int], sign: str) -> None:
        """`count` counts tokens; a phrase that holds `sign` is not taken."""
        self.atoms: list[str] = _ATOM.findall(text)
        self.entries: list[str] = []
        self.taken: dict[int, tuple[int, int]] = {}
        """Where the atoms begin that an entry stands for: the place of the entry, how many atoms."""
        self._count = count
        self._sign = sign
        self._free = bytearray(b"\1" * len(self.atoms))
        ranks = _ranks(self.atoms, sign)
        for length in _LENGTHS:
            for places in _repeated(ranks, length):
                if len(self.entries) < _MOST:
                    self._take(places, length)

    def _take(self, places: list[int], length: int) -> None:
        starts = self._open(places, length)
        while len(starts) > 1 and length < _LONGEST and self._goes_on(starts, length):
            length += 1
        if len(starts) < 2:
            return
        phrase = "".join(self.atoms[starts[0] : starts[0] + length]).removeprefix(" ")
        if len(phrase) < _LEAST_LETTERS:
            return
        saved = (len(starts) - 1) * self._count(phrase) - len(starts) * _REFERENCE_COST - _ENTRY_COST
        if saved < _LEAST_GAIN:
            return
        for start in starts:
            self.taken[start] = (len(self.entries), length)
            self._free[start : start + length] = bytes(length)
        self.entries.append(phrase)

    def _open(self, places: list[int], length: int) -> list[int]:
        """The places that are not taken, do not overlap, and go on with no digit, which a reference would swallow."""
        found: list[int] = []
        for start in places:
            if (found and start < found[-1] + length) or self._digit_at(start + length):
                continue
            if all(self._free[start : start + length]):
                found.append(start)
        return found

    def _digit_at(self, at: int) -> bool:
        return at < len(self.atoms) and self.atoms[at][0].isdigit()

    def _goes_on(self, starts: list[int], length: int) -> bool:
        """Whether the same atom is behind each place, and may be said with it."""
        atoms, end = self.atoms, starts[0] + length
        if end >= len(atoms) or (following := atoms[end]) == "\n" or self._sign in following:
            return False
        for start, after in zip(starts, [*starts[1:], len(atoms)], strict=True):
            at = start + length
            if at >= after or not self._free[at] or atoms[at] != following or self._digit_at(at + 1):
                return False
        return True


def _repeated(ranks: dict[int, list[int]], length: int) -> list[list[int]]:
    """Places of each phrase of so many atoms that stands in more than one, those of the earliest first."""
    half = 1 << (length.bit_length() - 1)
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for at, (first, second) in enumerate(zip(ranks[half], ranks[half][length - half :], strict=False)):
        if first and second:
            found[first, second].append(at)
    return [places for places in found.values() if len(places) > 1]


def _ranks(atoms: list[str], sign: str) -> dict[int, list[int]]:
    """For 1, 2, 4 … atoms: at each place the number of the phrase of so many atoms that begins there; 0 where it goes
    over the end of a line, holds `sign`, or stands in no other place, so that no longer one can either."""
    known: dict[str, int] = {}
    ranks = _shared([0 if atom == "\n" or sign in atom else known.setdefault(atom, len(known) + 1) for atom in atoms])
    found = {1: ranks}
    length = 1
    while length * 2 <= _LENGTHS[0]:
        pairs: dict[tuple[int, int], int] = {}
        ranks = _shared(
            [
                pairs.setdefault((first, second), len(pairs) + 1) if first and second else 0
                for first, second in zip(ranks, ranks[length:], strict=False)
            ]
        )
        length *= 2
        found[length] = ranks
    return found


def _shared(ranks: list[int]) -> list[int]:
    times = Counter(ranks)
    return [rank if times[rank] > 1 else 0 for rank in ranks]
