"""From a text to its blocks: any text has some, and it takes time in proportion to its length.

Here belongs what starts a block, how deep it stands, and where it ends. The grammar is that of Markdown, read more
loosely where plain text, RFCs and reStructuredText differ from it; `docs/spec/ctx-text.md` says it in full. Whatever a
line is taken for, its words stay in their order: a wrong guess changes what is laid out anew, never what is said.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from context_plane.ctx.prose import signs, tables
from context_plane.ctx.prose.blocks import BULLET, Block
from context_plane.ctx.prose.furniture import without_furniture
from context_plane.ctx.prose.lines import SPACE, dedented, expanded, indent_of, is_soft, split_lines, words, wrap_width
from context_plane.ctx.prose.nesting import Nesting

DEEP: Final = 4
"""An indentation from which lines after a blank one are code, as in Markdown."""


def parse(text: str) -> tuple[Block, ...]:
    """The blocks of a text, in order. Never fails."""
    lines = split_lines(text)
    numbers: list[int] | None = None
    if "\f" in text:
        lines, numbers = without_furniture(lines)
    blocks = _Parser(lines).run()
    if numbers is None:
        return tuple(blocks)
    return tuple(replace(block, at=numbers[block.at]) for block in blocks)


class _Parser:
    """One pass over lines. `code` are the lines of code gathered so far: from, to, depth, apart, bare."""

    def __init__(self, source: list[str], quote: tuple[int, int] = (0, 0), first: int = 0) -> None:
        self.source = source
        self.lines = expanded(source)
        self.width = wrap_width(self.lines)
        self.quote = quote
        self.first = first
        self.nesting = Nesting()
        self.blocks: list[Block] = []
        self.code: tuple[int, int, int, bool, bool] | None = None
        self.at = 0
        self.apart = True

    def run(self) -> list[Block]:
        lines, total = self.lines, len(self.lines)
        while self.at < total:
            line = lines[self.at]
            rest = line.strip(SPACE)
            if not rest:
                self.apart = True
                self.at += 1
                continue
            indent = indent_of(line)
            if not (self.apart and indent >= DEEP and self._deep(indent)):
                self._start(indent, rest)
            self.apart = False
        self._flush()
        return self.blocks

    def _add(self, kind: str, mark: str, lines: tuple[str, ...], at: int, **more: Any) -> None:
        self._flush()
        self.blocks.append(Block(kind, mark, lines, quote=self.quote, at=self.first + at, apart=self.apart, **more))

    # --- what a block is ---------------------------------------------------------------------------------------------

    def _start(self, indent: int, rest: str) -> None:
        """Takes the block that starts at the current line."""
        if rest[0] in signs.STARTS and self._signed(indent, rest):
            return
        following = self.lines[self.at + 1 : self.at + 6]
        if indent == 0 and self.apart and (level := signs.numbered_level(rest, following)):
            self._heading("#" * level, words(rest), raw=signs.is_numbered_twice(rest))
        elif not self._table(indent, rest) and not self._item(indent, rest):
            self._paragraph(indent)

    def _signed(self, indent: int, rest: str) -> bool:
        """Takes the block at the current line if a sign says what it is."""
        sign = rest[0]
        if sign == ">" and self.quote == (0, 0):
            self._quotation(indent)
        elif sign in "`~" and (fence := signs.FENCE.match(rest)):
            self._fenced(indent, fence)
        elif sign == "#" and (heading := signs.HEADING.match(rest)):
            self._heading(heading[1], words(heading[2] or ""))
        elif sign in "-*_" and signs.RULE.fullmatch(rest):
            self.nesting.leave(indent)
            self._add("rule", "", (), self.at, depth=self.nesting.depth)
            self.at += 1
        else:
            return False
        return True

    def _heading(self, mark: str, title: str, *, raw: bool = False) -> None:
        self.nesting.open.clear()
        source = (self.lines[self.at].strip(SPACE),) if raw else ()
        self._add("heading", mark, (title,), self.at, raw=source)
        self.at += 1

    def _item(self, indent: int, rest: str) -> bool:
        if rest[0] not in signs.STARTS or not (match := signs.ITEM.match(rest)):
            return False
        column = indent + match.end() if match.end() < len(rest) else indent + len(match[0].strip()) + 1
        at = self.at
        depth = self.nesting.item(indent, column)
        lines = self._running(column, rest[match.end() :])
        self._add("item", match[2] or BULLET, lines, at, depth=depth)
        return True

    def _paragraph(self, indent: int) -> None:
        at = self.at
        lines = self._running(indent, self.lines[at].strip(SPACE))
        if self._underlined(at, lines):
            return
        source = self.lines[at : self.at]
        if signs.is_lined_up(source):
            self.nesting.leave(indent)
            self._code(at, self.at, bare=True)
            return
        depth, is_set_in = self.nesting.text(indent)
        self._add("para", ">" if is_set_in else "", lines, at, depth=depth)

    def _underlined(self, at: int, lines: tuple[str, ...]) -> bool:
        """Whether a line of signs under a single line made it a heading; then it is taken."""
        if self.at != at + 1 or self.at >= len(self.lines):
            return False
        level = signs.underline_level(self.lines[self.at].strip(SPACE), lines[0])
        if level == 0:
            return False
        self.nesting.open.clear()
        self._add("heading", "#" * level, (words(lines[0]),), at)
        self.at += 1
        return True

    def _running(self, column: int, start: str) -> tuple[str, ...]:
        """The lines of running text from the current line on, whose own text is `start`; up to a blank line or the
        start of another block. Breaks that wrapping explains are spaces."""
        lines, total, width = self.lines, len(self.lines), self.width
        found: list[str] = []
        parts = [words(start)] if start else []
        lead = 0
        self.at += 1
        while self.at < total:
            line = lines[self.at]
            rest = line.strip(SPACE)
            if not rest or (rest[0] in signs.STARTS and self._interrupts(rest)):
                break
            if self._is_table(rest):
                break
            if parts and not is_soft(lines[self.at - 1], line, width):
                found.append(" " * lead + " ".join(parts))
                parts = []
            if not parts:
                lead = max(0, indent_of(line) - column) if found else 0
            parts.append(words(rest))
            self.at += 1
        if parts:
            found.append(" " * lead + " ".join(parts))
        return tuple(found)

    def _interrupts(self, rest: str) -> bool:
        return signs.interrupts(rest, quoted=self.quote != (0, 0))

    # --- blocks of several lines -------------------------------------------------------------------------------------

    def _fenced(self, indent: int, fence: re.Match[str]) -> None:
        self.nesting.leave(indent)
        sign, info = (fence[1], fence[2]) if fence[1] else (fence[3], fence[4])
        at, end = self.at, self.at + 1
        while end < len(self.lines):
            rest = self.lines[end].strip(SPACE)
            if rest.startswith(sign) and not rest.strip(sign[0]):
                break
            end += 1
        body = tuple(dedented(line, indent) for line in self.source[at + 1 : end])
        self._add("code", words(info), body, at, depth=self.nesting.depth)
        self.at = end + 1

    def _deep(self, indent: int) -> bool:
        """Takes the lines from the current one on as code if they are indented like it and no wrapped prose."""
        self.nesting.leave(indent)
        base = self.nesting.column
        if indent < base + DEEP:
            return False
        at, end = self.at, self.at + 1
        while end < len(self.lines) and self.lines[end].strip(SPACE) and indent_of(self.lines[end]) >= base + DEEP:
            end += 1
        source = self.lines[at:end]
        if signs.is_prose(source, self.width):
            return False
        self.at = end
        self._code(at, end)
        return True

    def _code(self, at: int, end: int, *, bare: bool = False) -> None:
        """Adds lines as code, to the code before them if only blank lines are between."""
        depth = self.nesting.depth
        if self.code is not None and self.code[2] == depth and self.apart:
            self.code = (self.code[0], end, depth, self.code[3], bare or self.code[4])
            return
        self._flush()
        self.code = (at, end, depth, self.apart, bare)

    def _flush(self) -> None:
        """Makes a block of the lines of code that were gathered."""
        if self.code is None:
            return
        at, end, depth, apart, bare = self.code
        self.code = None
        source = [line.rstrip(SPACE) for line in self.lines[at:end]]
        shared = min(indent_of(line) for line in source if line)
        body = tuple(line[shared:] for line in source)
        self.blocks.append(Block("code", "", body, depth, self.quote, at=self.first + at, apart=apart, bare=bare))

    def _is_table(self, rest: str) -> bool:
        return "|" in rest and tables.marks(self.lines, self.at) is not None

    def _table(self, indent: int, rest: str) -> bool:
        if "|" not in rest or (mark := tables.marks(self.lines, self.at)) is None:
            return False
        self.nesting.leave(indent)
        rows = tables.rows(self.lines, self.at)
        flat = tuple(cell for row in rows for cell in row)
        self._add("table", mark, flat, self.at, depth=self.nesting.depth, shape=tuple(map(len, rows)))
        self.at += len(rows) + 1
        return True

    def _quotation(self, indent: int) -> None:
        """Takes all the lines that begin with ``>``, and parses what is behind, one depth at a time."""
        self._flush()
        self.nesting.leave(indent)
        depth, at, before = self.nesting.depth, self.at, len(self.blocks)
        runs: list[tuple[int, int, list[str]]] = []
        while self.at < len(self.lines) and self.lines[self.at].lstrip(SPACE)[:1] == ">":
            line = self.source[self.at].lstrip(SPACE)
            match = signs.QUOTE.match(line)
            marks = match[0].count(">") if match else 0
            if not runs or runs[-1][1] != marks:
                runs.append((self.at, marks, []))
            runs[-1][2].append(line[match.end() if match else 0 :])
            self.at += 1
        for start, marks, inner in runs:
            parser = _Parser(inner, (depth, marks), self.first + start)
            parser.apart = self.apart if start == at else False
            self.blocks += parser.run()
        if len(self.blocks) > before:
            self.blocks[before] = replace(self.blocks[before], opens=True)
