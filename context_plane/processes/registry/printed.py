"""Printed: what others say (commands, servers, models) as values that the log can hold, and no more than it may."""

from __future__ import annotations

import codecs
import math
import re
import threading
from typing import Any, Final

from context_plane.canonical import canonical
from context_plane.processes.registry.secrets import without_parts

KEEP: Final = 32 << 10
"""Bytes that are kept of each end of a stream."""
_SHARE: Final = 5
"""Four ends of two streams are at most four fifths of what an output may have."""


def keep_of(output_kb: float) -> int:
    """Bytes to keep of each end of a stream, for outputs of at most so many KiB of JSON."""
    return min(KEEP, int(output_kb * 1024) // _SHARE)


_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def clean(value: Any) -> Any:
    """A JSON value as the log takes it: no NUL, no lone surrogate, no number that is none."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value.replace("\0", ""))
    if isinstance(value, dict):
        return {clean(key): clean(each) for key, each in value.items()}
    if isinstance(value, list):
        return [clean(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def fitted(text: str, size: int) -> str:
    """The beginning of a text, as much as takes so many bytes as JSON: control characters take six times their own."""
    most = len(text)
    while most and (taken := _size(text[:most])) > size + 2:
        most = most * size // taken
    return text[:most]


class Printed:
    """A stream, of which the first and the last `keep` bytes are kept. Written by one thread, read by another."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0
        self._lock = threading.Lock()

    def add(self, part: bytes) -> None:
        """What was printed next."""
        with self._lock:
            room = self._keep - len(self._head)
            self._head += part[:room]
            self._tail += part[room:]
            if (over := len(self._tail) - self._keep) > 0:
                del self._tail[:over]
                self._left_out += over

    @property
    def whole(self) -> bool:
        """Whether all of it is kept."""
        return not self._left_out

    @property
    def head(self) -> bytes:
        """The first bytes; all of them where `whole` and shorter than `keep`."""
        with self._lock:
            return bytes(self._head)

    @property
    def text(self) -> str:
        """Both ends as text, and between them how much is left out. What is not UTF-8 is replaced, NULs are not there,
        an end never takes more than `keep` bytes as JSON, and where it is cut no part of a known secret is left."""
        with self._lock:
            head, tail, left_out = bytes(self._head), bytes(self._tail), self._left_out
        if not left_out and _size(whole := _decoded(head + tail)) <= 2 * self._keep:
            return whole
        # A cut may be inside a character: what is left of it is dropped rather than replaced.
        start = codecs.getincrementaldecoder("utf-8")("replace").decode(head)
        inside = next((at for at, byte in enumerate(tail[:3]) if byte & 0xC0 != 0x80), 3)
        tail = tail[inside:]
        before, after = without_parts(clean(start), end=True), without_parts(_decoded(tail), start=True)
        first, last = fitted(before, self._keep), fitted(after[::-1], self._keep)[::-1]
        left_out += len(head) + len(tail) - len(first.encode()) - len(last.encode())
        return f"{first}\n[… {max(left_out, 0):,} bytes left out …]\n{last}"


def _decoded(raw: bytes) -> str:
    return str(clean(raw.decode("utf-8", "replace")))


def _size(text: str) -> int:
    return len(canonical(text))
