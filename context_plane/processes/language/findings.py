"""Findings: what is wrong with one file, collected while it is read.

Here belongs collecting, with a limit: a file may have thousands of faults, and nobody reads more than the first. What
the faults are called is `codes`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Final

from context_plane.processes.language.codes import CODES
from context_plane.processes.language.diagnostic import Diagnostic, Place

MOST: Final = 100
"""Findings of one file; what else there is is left out."""
_LEFT_OUT: Final = "too-many-findings"
_SHOWN: Final = 60
_WAY: Final = 8
_NEAR: Final = 3
"""By how many characters the length of a near name may differ."""


class Findings:
    """The findings of a file, in the order in which they were made."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Diagnostic] = []

    @property
    def full(self) -> bool:
        """Whether the limit was reached: it makes no sense to look further."""
        return len(self.found) > MOST

    def add(self, code: str, mark: Any, message: str, remedy: str) -> None:
        """One at a mark of the reader's."""
        self.put(code, Place(self.file, mark.line + 1, mark.column + 1), message, remedy)

    def put(self, code: str, place: Place, message: str, remedy: str) -> None:
        """One at a place."""
        if len(self.found) < MOST:
            self.found.append(Diagnostic(place, code, CODES[code].severity, message, remedy))
        elif len(self.found) == MOST:
            self.found.append(_left_out(place))


def limited(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Findings of many stages in order of place, each once, and of no file more than the limit."""
    files: dict[str, list[Diagnostic]] = {}
    left: dict[str, Place] = {}
    for each in sorted(set(found)):
        if each.code == _LEFT_OUT:
            left.setdefault(each.place.file, each.place)
        else:
            files.setdefault(each.place.file, []).append(each)
    for file, mine in files.items():
        if len(mine) > MOST:
            left[file] = mine[MOST].place
        if file in left:
            mine[MOST:] = [_left_out(left[file])]
    return tuple(each for mine in files.values() for each in mine)


def _left_out(place: Place) -> Diagnostic:
    message, remedy = f"there are more than {MOST} findings here", "correct those before, then check again"
    return Diagnostic(place, _LEFT_OUT, CODES[_LEFT_OUT].severity, message, remedy)


def near(word: str, known: Iterable[str]) -> str | None:
    """The name most like a word that was written, if one is."""
    word = word[:_SHOWN]
    # Comparing with hundreds of names takes milliseconds, and a file may have many unknown ones.
    few = [each for each in known if abs(len(each) - len(word)) <= max(_NEAR, len(word) // 2)]
    for begin in (1, 3):
        few = few if len(few) <= MOST else [each for each in few if each[:begin] == word[:begin]]
    found = get_close_matches(word, few[:MOST], 1)
    return found[0] if found else None


def meant(word: str, known: Iterable[str], else_: str) -> str:
    """A remedy: the nearest name, or something else."""
    found = near(word, known)
    return f"did you mean {found}?" if found else else_


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names for a remedy: ``a, b, c``."""
    every = list(names)
    return ", ".join(every[:most]) + (", …" if len(every) > most else "")


def shown(value: Any) -> str:
    """A value as a message quotes it, cut where it is long."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def way(names: Sequence[str], around: str = " → ") -> str:
    """A way through names, cut in the middle where it is long."""
    return around.join(names if len(names) <= 2 * _WAY else [*names[:_WAY], "…", *names[-_WAY:]])


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {shown(value)}"
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else "nothing"
