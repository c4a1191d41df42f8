"""CloudEvents in: from a file, a stream, a list or an iterator, each item with the place where it stood.

Here belong bytes, lines and JSON. What an event must hold is decided in `events`; foreign columns are `mapping`'s. A
line that cannot be read is yielded as `Bad`, so that its neighbours are not lost; a source that is cut off, damaged or
inflated without end raises, so that nobody takes the part for the whole.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, Final, TypeGuard

from context_plane.errors import InputError
from context_plane.log import arrays, strict
from context_plane.log.compressed import CHUNK, Expansion, plain

MAX_EVENT_BYTES: Final = 4 * 1024 * 1024
_SHOWN: Final = 1_000
_BLANKS: Final = b" \t\r\n"

Source = str | os.PathLike[str] | IO[bytes] | Iterable[Any]


@dataclass(frozen=True, slots=True)
class Bad:
    """An item that could not be read; `raw` is its text, shortened where it was too long to be read at all."""

    line: int
    reason: str
    raw: str


def read_events(
    source: Source, *, max_event_bytes: int = MAX_EVENT_BYTES, expansion: Expansion | None = None
) -> Iterator[tuple[int, Any]]:
    """The events of a source as ``(line, value)``, where a value that could not be read is a `Bad`.

    `source` is a path (``-`` for standard input), an open binary file, or an iterable of dicts and JSON texts. Files
    hold one event per line, or one JSON array (also a CloudEvents batch), which its first character decides; both may
    be compressed with gzip or zstd, whatever their name. Lines are streamed in constant memory, and so are the items of
    an array. `line` counts from 1: lines of JSONL, items of arrays and iterables. Blank lines are skipped.
    Raises `InputError` for a source that cannot be read, is cut off or damaged, expands beyond `expansion`, or is an
    array that breaks off.
    """
    if isinstance(source, (str, os.PathLike)) or _is_file(source):
        where, chunks = open_chunks(source)
        yield from _from_bytes(plain(chunks, where, expansion), where, max_event_bytes)
    elif isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray, dict)):
        for number, item in enumerate(source, 1):
            yield number, _from_item(number, item, max_event_bytes)
    else:
        raise InputError(
            f"{type(source).__name__} is not a source of events",
            where="events",
            remedy="pass a path, a file opened in binary mode, or a list of events",
        )


def open_chunks(source: str | os.PathLike[str] | IO[bytes]) -> tuple[str, Iterator[bytes]]:
    """What a file is called in errors, and its bytes in chunks. A file that was opened here is closed at the end."""
    if _is_file(source):
        return str(getattr(source, "name", "stream")), _chunks(source, str(getattr(source, "name", "stream")))
    path = os.fspath(source)  # type: ignore[arg-type]
    if path == "-":
        return "standard input", _chunks(sys.stdin.buffer, "standard input")
    return path, _file_chunks(path)


def _is_file(source: Any) -> TypeGuard[IO[bytes]]:
    return hasattr(source, "read")


def _file_chunks(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            yield from _chunks(file, path)
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(what, where=path[:200], remedy="check the path") from error


def _chunks(file: IO[bytes], where: str) -> Iterator[bytes]:
    read = getattr(file, "read1", file.read)  # of a pipe, what is there already
    while chunk := read(CHUNK):
        if not isinstance(chunk, bytes):
            raise InputError("the file gives text", where=where, remedy="open it in binary mode")
        yield chunk


def _from_item(number: int, item: Any, limit: int) -> Any:
    if not isinstance(item, (str, bytes)):
        return item
    try:
        raw = item.encode() if isinstance(item, str) else item
    except UnicodeEncodeError as error:
        return Bad(number, f"a lone surrogate, column {error.start + 1}", ascii(item)[:_SHOWN])
    return _parse(number, raw, limit)


def _from_bytes(stream: Iterator[bytes], where: str, limit: int) -> Iterator[tuple[int, Any]]:
    head = b""
    while (chunk := next(stream, None)) is not None:
        head += chunk
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise InputError("the file is UTF-16", where=where, remedy="save it as UTF-8")
        if len(head) < 3 and codecs.BOM_UTF8.startswith(head):
            continue
        head = head.removeprefix(codecs.BOM_UTF8)
        if head.strip(_BLANKS) or len(head) > CHUNK:
            break
    rest = chain([head], stream)
    if head.lstrip(_BLANKS).startswith(b"["):
        return (_from_array(number, item, limit) for number, item in arrays.items(rest, where, limit))
    return _one_or_lines(rest, limit)


def _from_array(number: int, item: arrays.Item, limit: int) -> tuple[int, Any]:
    if item.raw is None:
        return number, item.value
    found = _parse(number, item.raw.encode(), limit)
    if isinstance(found, Bad):
        return number, Bad(number, f"item {number}, line {item.line}: {found.reason}", found.raw)
    return number, found


def _one_or_lines(stream: Iterator[bytes], limit: int) -> Iterator[tuple[int, Any]]:
    """JSONL, or one event over several lines as editors and `jq` write it. Which, is known with the first line where
    that holds a value; where it does not, the rest is held up to the limit."""
    held = b""
    for chunk in stream:
        held += chunk
        first, newline, _ = held.lstrip(_BLANKS).partition(b"\n")
        if len(held) > limit or (newline and _end_of_value(first) is not None):
            break
    else:
        one = held.strip(_BLANKS)
        end = _end_of_value(one)
        if end is not None and end == len(one.decode()):
            number = 1 + held[: held.index(one[:1])].count(b"\n")
            yield number, _parse(number, one, limit)
            return
    yield from _lines(chain([held], stream), limit)


def _end_of_value(text: bytes) -> int | None:
    """Where the value that the text begins with ends, in characters; `None` where it does not, or is none."""
    try:
        return strict.end_of_value(text.decode(), 0)
    except UnicodeDecodeError:
        return None


def _lines(stream: Iterable[bytes], limit: int) -> Iterator[tuple[int, Any]]:
    """JSONL. Of a line beyond the limit only the beginning is ever held."""
    tail, dropped, number = b"", 0, 1
    for chunk in chain(stream, [b"\n"]):
        lines = chunk.split(b"\n")
        if len(lines) > 1 and (tail or dropped):
            lines[0] = tail + lines[0] if not dropped else lines[0]
        for line in lines[:-1]:
            if dropped:
                yield number, _too_long(number, tail, dropped + len(line), limit)
                tail, dropped = b"", 0
            elif line and not line.isspace():
                yield number, _parse(number, line, limit)
            number += 1
        if dropped:
            dropped += len(lines[-1])
        else:
            tail = lines[-1] if len(lines) > 1 else tail + lines[-1]
            if len(tail) > limit:
                tail, dropped = tail[:_SHOWN], len(tail)


def _parse(number: int, line: bytes, limit: int) -> Any:
    if len(line) > limit:
        return _too_long(number, line, len(line), limit)
    try:
        return strict.loads(line.decode())
    except UnicodeDecodeError as error:
        return Bad(number, f"not UTF-8, byte {error.start + 1}", line.decode(errors="replace"))
    except strict.NotJSON as error:
        return Bad(number, str(error), line.decode())


def _too_long(number: int, start: bytes, size: int, limit: int) -> Bad:
    reason = f"the event has {size:,} bytes, {limit:,} are allowed; raise max_event_bytes or send a reference"
    return Bad(number, reason, start[:_SHOWN].decode(errors="replace"))
