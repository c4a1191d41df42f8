"""Decoding: a JSON value out of its CTX, from the text alone.

Here belongs what a line of a document may be. Errors name the line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from context_plane.ctx.data import flow, repeats
from context_plane.ctx.data.columns import Codec, Words
from context_plane.ctx.data.frames import Frame
from context_plane.ctx.data.heads import read_codec, read_head
from context_plane.ctx.data.marks import MARKS, Marks
from context_plane.ctx.data.scalars import UNSAFE
from context_plane.errors import InputError

_FOREIGN: Final = re.compile(f"[{UNSAFE}](?<!\t)")
_SAID: Final = re.compile(r"&([0-9]{1,6}):")
_COUNT: Final = re.compile(r"\[([0-9]{1,9})(?=[:\]\t|;])")
_TABLE_FOLLOWS: Final = re.compile(r"\[[0-9]{1,9}(?::[^\n]*?)?[\t|;]?\][{<]")
_ITEMS_FOLLOW: Final = re.compile(r"\[[0-9]{1,9}\]:$")
_TAG_HEAD: Final = re.compile(r"([A-Za-z][\w.-]*)\{")


def decode(text: str) -> Any:
    """The value of a CTX document. Raises `InputError` with line and reason."""
    reader = _Reader(text.split("\n"))
    try:
        return reader.whole()
    except (ValueError, RecursionError) as error:
        remedy = "the text was cut or changed: encode the original again"
        raise InputError(f"no CTX: {error}", where=f"line {reader.at + 1}", remedy=remedy) from error


class _Reader:
    """Lines, and the one that is next."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def whole(self) -> Any:
        """The value of all lines, references resolved. Raises `ValueError`."""
        texts: dict[int, str] = {}
        while self.at < len(self.lines) and (said := _SAID.match(self.lines[self.at])):
            text, end = flow.scan(self.lines[self.at], said.end())
            if not isinstance(text, str) or end != len(self.lines[self.at]) or int(said[1]) in texts:
                raise ValueError("expected one string, under a number of its own")
            texts[int(said[1])] = text
            self.at += 1
        value = self.document()
        return repeats.resolved(value, texts) if texts or any("*" in line for line in self.lines) else value

    def document(self) -> Any:
        """The value of the lines that follow. Raises `ValueError`."""
        if self.at == len(self.lines):
            raise ValueError("expected a document")
        first = self.lines[self.at]
        if _TABLE_FOLLOWS.match(first):
            self.check()
            value = self.table(first, 0)
        elif _ITEMS_FOLLOW.match(first):
            self.check()
            value = self.items(first, 0, 0)
        elif first[:1] in ("{", "[") or not _is_member(first):
            whole = "\n".join(self.lines[self.at :])
            value, end = flow.scan(whole)
            if whole[end:].strip(" \t\r\n"):
                raise ValueError(f"{whole[end : end + 40]!r} follows the value")
            return value
        else:
            self.check()
            value = self.members(0)
        if any(self.lines[self.at :]):
            raise ValueError(f"{self.lines[self.at][:40]!r} follows the document")
        return value

    def check(self) -> None:
        """Raises `ValueError` for a character that no line may hold, such as those of another system's line ends."""
        for number, line in enumerate(self.lines):
            found = _FOREIGN.search(line)
            if found is not None:
                self.at = number
                raise ValueError(f"the character U+{ord(found[0]):04X} at {found.start() + 1} is never written so")

    def members(self, depth: int, *, first: bool = False) -> dict[str, Any]:
        """The members of an object whose lines are indented so far; the `first` has a dash in place of a space."""
        found: dict[str, Any] = {}
        indent = " " * depth
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not first and (not line.startswith(indent) or line[depth : depth + 1] in (" ", "-")):
                break
            first = False
            self.line(line, depth, found)
        return found

    def items(self, line: str, at: int, depth: int) -> list[Any]:
        """The items of a list, each of which begins with a dash at the depth of the line that announces them."""
        count = int(line[at + 1 : line.index("]", at)])
        self.at += 1
        found: list[Any] = []
        dash = f"{' ' * depth}-"
        for _ in range(count):
            line = self.lines[self.at] if self.at < len(self.lines) else ""
            if not line.startswith(dash):
                raise ValueError(f"{count} items are announced, {len(found)} are there")
            if _is_member(line[depth + 1 :]):
                item = self.members(depth + 1, first=True)
            else:
                item, end = flow.scan(line, depth + 1)
                if end != len(line):
                    raise ValueError(f"expected nothing after character {end}")
                self.at += 1
            found.append(item)
        return found

    def line(self, line: str, at: int, found: dict[str, Any]) -> None:
        """The members of one line, and of those below that belong to its last."""
        depth = at
        while True:
            name, at = flow.scan_name(line, at)
            if name in found:
                raise ValueError(f"the key {name[:40]!r} is there twice")
            if _TABLE_FOLLOWS.match(line, at):
                found[name] = self.table(line, at)
                return
            if _ITEMS_FOLLOW.match(line, at):
                found[name] = self.items(line, at, depth)
                return
            if line[at : at + 1] != ":":
                raise ValueError(f"expected : at character {at + 1}")
            if at + 1 == len(line):
                self.at += 1
                found[name] = self.members(depth + 1)
                return
            found[name], at = flow.scan(line, at + 1)
            if at == len(line):
                self.at += 1
                return
            if line[at] != ",":
                raise ValueError(f"expected , at character {at + 1}")
            at += 1

    def table(self, line: str, at: int) -> Any:
        """The table whose head begins at a place of the line."""
        count = _COUNT.match(line, at)
        assert count is not None
        number, at = int(count[1]), count.end()
        keyed = line[at] == ":"
        marks = _marks(line, at)
        codec: Codec | None = None
        if keyed:
            codec, at = _key_codec(line, at + 1, marks)
        if line[at] == marks.cell and marks.cell != ",":
            at += 1
        if line[at : at + 1] != "]":
            raise ValueError(f"expected ] at character {at + 1}")
        if line[at + 1 : at + 2] == "<":
            return self.kinds(line, at + 2, number, codec, marks)
        frame, end = read_head(line, at + 2, marks)
        if line[end:] != ":":
            raise ValueError(f"expected : at character {end + 1}, and nothing after it")
        self.at += 1
        rows = [marks.row(each) for each in self.take(number)]
        keys, rows = _keys_apart(codec, rows)
        return _named(keys, frame.rows(rows))

    def kinds(self, line: str, at: int, count: int, codec: Codec | None, marks: Marks) -> Any:
        """A table of several kinds, after its first line."""
        by = None
        if line[at : at + 1] != ">":
            by, at = flow.scan_name(line.replace(">", ":"), at)
        if line[at:] != ">":
            raise ValueError(f"expected > at character {at + 1}, and nothing after it")
        frames: dict[str, Frame] = {}
        while True:
            self.at += 1
            head = self.lines[self.at] if self.at < len(self.lines) else ""
            tag = _TAG_HEAD.match(head)
            if tag is None:
                raise ValueError("expected the head of a kind of rows")
            frames[tag[1]], end = read_head(head, tag.end(), marks)
            if head[end:] == ":":
                break
            if head[end:]:
                raise ValueError(f"expected nothing after character {end}")
        self.at += 1
        cells = [marks.row(each) for each in self.take(count)]
        tags = [row[0] for row in cells]
        keys, rest = _keys_apart(codec, [row[1:] for row in cells])
        found: list[Any] = [None] * count
        for name, frame in frames.items():
            numbers = [number for number, each in enumerate(tags) if each == name]
            for number, row in zip(numbers, frame.rows([rest[number] for number in numbers]), strict=True):
                found[number] = row if by is None else {by: name, **row}
        if None in found:
            raise ValueError(f"there is no kind {tags[found.index(None)][:40]!r}")
        return _named(keys, found)

    def take(self, count: int) -> Sequence[str]:
        """The next lines. Raises `ValueError` where there are fewer."""
        lines = self.lines[self.at : self.at + count]
        if len(lines) < count:
            raise ValueError(f"{count} rows are announced, {len(lines)} are there")
        self.at += count
        return lines


def _is_member(line: str) -> bool:
    """Whether a line is a member of an object rather than a scalar."""
    try:
        _, at = flow.scan_name(line, 0)
    except ValueError:
        return False
    return line[at : at + 1] == ":" or bool(_TABLE_FOLLOWS.match(line, at) or _ITEMS_FOLLOW.match(line, at))


def _marks(line: str, at: int) -> Marks:
    """The marks that a head names before its bracket closes."""
    close = re.compile(r"([\t|;]?)\][{<]").search(line, at)
    assert close is not None
    return MARKS[close[1] or ","]


def _key_codec(line: str, at: int, marks: Marks) -> tuple[Codec, int]:
    if line[at : at + 1] == "<":
        return read_codec(line, at, marks)
    return Words(""), at


def _keys_apart(codec: Codec | None, rows: list[list[str]]) -> tuple[list[str] | None, list[list[str]]]:
    if codec is None:
        return None, rows
    return codec.values([row[0] for row in rows]), [row[1:] for row in rows]


def _named(keys: list[str] | None, rows: list[Any]) -> Any:
    if keys is None:
        return rows
    if len(set(keys)) < len(keys):
        raise ValueError("a key is there twice")
    return dict(zip(keys, rows, strict=True))
