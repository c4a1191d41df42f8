"""Portable packages: a package with what it takes from those that it builds on, in one file, and back
(docs/spec/packages.md).

Here belongs the file: a line that says what the next one is, and the body. Everything in the first line follows from
the second and is compared with it byte by byte, so that no change of the file goes unnoticed. What a package says of
itself is checked too: its text has to be what its facts make.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Final

from context_plane.bundles.packages.compile import Compiled, checked_text, compiled_of
from context_plane.canonical import canonical
from context_plane.errors import ContextPlaneError, InputError, NotFound

FORMAT: Final = "ctx-package/1"
SUFFIX: Final = ".ctxpkg"
MOST_BYTES: Final = 64 << 20
_TAMPERED: Final = "it was changed, or cut, on its way: get it again from whoever exported it"


def export(package: Compiled) -> bytes:
    """The file of a package. The same package gives the same bytes."""
    return _header(package) + b"\n" + package.body + b"\n"


def read(data: bytes, where: str = "package file") -> Compiled:
    """The package in a file, all of it checked. Raises `InputError` naming what is wrong."""
    if len(data) > MOST_BYTES:
        raise InputError(f"the file has {len(data):,} bytes", where=where, remedy=f"{MOST_BYTES >> 20} MiB are read")
    head, _, rest = data.partition(b"\n")
    told = _told(head, f"{where}:1")
    body = rest.removesuffix(b"\n")
    size = told["bytes"]
    if len(rest) != size + 1 or len(body) != size:
        what = f"the package has {len(rest):,} bytes, the first line tells of {size + 1:,} with the line's end"
        raise InputError(what, where=f"{where}:2", remedy=_TAMPERED)
    if hashlib.sha256(body).hexdigest() != told["sha256"]:
        raise InputError("the SHA-256 of the package is not the one told of", where=f"{where}:2", remedy=_TAMPERED)
    try:
        package = compiled_of(body, where)
        honest = checked_text(package)
    except ContextPlaneError as error:
        remedy = "export it again, with the version of Context Plane that is to import it"
        raise InputError(error.what, where=f"{where}:2", remedy=remedy) from error
    if not honest:
        raise InputError("its text is not what its facts make", where=f"{where}:2", remedy=_TAMPERED)
    if _header(package) != head:
        raise InputError("the first line is not that of the package", where=f"{where}:1", remedy=_TAMPERED)
    return package


def _header(package: Compiled) -> bytes:
    return canonical(
        {
            "format": FORMAT, "package": package.name, "scope": package.declaration.scope,
            "bytes": len(package.body), "sha256": hashlib.sha256(package.body).hexdigest(),
        }
    )  # fmt: skip


def _told(head: bytes, where: str) -> dict[str, Any]:
    """What the first line says. Raises `InputError` for one that is not a package's."""
    try:
        raw: dict[str, Any] = json.loads(head)
        known, size, sha256 = raw["format"], raw["bytes"], raw["sha256"]
        if type(size) is not int or not isinstance(sha256, str):
            raise TypeError("size or hash is none")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        remedy = "give a file that cortex package export wrote"
        raise InputError("this is not a package", where=where, remedy=remedy) from error
    if known != FORMAT:
        remedy = "export it with the version of Context Plane that is to import it"
        raise InputError(f"the format is {str(known)[:40]!r}, this reads {FORMAT!r}", where=where, remedy=remedy)
    return raw


def load(path: str | os.PathLike[str]) -> Compiled:
    """The package in a file on disk. Raises `NotFound` where there is none that can be read, else as `read`."""
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            return read(file.read(MOST_BYTES + 1), name)
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        what = f"it cannot be read: {getattr(error, 'strerror', None) or error}"
        raise NotFound(what, where=name[:200], remedy="check the path") from error
