"""The head of an encoded text: the mark of the format, the mode, what the mode needs to know, and the legend.

Here belongs reading and writing these first lines. A text without them is a text as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from context_plane.errors import InputError

MARK: Final = "§text"
_LINE: Final = re.compile(r"§text(?: ([a-z]+)((?: [a-z]+=[^ =\n]{0,9})*)(?: ([1-9][0-9]{0,4}))?)?")
_ENTRY: Final = re.compile(r"§([1-9][0-9]{0,5}) (.+)", re.DOTALL)


class Mode(StrEnum):
    """What a text gives up for fewer tokens."""

    EXACT = "exact"
    """Nothing: decoding gives the very text (L0)."""
    VERBATIM = "verbatim"
    """Layout: every word is there, and the same blocks (L1)."""
    COMPACT = "compact"
    """Layout; and what is repeated is said once, in a legend (L1)."""
    SEMANTIC = "semantic"
    """Layout and closed-class words of English; facts are kept and checked (L2)."""
    REWRITE = "rewrite"
    """Whatever a plugin left out: lossy."""


ENCODED: Final = (Mode.EXACT, Mode.VERBATIM, Mode.COMPACT, Mode.SEMANTIC)
"""The modes that are encoded here, by rules."""


def mode_of(name: str) -> Mode:
    """The mode of a name that is encoded by rules. Raises `InputError` with those there are for any other."""
    if name in ENCODED:
        return Mode(name)
    raise InputError(f"there is no mode {name[:20]!r}", where="mode", remedy=f"use one of {', '.join(ENCODED)}")


@dataclass(frozen=True, slots=True)
class Head:
    """What the first lines say. `mode` is None for a text as it is that itself begins with the mark."""

    mode: Mode | None = None
    options: tuple[tuple[str, str], ...] = ()
    legend: tuple[str, ...] = ()

    def written(self) -> str:
        """The lines, with their endings."""
        if self.mode is None:
            return f"{MARK}\n"
        words = [MARK, self.mode.value, *(f"{key}={value}" for key, value in self.options)]
        if self.legend:
            words.append(str(len(self.legend)))
        entries = (f"§{number} {entry}" for number, entry in enumerate(self.legend, 1))
        return "".join(f"{line}\n" for line in (" ".join(words), *entries))


def read(ctx: str) -> tuple[Head, str] | None:
    """The head of an encoded text and what is behind it; None for a text without a head.

    Raises `InputError` naming the line for a head that no encoder writes.
    """
    if not ctx.startswith(MARK):
        return None
    line, end, rest = ctx.partition("\n")
    match = _LINE.fullmatch(line)
    if match is None or not end:
        raise _malformed(f"{line[:40]!r} is no head of an encoded text", 1)
    if match[1] is None:
        return Head(), rest
    if match[1] not in [mode.value for mode in Mode]:
        raise _malformed(f"there is no mode {match[1][:20]!r}", 1)
    options = tuple((key, value) for key, _, value in (option.partition("=") for option in match[2].split()))
    legend, rest = _legend(rest, int(match[3] or 0))
    return Head(Mode(match[1]), options, legend), rest


def _legend(rest: str, entries: int) -> tuple[tuple[str, ...], str]:
    found: list[str] = []
    at = 0
    for number in range(1, entries + 1):
        end = rest.find("\n", at)
        match = _ENTRY.fullmatch(rest[at:end]) if end >= 0 else None
        if match is None or int(match[1]) != number:
            raise _malformed(
                f"the legend says it has {entries} entries, and this is not its entry {number}", number + 1
            )
        found.append(match[2])
        at = end + 1
    return tuple(found), rest[at:]


def _malformed(what: str, line: int) -> InputError:
    modes = ", ".join(Mode)
    return InputError(
        what,
        where=f"line {line}",
        remedy=f"an encoded text begins with '{MARK} MODE', MODE one of {modes}; "
        f"encode a text that itself begins with {MARK} before decoding it",
    )
