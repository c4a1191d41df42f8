"""The body of the mode ``exact``: every byte of a text, said with fewer tokens.

Here belongs what stands for what: a line too long for the text's width for the paragraph it is wrapped into, ``§p`` for
another page break like the one before, ``§|`` before a line that is neither. References to what is repeated come after
(`legend`). Lines end in LF; whatever else is at their end belongs to them.
"""

from __future__ import annotations

import re
from typing import Final

from context_plane.ctx.prose.furniture import PageBreak, last_page_break, page_breaks
from context_plane.ctx.prose.lines import SPACE
from context_plane.ctx.prose.wrapping import Layout
from context_plane.errors import InputError

LITERAL: Final = "§|"
_PAGE: Final = re.compile(r"§p(\d{0,2})")
_NUMBER: Final = re.compile(r"( *)\[Page (\d+)\]")


def compressed(lines: list[str], layout: Layout) -> list[str]:
    """The lines that stand for `lines`."""
    out: list[str] = []
    at = 0
    before: list[str] | None = None
    for found in page_breaks(lines) if any("\f" in line for line in lines) else ():
        out += _paragraphs(lines[at : found.start], layout)
        this = lines[found.start : found.end]
        out += _page(before, this, found, layout)
        before, at = _whole(lines, found), found.end
    return out + _paragraphs(lines[at:], layout)


def restored(lines: list[str], layout: Layout, first_line: int = 1) -> list[str]:
    """The lines that `lines` stand for. Raises `InputError` with the line for a page break without one before."""
    out: list[str] = []
    for number, line in enumerate(lines, first_line):
        if line.startswith(LITERAL):
            out.append(line[len(LITERAL) :])
        elif line.startswith("§"):
            page, before = _PAGE.fullmatch(line), last_page_break(out)
            if page is None or before is None:
                raise _unknown(line, number)
            out += _next_page(out[before.start : before.end], page[1])
        elif layout.is_wrapped(line):
            out += layout.wrapped(line)
        else:
            out.append(line)
    return out


def _unknown(line: str, number: int) -> InputError:
    return InputError(
        f"{line[:20]!r} stands for nothing here",
        where=f"line {number}",
        remedy="decode the text as it was encoded: a line begins with § only as §|, or as §p behind a page break",
    )


def _paragraphs(lines: list[str], layout: Layout) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(lines):
        end = at
        while end < len(lines) and lines[end].strip(SPACE):
            end += 1
        out += _paragraph(lines[at:end], layout)
        if end < len(lines):
            out.append(_literal(lines[end], layout))
        at = end + 1
    return out


def _paragraph(lines: list[str], layout: Layout) -> list[str]:
    """The lines of a paragraph: put together as a whole, or those behind its first line, or as they are."""
    joined = layout.joined(lines)
    if joined is not None:
        return [joined]
    if len(lines) > 2 and (joined := layout.joined(lines[1:])) is not None:
        return [_literal(lines[0], layout), joined]
    return [_literal(line, layout) for line in lines]


def _literal(line: str, layout: Layout) -> str:
    return LITERAL + line if line.startswith("§") or layout.is_wrapped(line) else line


def _page(before: list[str] | None, this: list[str], found: PageBreak, layout: Layout) -> list[str]:
    """A page break: ``§p``, with the number of blank lines before the footer where it is another than last time."""
    blank = found.footer - found.start
    if before is not None:
        for code in ("", str(blank)):
            if _next_page(before, code) == this:
                return [f"§p{code}"]
    return [_literal(line, layout) for line in this]


def _whole(lines: list[str], found: PageBreak) -> list[str]:
    """A page break with all the blank lines before it, as a decoder sees it: some may be those behind the last one."""
    start = found.start
    while start > 0 and not lines[start - 1].strip(SPACE):
        start -= 1
    return lines[start : found.end]


def _next_page(before: list[str], blank: str) -> list[str]:
    """The page break after another: its number one higher, in the same column."""
    footer = next(at for at, line in enumerate(before) if line.strip(SPACE))
    lead = before[:footer] if not blank else [""] * int(blank)

    def next_number(match: re.Match[str]) -> str:
        number = str(int(match[2]) + 1)
        space = " " * max(0, len(match[1]) - len(number) + len(match[2]))
        return f"{space}[Page {number}]"

    return [*lead, _NUMBER.sub(next_number, before[footer], count=1), *before[footer + 1 :]]
