"""Blocks with fewer words: what the mode ``semantic`` makes of paragraphs and items.

Here belongs the decision what to leave out. Code, tables and headings are never touched; a line in which the check of
`facts` finds any difference stays as it is, so what is left out here is always what the published rules allow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from context_plane.ctx.prose import diagrams, facts
from context_plane.ctx.prose.blocks import Block
from context_plane.ctx.prose.words import droppable, shortened

_ENGLISH: Final = frozenset(
    "the and to that with this it its by from when which what they their every each not can must have are be".split()
)
"""Frequent in every English text, and hardly words of any other language."""
_SHARE: Final = 0.03
_TITLE_WORDS: Final = 6
"""A line of so few words that no sign ends may be a title, and stays as it is."""
_ENDED: Final = tuple('.:;,!?)”"')


def is_english(text: str) -> bool:
    """Whether so many words of a text are English ones that no other language has that its articles are articles: in
    French, ``a`` is a verb."""
    words = text.lower().split()
    return sum(word in _ENGLISH for word in words) >= max(1, _SHARE * len(words))


def reduced(block: Block) -> Block:
    """The block with the words left out of it that say nothing."""
    if block.kind not in ("para", "item") or not (is_english(" ".join(block.lines)) or _is_chart(block)):
        return block
    lines = tuple(map(reduced_line, block.lines))
    return block if lines == block.lines else replace(block, lines=lines)


def reduced_line(line: str) -> str:
    """A line of running text without the words that say nothing; the line itself where that would change a fact."""
    text = line.lstrip(" ")
    if diagrams.is_diagram(text):
        shorter = _redrawn(text)
    elif text.count(" ") < _TITLE_WORDS and not text.endswith(_ENDED):
        return line
    else:
        shorter = " ".join(word for word, may_go in droppable(shortened(text)) if not may_go)
    if not shorter or facts.differences(text, shorter):
        return line
    return line[: len(line) - len(text)] + shorter


def _is_chart(block: Block) -> bool:
    return bool(block.lines) and diagrams.is_diagram(block.lines[0])


def _redrawn(text: str) -> str:
    diagram = diagrams.read(text)
    return text if diagram is None else diagrams.write(diagram)
