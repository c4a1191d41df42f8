"""JSON arrays as streams: one item after the other, in the memory of the largest.

Here belongs finding where an item ends. What an item may be, and what is done with a bad one, is `readers`'; a single
value's text is `strict`'s.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from context_plane.errors import InputError
from context_plane.log import strict
from context_plane.log.compressed import CHUNK

_MAX_ITEM_CHARS: Final = 64 * 1024 * 1024  # an item that is longer cannot be told from a broken array
_BLANK: Final = re.compile(r"[ \t\n\r]*")
_BROKEN: Final = "repair the file, or send one event per line: then a bad line costs one line"


class Item(NamedTuple):
    """An item: its value or, where it may have to be refused, its text and line."""

    value: Any
    raw: str | None = None
    line: int = 0


def items(stream: Iterable[bytes], where: str, limit: int) -> Iterator[tuple[int, Item]]:
    """The items of the one JSON array in a stream of bytes, numbered from 1; those beyond `limit` characters as text.

    Raises `InputError` where items cannot be told apart any more, so that what follows is unknown.
    """
    text = _Text(stream, where)
    text.skip()
    text.at += 1  # the bracket
    number = 0
    while text.skip() != "]":
        if number:
            if text.peek() != ",":
                raise text.error(f"expected , or ] behind item {number}")
            text.at += 1
            text.skip()
        number += 1
        yield number, _item(text, number, limit)
    text.at += 1
    if text.skip():
        raise text.error("something follows the end of the array")


def _item(text: _Text, number: int, limit: int) -> Item:
    """The item at the text's position, which moves behind it."""
    start = text.at
    try:
        value, end = strict.scan(text.held, start)
        # A number at the end of what is held may go on in the next chunk.
        if end < len(text.held) and end - start <= limit:
            text.at = end
            return Item(value)
    except strict.NotJSON:
        pass  # more of it may have to be read, or it is well-formed and refused all the same
    end = _end_of_item(text, number)
    raw, line, text.at = text.held[text.at : end], text.line(), end
    return Item(None, raw, line)


def _end_of_item(text: _Text, number: int) -> int:
    while True:
        end = strict.end_of_value(text.held, text.at)
        if end is not None and (end < len(text.held) or text.ended):
            return end
        if text.ended or len(text.held) - text.at > _MAX_ITEM_CHARS:
            raise text.error(f"item {number}: {strict.why(text.held, text.at)}")
        text.more()


class _Text:
    """A window on decoded text: what was read and not yet used, from `at` on."""

    def __init__(self, stream: Iterable[bytes], where: str) -> None:
        self._stream = iter(stream)
        self._where = where
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._lines = 1  # up to the beginning of `held`
        self.held = ""
        self.at = 0
        self.ended = False

    def more(self) -> None:
        """Doubles what is held, so that an item that spans many chunks is not scanned once per chunk."""
        self._lines += self.held.count("\n", 0, self.at)
        parts = [self.held[self.at :]]
        size = max(len(parts[0]), CHUNK)
        while size > 0 and not self.ended:
            chunk = next(self._stream, None)
            self.ended = chunk is None
            try:
                parts.append(self._decoder.decode(chunk or b"", final=self.ended))
            except UnicodeDecodeError as error:
                raise InputError("the array is not UTF-8", where=self._where, remedy="save it as UTF-8") from error
            size -= len(parts[-1])
        self.held, self.at = "".join(parts), 0

    def skip(self) -> str:
        """Moves behind blanks; the character there, or nothing at the end."""
        while True:
            blank = _BLANK.match(self.held, self.at)
            assert blank is not None
            self.at = blank.end()
            if self.at < len(self.held) or self.ended:
                return self.peek()
            self.more()

    def peek(self) -> str:
        """The character at the position, or nothing at the end."""
        return self.held[self.at : self.at + 1]

    def line(self) -> int:
        """The line of the position, from 1."""
        return self._lines + self.held.count("\n", 0, self.at)

    def error(self, what: str) -> InputError:
        """The array is broken here."""
        return InputError(f"the array is broken: {what}", where=f"{self._where}, line {self.line()}", remedy=_BROKEN)
