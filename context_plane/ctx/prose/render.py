"""From blocks to the shortest text that has them: what CTX holds of a document in the mode ``verbatim``.

Here belongs the form of every block. The text is Markdown that `parse` reads back as the same blocks, so a reader needs
to know nothing new. Where a block has several forms (code fenced or indented, tables padded or not) the one with the
fewest tokens is taken. Whoever renders parses the result and compares: see `encode`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from context_plane.ctx.prose.blocks import Block
from context_plane.ctx.prose.lines import split_lines
from context_plane.ctx.prose.parse import DEEP, parse
from context_plane.ctx.prose.signs import is_prose
from context_plane.ctx.prose.tables import ALIGNMENTS

_SET_IN: Final = 2
_HARD: Final = "  \n"
_PIPES: Final = (("| ", " | ", " |"), ("|", "|", "|"), ("", " | ", ""), ("", "|", ""))
_SAMPLE: Final = 40


def render(blocks: Iterable[Block], count: Callable[[str], int], *, hard: bool = False) -> str:
    """The text of blocks, without a line ending behind it. `hard` writes every line break within a block with two
    spaces before it, for texts in which a bare one would be taken for a wrap."""
    return "\n".join(_Renderer(count, hard).lines(tuple(blocks)))


class _Renderer:
    """Keeps the columns at which the text of open list items begins, outside and inside a quotation."""

    def __init__(self, count: Callable[[str], int], hard: bool) -> None:
        self.count = count
        self.hard = hard
        self.outer = [0]
        self.inner = [0]
        self.quote = (0, 0)

    def lines(self, blocks: tuple[Block, ...]) -> Iterator[str]:
        before: Block | None = None
        for number, block in enumerate(blocks):
            after = blocks[number + 1] if number + 1 < len(blocks) else None
            if block.quote != self.quote or block.opens:
                self.quote, self.inner = block.quote, [0]
            if before is not None and (block.apart or _must_stand_apart(before, block)):
                within = before.quote == block.quote and not block.opens
                yield self._prefix().rstrip(" ") if within else ""
            prefix = self._prefix()
            for line in self._block(block, before, after).split("\n"):
                yield prefix + line if line else prefix.rstrip(" ")
            before = block

    def _prefix(self) -> str:
        depth, signs = self.quote
        return " " * self.outer[min(depth, len(self.outer) - 1)] + ">" * signs + " " if signs else ""

    def _block(self, block: Block, before: Block | None, after: Block | None) -> str:
        columns = self.inner if block.quote[1] else self.outer
        indent = columns[min(block.depth, len(columns) - 1)]
        if block.kind == "item":
            lead = f"{block.mark} " if block.lines else block.mark
            columns[block.depth + 1 :] = [indent + len(block.mark) + 1]
            return " " * indent + lead + self._broken(block.lines, columns[-1])
        deeper = len(columns) > block.depth + 1
        del columns[block.depth + 1 :]
        if block.kind == "para":
            indent += _SET_IN if block.mark else 0
            return " " * indent + self._broken(block.lines, indent)
        if block.kind == "heading":
            return block.raw[0] if block.raw else f"{block.mark} {block.lines[0]}".rstrip(" ")
        if block.kind == "code":
            bare = block.apart and (block.bare or not deeper) and (after is None or after.apart)
            bare = bare and not any(near and near.kind == "code" for near in (before, after))
            return _indented(self._code(block, bare=bare), indent)
        return _indented(self._table(block) if block.kind == "table" else "---", indent)

    def _broken(self, lines: tuple[str, ...], indent: int) -> str:
        return ((_HARD if self.hard else "\n") + " " * indent).join(lines)

    def _code(self, block: Block, *, bare: bool) -> str:
        """Fenced, or indented where that is shorter and read as code for certain."""
        best = _fenced(block)
        cost = self.count(best)
        if bare and not block.mark and any(block.lines):
            text = "\n".join(block.lines if block.bare else [" " * DEEP + line if line else "" for line in block.lines])
            could_be_prose = is_prose([line for line in block.lines if line], 1)
            if (block.bare or (self.count(text) < cost and not could_be_prose)) and parse(text) == (_alone(block),):
                return text
        return best

    def _table(self, block: Block) -> str:
        """With the pipes that take the fewest tokens, as far as the first rows tell."""

        def cost(form: tuple[str, str, str]) -> int:
            return self.count(_rows(block.mark, rows[:_SAMPLE], *form))

        rows = block.rows
        for form in sorted(_PIPES, key=cost):
            text = _rows(block.mark, rows, *form)
            if parse(text) == (_alone(block),):
                return text
        return _rows(block.mark, rows, *_PIPES[0])


def _must_stand_apart(before: Block, block: Block) -> bool:
    """Whether without a blank line between them the second would go on with the first, or make it a heading."""
    if block.opens and before.quote[1]:
        return True
    if before.kind not in ("para", "item") or before.quote != block.quote:
        return False
    if block.kind == "rule":
        return before.kind == "para" and len(before.lines) == 1
    return block.kind == "para" or block.bare


def _alone(block: Block) -> Block:
    return Block(block.kind, block.mark, block.lines, shape=block.shape)


def _fenced(block: Block) -> str:
    sign = "~" if "`" in block.mark else "`"
    longest = max((len(run) for line in block.lines for run in re.findall(rf"^\s*({sign}{{3,}})", line)), default=2)
    fence = sign * (longest + 1)
    return "\n".join((fence + block.mark, *block.lines, fence))


def _rows(mark: str, rows: Sequence[tuple[str, ...]], first: str, between: str, last: str) -> str:
    delimiters = "|".join(ALIGNMENTS[letter] for letter in mark)
    if first or len(mark) == 1:
        delimiters = f"|{delimiters}|"
    lines = [first + between.join(cells) + last for cells in rows]
    return "\n".join((lines[0], delimiters, *lines[1:]))


def _indented(text: str, indent: int) -> str:
    if indent == 0:
        return text
    return "\n".join(" " * indent + line if line else "" for line in split_lines(text))
