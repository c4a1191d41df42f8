"""Texts that commands are given as files: `-` is stdin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from context_plane.errors import InputError, NotFound

STDIN: Final = "-"


def read(file: str) -> str:
    """The text of a file or of stdin, line ends as they are. Raises `NotFound`, `InputError`."""
    try:
        body = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        what = error.strerror or str(error)
        raise NotFound(f"it cannot be read: {what}", where=file, remedy="check the path") from error
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        remedy = "convert it to UTF-8 first, for instance with iconv"
        raise InputError("it is not UTF-8", where=f"{file}, line {line}", remedy=remedy) from error
