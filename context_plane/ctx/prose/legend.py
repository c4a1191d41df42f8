"""References: what a text says several times is said once, in a legend, and named there by a number.

Here belongs writing and reading them. An entry of the legend is a line ``§1 what it stands for``; in the text behind it
``§1`` stands for that, and ``§§`` for a ``§``. Entries never hold references. What is worth an entry is `repeats`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from context_plane.ctx.prose.repeats import Repeats
from context_plane.errors import InputError

SIGN: Final = "§"
_ROOM: Final = 10_000_000
_GROWTH: Final = 1_000
"""References may stand for so many characters, or so many times the text."""
_REFERENCE: Final = re.compile(r"§(§|[1-9][0-9]{0,5})?")


def refer(text: str, count: Callable[[str], int]) -> tuple[list[str], str]:
    """The entries of a legend, numbered as they first occur, and the text that refers to them; no entries and the text
    itself where none pays."""
    found = Repeats(text, count, SIGN)
    if not found.entries:
        return [], text
    numbers: dict[int, int] = {}
    out: list[str] = []
    at = 0
    while at < len(found.atoms):
        atom = found.atoms[at]
        if at not in found.taken:
            out.append(atom.replace(SIGN, SIGN + SIGN))
            at += 1
            continue
        entry, length = found.taken[at]
        number = numbers.setdefault(entry, len(numbers) + 1)
        out.append(f"{' ' if atom.startswith(' ') else ''}{SIGN}{number}")
        at += length
    return [found.entries[entry] for entry in numbers], "".join(out)


def resolve(entries: list[str], text: str, first_line: int = 1) -> str:
    """The text with what its references stand for. `first_line` is the number of its first line, for errors.

    Raises `InputError` for a reference without an entry, for a sign that is neither doubled nor a reference, and for a
    text that is made to grow beyond all measure.
    """
    room = max(_ROOM, _GROWTH * len(text))

    def one(match: re.Match[str]) -> str:
        nonlocal room
        what = match[1]
        if what == SIGN:
            return SIGN
        phrase = entries[int(what) - 1] if what and int(what) <= len(entries) else None
        room -= len(phrase or "")
        if phrase is not None and room > 0:
            return phrase
        problem = f"refers to nothing: the legend has {len(entries)} entries" if phrase is None else "grows too large"
        raise InputError(
            f"{match[0]!r} {problem}",
            where=f"line {first_line + text.count(chr(10), 0, match.start())}",
            remedy="write §§ for the sign itself, or decode the text as it was encoded, with its legend",
        )

    return _REFERENCE.sub(one, text)
