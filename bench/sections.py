"""Sections: documents cut along their headings, and what each section is asked for by.

Here belongs the making of questions out of structure: a heading's path is the question, the chunks of text right under
the heading are what answers it. Chunks are the document's own lines, blocks put together up to a number of tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from context_plane.ctx import tokens
from context_plane.ctx.prose.lines import split_lines
from context_plane.ctx.prose.parse import parse

MOST: Final = 300
"""Tokens of a chunk of several blocks; a longer block is one alone."""
_NUMBER: Final = re.compile(r"(?:Appendix\s+)?(?:[A-Z]|\d+)(?:\.\d+)*\.\s+|\d+(?:\.\d+)*\s+")
_FORMAL: Final = re.compile(
    r"abstract|status of this memo|copyright notice|(?:table of )?contents|acknowledge?ments?|contributors?"
    r"|author'?s?'? address(?:es)?|(?:normative |informative )?references|index",
    re.I,
)


@dataclass
class Section:
    """What stands between a heading and the next."""

    path: tuple[str, ...] = ()
    """The headings it is under without their numbers, its own last; empty before the first."""
    blocks: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its own heading."""
        return self.path[-1] if self.path else ""

    @property
    def asked(self) -> bool:
        """Whether its heading makes a question: not where it is what every document has, or has no text."""
        return bool(self.path and any(map(str.strip, self.blocks)) and not _FORMAL.fullmatch(self.title))


def sections(text: str) -> Iterator[Section]:
    """The sections of a document in order."""
    lines, blocks = split_lines(text), parse(text)
    ends = [*(block.at for block in blocks[1:]), len(lines)]
    open_: list[tuple[int, str]] = []
    current = Section()
    for block, end in zip(blocks, ends, strict=True):
        if block.kind != "heading":
            current.blocks.append("\n".join(lines[block.at : end]))
            continue
        yield current
        level = len(block.mark)
        open_ = [each for each in open_ if each[0] < level] + [(level, _NUMBER.sub("", block.lines[0], count=1))]
        current = Section(tuple(title for _, title in open_))
    yield current


def chunks(blocks: Iterable[str], most: int = MOST) -> list[str]:
    """Blocks put together in order, as many as `most` tokens allow."""
    found: list[str] = []
    size = 0
    for block in filter(str.strip, blocks):
        count = tokens.count(block)
        if found and size + count <= most:
            found[-1] = f"{found[-1]}\n{block}"
            size += count
        else:
            found.append(block)
            size = count
    return [each.strip("\n") for each in found]
