"""Bytes of a source, decompressed: by what is in it and not by its name, in bounded memory, and whole or not at all.

Here belong gzip and zstd. Their usual readers end silently where a file was cut off, and inflate whatever they are
given; here the end of the input must be the end of a frame, and what a small file may grow to is limited.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from context_plane.errors import InputError

if TYPE_CHECKING:
    from zstandard import ZstdDecompressionObj

CHUNK: Final = 256 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = b"\x2a\x4d\x18"  # behind a first byte from 0x50 to 0x5f
_LAYERS: Final = 2  # x.jsonl.gz that was compressed again
_MAX_WINDOW: Final = 1 << 27  # what `zstd --ultra` may need; beyond it a frame asks for more memory than we give
# Four bytes can become a block of 128 KiB, so the input is fed in pieces that become 16 MiB at most.
_ZSTD_PIECE: Final = 512
_REMEDY_WHOLE: Final = "fetch or write the file again; nothing of it was stored"
_Inflate = Callable[[Iterator[bytes], str], Iterator[bytes]]


@dataclass(frozen=True)
class Expansion:
    """How far a compressed source may grow: more than `beyond` bytes only at up to `ratio` times its size."""

    ratio: int = 200
    beyond: int = 256 * 1024 * 1024


def plain(chunks: Iterable[bytes], where: str, expansion: Expansion | None = None) -> Iterator[bytes]:
    """The decompressed bytes of a source given in chunks; bytes that are not compressed pass through.

    Raises `InputError` while iterating for a truncated or damaged source and for one that grows beyond `expansion`.
    """
    allowed = expansion or Expansion()
    stream = iter(chunks)
    for _ in range(_LAYERS + 1):
        head, stream = _peek(stream)
        if head.startswith(_GZIP):
            stream = _bounded(_gunzip, stream, where, allowed)
        elif head.startswith(_ZSTD) or (head[1:4] == _SKIPPABLE and 0x50 <= head[0] <= 0x5F):
            stream = _bounded(_unzstd, stream, where, allowed)
        else:
            return stream
    raise InputError(f"compressed more than {_LAYERS} times", where=where, remedy="decompress it first")


def _peek(stream: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first four bytes, and the stream with them put back."""
    taken: list[bytes] = []
    while sum(map(len, taken)) < 4 and (chunk := next(stream, None)) is not None:
        taken.append(chunk)
    return b"".join(taken)[:4], chain(taken, stream)


def _bounded(inflate: _Inflate, stream: Iterator[bytes], where: str, allowed: Expansion) -> Iterator[bytes]:
    """`inflate` over the stream, counting what goes in and comes out."""
    read = written = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for chunk in stream:
            read += len(chunk)
            yield chunk

    for piece in inflate(counted(), where):
        written += len(piece)
        if written > allowed.beyond and written > allowed.ratio * read:
            raise InputError(
                f"grows to more than {written // max(read, 1)} times its size when decompressed",
                where=where,
                remedy=f"beyond {allowed.beyond:,} bytes {allowed.ratio} times are allowed: decompress it yourself",
            )
        yield piece


def _gunzip(stream: Iterator[bytes], where: str) -> Iterator[bytes]:
    frame = zlib.decompressobj(wbits=31)
    fresh = True  # nothing of this member was read yet
    try:
        for chunk in stream:
            data = chunk
            while data:
                if frame.eof:
                    data = data.lstrip(b"\0") if fresh else data  # tape padding may follow a member
                    if not data:
                        break
                    frame = zlib.decompressobj(wbits=31)
                piece = frame.decompress(data, CHUNK)
                data = frame.unused_data if frame.eof else frame.unconsumed_tail
                fresh = frame.eof
                if piece:
                    yield piece
    except zlib.error as error:
        raise InputError(f"damaged gzip: {error}", where=where, remedy=_REMEDY_WHOLE) from error
    if not frame.eof:
        raise _truncated("gzip", where)


def _unzstd(stream: Iterator[bytes], where: str) -> Iterator[bytes]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    frame: ZstdDecompressionObj | None = None
    try:
        for chunk in stream:
            for start in range(0, len(chunk), _ZSTD_PIECE):
                data = chunk[start : start + _ZSTD_PIECE]
                while data:
                    frame = frame or decompressor.decompressobj()
                    piece = frame.decompress(data)
                    data = frame.unused_data if frame.eof else b""
                    frame = None if frame.eof else frame
                    if piece:
                        yield piece
    except zstandard.ZstdError as error:
        raise InputError(f"damaged zstd: {error}", where=where, remedy=_REMEDY_WHOLE) from error
    if frame is not None:
        raise _truncated("zstd", where)


def _truncated(kind: str, where: str) -> InputError:
    return InputError(f"the {kind} data is cut off", where=where, remedy=_REMEDY_WHOLE)
