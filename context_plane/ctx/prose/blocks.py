"""The block model of a text: what is left of a document when its layout is taken away.

Here belongs the value that two texts are compared by, and what of a text it leaves out. How a text becomes blocks is
`parse`, how blocks become a text again is `render`.

The model leaves out: hard wraps (`lines`), how deep a whole block is indented, runs of spaces within a line, which sign
a bullet is, whether blank lines stand between blocks, padding of table cells, whether code is fenced or indented, the
headers and footers of pages after the first (`furniture`). It keeps every word, every line break that wrapping does not
explain, the indentation of such a line within its block, and code to the character.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

BULLET: Final = "-"
"""The mark of every item without a number."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block. Equal blocks say the same; the last four fields are about how it stood there and are not compared.

    ============  ==================================  ================================================================
    kind          mark                                lines
    ============  ==================================  ================================================================
    ``heading``   its level as ``#``…``######``       one, the title
    ``para``      ``>`` if it is set in from the      its lines: words with one space between, led by as many spaces as
                  text before, else ""                the line is indented within the block
    ``item``      ``-``, or its number as ``3.``      as of a paragraph
    ``code``      the info string, "" without one     as they are, without the indentation that all of them share
    ``table``     a letter a column: l, c, r or -     the cells, those of the header first; `shape` says how many a row
    ``rule``      ""                                  none
    ============  ==================================  ================================================================
    """

    kind: str
    mark: str
    lines: tuple[str, ...]
    depth: int = 0
    """How many list items it stands in."""
    quote: tuple[int, int] = (0, 0)
    """Of a block in a quotation: how many list items that stands in, and the number of ``>``."""
    opens: bool = False
    """Whether a quotation begins with it."""
    shape: tuple[int, ...] = ()
    at: int = field(default=0, compare=False)
    """The number of its first line, from 0."""
    apart: bool = field(default=True, compare=False)
    """Whether a blank line stands before it."""
    raw: tuple[str, ...] = field(default=(), compare=False)
    """The source line of a heading that numbers show to be one."""
    bare: bool = field(default=False, compare=False)
    """Whether it is code that neither a fence nor indentation shows to be code."""

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The rows of a table, the header first."""
        found, at = [], 0
        for cells in self.shape:
            found.append(self.lines[at : at + cells])
            at += cells
        return found
