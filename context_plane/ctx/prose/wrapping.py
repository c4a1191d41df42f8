"""Wrapping: a paragraph of a text set at a fixed width, as one line and as the lines it was.

Here belongs what the mode ``exact`` knows of layout: which width, which indentation, whether sentences are parted by
two spaces and words broken at hyphens, and one deterministic way to break a line again. What it does not reproduce to
the character is not put together.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from context_plane.ctx.prose.lines import wrap_width

_HANGING: Final = re.compile(r"(?:[-*+o•]|\d{1,3}[.)]|\[[^\]\s]{1,40}\]|\([a-z0-9]{1,3}\)) +")
_CLOSING: Final = ")]\"'”\u2019"
_HYPHEN: Final = re.compile(r"(?<=[^\W_]-)(?=[^\W\d_])")
_SHORTEST_PARAGRAPH: Final = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text is set: `width` in characters, 0 for one that is not; `indent` of most of its paragraphs; after which
    signs at the end of a word two spaces stand; whether lines also end after a hyphen."""

    width: int = 0
    indent: int = 0
    sentence_ends: str = ""
    hyphens: bool = False

    def is_wrapped(self, line: str) -> bool:
        """Whether a line is longer than any line of the text, and so is a paragraph put together."""
        if self.width == 0:
            return False
        return len(line) + (0 if line.startswith(" ") else self.indent) > self.width

    def wrapped(self, line: str) -> list[str]:
        """The lines of a paragraph that was put together."""
        text = line.lstrip(" ")
        lead = len(line) - len(text) or self.indent
        match = _HANGING.match(text)
        hang = lead + (match.end() if match else 0)
        out, current = [], " " * lead + (match[0] if match else "")
        fresh, gap = True, ""
        for word, space in self._words(text[match.end() if match else 0 :]):
            if not fresh and len(current) + len(gap) + len(word) > self.width:
                out.append(current)
                current, gap = " " * hang, ""
            current += gap + word
            gap, fresh = space, False
        return [*out, current]

    def _words(self, text: str) -> list[tuple[str, str]]:
        """What cannot be broken, each with the space behind it."""
        doubled = self.sentence_ends and "  " not in text
        found: list[tuple[str, str]] = []
        for match in re.finditer(r"([^ ]+)( *)", text):
            word, space = match.groups()
            if doubled and space and word.rstrip(_CLOSING).endswith(tuple(self.sentence_ends)):
                space = "  "
            parts = _HYPHEN.split(word) if self.hyphens and "-" in word else [word]
            found += [(part, "") for part in parts[:-1]]
            found.append((parts[-1], space))
        return found

    def joined(self, lines: list[str]) -> str | None:
        """The paragraph as one line from which `wrapped` makes these lines, or None if there is none."""
        if self.width == 0 or len(lines) < _SHORTEST_PARAGRAPH:
            return None
        first = lines[0].lstrip(" ")
        lead = len(lines[0]) - len(first)
        rest = [line.lstrip(" ") for line in lines[1:]]
        text = first
        for part in rest:
            text += part if self.hyphens and _HYPHEN.search(f"{text[-2:]}{part[:1]}") else f" {part}"
        shown = "" if lead == self.indent else " " * lead
        if lead == 0 and self.indent:
            return None
        single = re.sub(r"(?<=\S)  (?=\S)", " ", text) if self.sentence_ends else text
        for candidate in dict.fromkeys((shown + single, shown + text)):
            if self.is_wrapped(candidate) and self.wrapped(candidate) == lines:
                return candidate
        return None


def layout_of(lines: list[str]) -> Layout:
    """How a text is set, as far as most of its lines tell."""
    width = wrap_width(lines)
    if width == 0:
        return Layout()
    indents = Counter(len(line) - len(line.lstrip(" ")) for line in lines if len(line) > width // 2)
    ends = "".join(sign for sign in ".?!:" if _doubled(lines, sign))
    hyphens = sum(_ends_in_hyphen(line) for line in lines) > 0
    return Layout(width, indents.most_common(1)[0][0], ends, hyphens)


def _doubled(lines: list[str], sign: str) -> bool:
    one = sum(len(re.findall(rf"[a-z]{re.escape(sign)} [A-Z]", line)) for line in lines)
    two = sum(len(re.findall(rf"[a-z]{re.escape(sign)}  [A-Z]", line)) for line in lines)
    return two > one


def _ends_in_hyphen(line: str) -> bool:
    return line.endswith("-") and line[-2:-1].isalpha()
