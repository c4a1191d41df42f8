"""Nesting: what encloses the next block, by the columns at which the blocks before it began.

Here belongs which list items a block stands in, and whether running text is set in from the text before it. A column is
the number of characters before a block's first sign.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_SET_IN: Final = 2
"""Text so many columns further in than the text before it is set in; fewer are an accident."""


@dataclass(slots=True)
class Nesting:
    """Blocks that are open, outermost first: (column, is an item, the column of its text)."""

    open: list[tuple[int, bool, int]] = field(default_factory=list)

    @property
    def depth(self) -> int:
        """How many items are open."""
        return sum(entry[1] for entry in self.open)

    @property
    def column(self) -> int:
        """Where the text of the innermost item begins, 0 outside of lists."""
        return next((text for _, is_item, text in reversed(self.open) if is_item), 0)

    def leave(self, indent: int) -> None:
        """Closes the items that a block at `indent` is not part of, and leaves open what text stands before it."""
        for number, (column, is_item, _) in enumerate(self.open):
            if is_item and column >= indent:
                del self.open[number:]
                return

    def item(self, indent: int, text: int) -> int:
        """Opens an item whose text begins at column `text`; returns how many items it stands in."""
        self._close(indent)
        while self.open and not self.open[-1][1]:
            self.open.pop()
        depth = self.depth
        self.open.append((indent, True, text))
        return depth

    def text(self, indent: int) -> tuple[int, bool]:
        """Opens running text; returns how many items it stands in, and whether it is set in."""
        self._close(indent)
        found = self.depth, bool(self.open) and not self.open[-1][1]
        self.open.append((indent, False, indent))
        return found

    def _close(self, indent: int) -> None:
        while self.open and self.open[-1][0] >= indent - (0 if self.open[-1][1] else _SET_IN - 1):
            self.open.pop()
