"""Reading: bytes of a file to plain values, with the place of every one of them.

Here belongs what YAML alone decides: encoding, syntax, limits, and what we refuse of it (aliases, tags, merge keys,
duplicate keys, keys that are not text). What keys mean is `shapes`' to say. A fault in one document does not hide those
of the others: after one that is no YAML, reading goes on at the next ``---``.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import Final

from context_plane.processes.language.building import Builder, Stopped
from context_plane.processes.language.diagnostic import Diagnostic, Place
from context_plane.processes.language.findings import Findings
from context_plane.processes.language.marks import Document
from context_plane.store.disk import read_all
from context_plane.yamls import MAX_BYTES

_NEXT: Final = re.compile(r"^---(?=\s|\Z)", re.M)
_NAMED: Final = re.compile(r"^(process|interface|action|gate)[ \t]*:[ \t]*[\"']?([a-z][a-z0-9_.]*)", re.M)
_FORBIDDEN: Final = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff")
_PLAIN: Final = bytes((0x09, 0x0A, 0x0D, *range(0x20, 0x7F)))
_BREAKS: Final = re.compile("[\x85\u2028\u2029]")
_LINE: Final = re.compile(r"\r\n|\r|\n")
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, eq=False)
class Reading:
    """The documents of a file, and what is wrong with it as YAML."""

    text: str
    documents: tuple[Document, ...]
    lost: frozenset[tuple[str, str]]
    """Kinds and names of what could not be read: other files may refer to them."""
    findings: tuple[Diagnostic, ...]


def fetch(path: str) -> bytes:
    """The bytes of a file, of one that is too large only so many that this is seen. Raises `OSError`."""
    # Opened without waiting: a pipe that nobody writes to would hang.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("it is not a file")
        return read_all(fd, 0, MAX_BYTES + 1)
    finally:
        os.close(fd)


def read(raw: bytes, file: str) -> Reading:
    """The documents in the bytes of a file. Raises nothing."""
    findings = Findings(file)
    text = _decoded(raw, findings)
    if text is None:
        return _reading(raw.decode("latin-1"), (), findings)
    builder = Builder(text, findings)
    lost = []
    start: int | None = 0
    while start is not None:
        stopped = builder.build(start)
        if stopped is None:
            break
        start = None if stopped.final else _next_document(text, stopped)
        lost.append(text[stopped.start : start])
    if not builder.documents and not findings.found:
        findings.put("empty-file", Place(file), "the file has no document", "write one, or remove the file")
    return _reading("\n".join(lost), tuple(builder.documents), findings, text)


def _reading(lost: str, documents: tuple[Document, ...], findings: Findings, text: str = "") -> Reading:
    names = frozenset((kind, name) for kind, name in _NAMED.findall(lost))
    return Reading(text, documents, names, tuple(findings.found))


def located(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of a character of a text."""
    line, begin = 1, 0
    for found in _LINE.finditer(text, 0, index):
        line, begin = line + 1, found.end()
    return line, index - begin + 1


def _decoded(raw: bytes, findings: Findings) -> str | None:
    if len(raw) > MAX_BYTES:
        what = "the file is larger than 1 MiB"
        findings.put("yaml-too-large", Place(findings.file), what, "divide it into several files")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The error counts from after a byte order mark.
        before = raw.removeprefix(b"\xef\xbb\xbf")[: error.start].decode("utf-8")
        what = "it looks like UTF-16" if raw.startswith(_UTF_16) else f"byte 0x{error.object[error.start]:02x}"
        place = Place(findings.file, *located(before, len(before)))
        findings.put("yaml-encoding", place, f"the file is not UTF-8: {what}", "save it as UTF-8")
        return None
    return text if not raw.translate(None, _PLAIN) else _characters(text, findings)


def _characters(text: str, findings: Findings) -> str | None:
    """The text, if all its characters are allowed."""
    if (found := _FORBIDDEN.search(text)) is not None:
        what, remedy = "is not allowed in YAML", f'remove it, or write it as "\\u{ord(found[0]):04x}" in double quotes'
    elif not text.isascii() and (found := _BREAKS.search(text)) is not None:
        what, remedy = "is a line break for some readers only", f'write it as "\\u{ord(found[0]):04x}" in double quotes'
    else:
        return text
    place = Place(findings.file, *located(text, found.start()))
    findings.put("yaml-character", place, f"the character U+{ord(found[0]):04X} {what}", remedy)
    return None


def _next_document(text: str, stopped: Stopped) -> int | None:
    """Where the first document after the one that could not be read begins: wherever YAML has ``---`` at the begin of a
    line, a document begins, whatever was open before."""
    line = text.rfind("\n", 0, stopped.at) + 1
    found = _NEXT.search(text, max(line, stopped.start + 1))
    return found.start() if found else None
