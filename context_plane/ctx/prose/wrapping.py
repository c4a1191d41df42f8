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
_CLOSING: Final = ")\\]\"'”\u2019"
_HYPHEN: Final = re.compile(r"(?<=[^\W_]-)(?=[^\W\d_])")
_SHORTEST_PARAGRAPH: Final = 2
_SAMPLE: Final = 100
_MORE: Final = 5


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
        sign, text = _hanging(text)
        hang = lead + len(sign)
        out, current = [], " " * lead + sign
        fresh, gap = True, ""
        for word, space in self._words(text):
            if not fresh and len(current) + len(gap) + len(word) > self.width:
                out.append(current)
                current, gap = " " * hang, ""
            current += gap + word
            gap, fresh = space, False
        return [*out, current]

    def _words(self, text: str) -> list[tuple[str, str]]:
        """What cannot be broken, each with the space behind it."""
        if self.sentence_ends and "  " not in text:
            text = self._sentence_gap().sub("  ", text)
        found: list[tuple[str, str]] = []
        for match in re.finditer(r"([^ ]+)( *)", text):
            word, space = match.groups()
            parts = _HYPHEN.split(word) if self.hyphens and "-" in word else [word]
            found += [(part, "") for part in parts[:-1]]
            found.append((parts[-1], space))
        return found

    def _sentence_gap(self) -> re.Pattern[str]:
        """The space behind a sentence: what ends it is no initial, and what follows begins with no small letter."""
        return re.compile(
            rf"(?:(?<=[{re.escape(self.sentence_ends)}])|(?<=[{re.escape(self.sentence_ends)}][{_CLOSING}]))"
            r"(?<![ (][A-Z]\.) (?=[^ a-z])"
        )

    def joined(self, lines: list[str]) -> str | None:
        """The paragraph as one line from which `wrapped` makes these lines, or None if there is none."""
        lead = len(lines[0]) - len(lines[0].lstrip(" ")) if lines else 0
        if self.width == 0 or len(lines) < _SHORTEST_PARAGRAPH or (lead == 0 and self.indent):
            return None
        text = lines[0].lstrip(" ")
        for line in lines[1:]:
            part = line.lstrip(" ")
            text += part if self.hyphens and _HYPHEN.search(f"{text[-2:]}{part[:1]}") else f" {part}"
        sign, text = _hanging(text)
        shown = ("" if lead == self.indent else " " * lead) + sign
        single = text.replace("  ", " ") if self.sentence_ends else text
        for candidate in dict.fromkeys((shown + single, shown + text)):
            if self.is_wrapped(candidate) and self.wrapped(candidate) == lines:
                return candidate
        return None


def _hanging(text: str) -> tuple[str, str]:
    """The sign that the lines of a paragraph hang from, with the space behind it, and the rest."""
    match = _HANGING.match(text)
    return (match[0], text[match.end() :]) if match else ("", text)


def layout_of(lines: list[str]) -> Layout:
    """How a text is set, as far as most of its lines tell."""
    width = wrap_width(lines)
    if width == 0:
        return Layout()
    indents = Counter(len(line) - len(line.lstrip(" ")) for line in lines if len(line) > width // 2)
    ends = "".join(sign for sign in ".?!:" if _doubled(lines, sign))
    indent, hyphens = indents.most_common(1)[0][0], any(map(_ends_in_hyphen, lines))
    sample = _sample(lines)
    # No line need reach the width: of those from the longest line on, the first that makes the most paragraphs again.
    layouts = [Layout(width + more, indent, ends, hyphens) for more in range(_MORE)]
    return max(layouts, key=lambda layout: sum(layout.joined(each) is not None for each in sample))


def _sample(lines: list[str]) -> list[list[str]]:
    """The first paragraphs of more than one line."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip(" "):
            found[-1].append(line)
        elif len(found[-1]) > 1:
            if len(found) == _SAMPLE:
                break
            found.append([])
        else:
            found[-1].clear()
    return found


def _doubled(lines: list[str], sign: str) -> bool:
    one = sum(len(re.findall(rf"[a-z]{re.escape(sign)} [A-Z]", line)) for line in lines)
    two = sum(len(re.findall(rf"[a-z]{re.escape(sign)}  [A-Z]", line)) for line in lines)
    return two > one


def _ends_in_hyphen(line: str) -> bool:
    return line.endswith("-") and line[-2:-1].isalpha()
