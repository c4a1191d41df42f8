"""Compressed bytes: whole or refused, whatever the name says, and never more than was agreed."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import InputError
from context_plane.log.compressed import Expansion, plain

TEXT = b"".join(b"line %d of a small file\n" % number for number in range(20))


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def _read(data: bytes, size: int = 7, expansion: Expansion | None = None) -> bytes:
    return b"".join(plain(_pieces(data, size), "x", expansion))


def _read_or_refusal(data: bytes, size: int = 7) -> bytes | InputError:
    try:
        return _read(data, size)
    except InputError as error:
        return error


def _zstd(data: bytes, *, sized: bool = True, checksum: bool = True) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=sized, write_checksum=checksum).compress(data)


_SKIPPED = struct.pack("<II", 0x184D2A50, 5) + b"hello"
WHOLE = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "gzip members": gzip.compress(TEXT[:100]) + gzip.compress(b"") + gzip.compress(TEXT[100:]),
    "gzip padded": gzip.compress(TEXT) + b"\0" * 512,
    "gzip padding between": gzip.compress(TEXT[:9]) + b"\0" * 3 + gzip.compress(TEXT[9:]),
    "zstd": _zstd(TEXT),
    "zstd unsized": _zstd(TEXT, sized=False, checksum=False),
    "zstd frames": _zstd(TEXT[:50]) + _zstd(TEXT[50:], sized=False),
    "zstd skippable first": _SKIPPED + _zstd(TEXT),
    "zstd skippable last": _zstd(TEXT) + _SKIPPED,
    "zstd in gzip": gzip.compress(_zstd(TEXT)),
    "gzip in zstd": _zstd(gzip.compress(TEXT)),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("size", [1, 3, 64, 100_000])
def test_whole_data_is_read_whatever_the_pieces(name: str, size: int) -> None:
    """Members, frames, padding and layers are what the formats allow."""
    assert _read(WHOLE[name], size) == TEXT


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "plain"])
def test_a_cut_at_any_byte_is_an_error(name: str) -> None:
    """Except where the cut falls between two frames, which leaves a whole file."""
    data = WHOLE[name]
    whole = [TEXT[:100], TEXT[:9], TEXT[:50], TEXT, b""]
    for end in range(4, len(data)):
        found = _read_or_refusal(data[:end])
        if isinstance(found, InputError):
            assert found.where == "x"
            assert "cut off" in found.what or "damaged" in found.what
        else:
            assert found in whole
            assert "members" in name or "frames" in name or "padd" in name or "skippable" in name


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_any_flipped_byte_is_an_error_or_harmless(name: str) -> None:
    """Both formats carry a checksum of the content; a header byte may change without changing it."""
    data = WHOLE[name]
    for at in range(4, len(data)):
        broken = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
        assert isinstance(found := _read_or_refusal(broken), InputError) or found == TEXT


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(TEXT) + b"junk", "damaged gzip"),
        (_zstd(TEXT) + b"junk", "damaged zstd"),
        (gzip.compress(gzip.compress(gzip.compress(TEXT))), "compressed more than 2 times"),
        (_SKIPPED[:-1], "cut off"),
    ],
)
def test_what_follows_or_nests_too_far_is_refused(data: bytes, message: str) -> None:
    """Nothing is ignored silently."""
    with pytest.raises(InputError, match=message):
        _read(data)


@pytest.mark.parametrize("kind", ["gzip", "zstd", "zstd fed slowly"])
def test_a_bomb_is_stopped_in_bounded_memory(kind: str) -> None:
    """200 MB of zeros in a few kB stop at the limit, and what is held meanwhile stays far below it."""
    size = 200_000_000
    if kind == "gzip":
        compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = b"".join(compressor.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + compressor.flush()
    else:
        stream = zstandard.ZstdCompressor().compressobj()
        bomb = b"".join(stream.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + stream.flush()
    assert len(bomb) < 300_000
    tracemalloc.start()
    with pytest.raises(InputError, match=r"grows to more than \d+ times .*decompress it yourself"):
        for _ in plain(_pieces(bomb, 64 if "slowly" in kind else 1_000_000), "x", Expansion(200, 64_000_000)):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64_000_000


def test_the_limit_is_the_callers() -> None:
    """A file that is small, or that may grow, is read."""
    bomb = gzip.compress(bytes(1_000_000))
    assert len(_read(bomb)) == 1_000_000
    assert len(_read(bomb, expansion=Expansion(ratio=2_000, beyond=0))) == 1_000_000
    with pytest.raises(InputError, match="2 times are allowed"):
        _read(bomb, expansion=Expansion(ratio=2, beyond=0))


@given(st.lists(st.tuples(st.binary(max_size=60), st.booleans()), min_size=1, max_size=4), st.integers(1, 50))
def test_concatenated_frames_are_their_concatenation(frames: list[tuple[bytes, bool]], size: int) -> None:
    """For both formats and any piece size; content that looks compressed itself is another layer."""
    expected = b"".join(data for data, _ in frames)
    for compress in (lambda data, _: gzip.compress(data), lambda data, sized: _zstd(data, sized=sized)):
        compressed = b"".join(compress(data, sized) for data, sized in frames)
        if not expected.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
            assert _read(compressed, size) == expected


@given(st.binary(max_size=100), st.integers(1, 20))
def test_any_bytes_are_read_or_refused(data: bytes, size: int) -> None:
    """Bytes that only begin like a compressed file are an `InputError`."""
    for prefix in (b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"):
        found = _read_or_refusal(prefix + data, size)
        assert isinstance(found, bytes) or found.remedy
