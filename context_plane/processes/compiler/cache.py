"""Cache: the catalog of a folder as the last process compiled it, so that the next need not.

Here belongs one file, ``.compiled/catalog.jsonl``: a line that says of which files, surroundings and compiler it is,
and a line for each linked process. It may be lost at any time: what cannot be read, or is not of what is there, is not
used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from context_plane.processes.compiler.catalog import Catalog, Stored, from_json, to_json
from context_plane.processes.compiler.files import Loaded
from context_plane.processes.compiler.files import from_json as files_from_json
from context_plane.processes.compiler.files import to_json as files_to_json
from context_plane.processes.compiler.history import FOLDER, write
from context_plane.processes.linked import FORMAT as LINKED

NAME: Final = "catalog.jsonl"
COMPILER: Final = f"2/{LINKED}"
"""Changes whenever the same sources would be compiled to something else, or be told other things."""


@dataclass(frozen=True)
class Kept:
    """A catalog that was kept, and of which files it is."""

    catalog: Catalog
    files: dict[str, Loaded]


def keep(folder: Path, catalog: Catalog, files: Mapping[str, Loaded], fingerprint: str) -> None:
    """Keeps a catalog. Raises `OSError`."""
    head = {
        "compiler": _compiler(), "fingerprint": fingerprint, "files": files_to_json(files), "catalog": to_json(catalog),
        "processes": list(catalog.processes),
    }  # fmt: skip
    # Nothing refers to these bytes, so that they need not be canonical, which takes ten times as long.
    lines = [json.dumps(head).encode(), *(each.canonical for each in catalog.processes.values())]
    body = b"\n".join(lines)
    # Not made durable: after a crash the seal tells whether all of it is there.
    write(folder / FOLDER, [(NAME, sha256(body).hexdigest().encode() + b"\n" + body)], durable=False)


def kept(folder: Path, fingerprint: str) -> Kept | None:
    """The catalog that was kept in the same surroundings by the same compiler, if there is one."""
    try:
        seal, _, body = (folder / FOLDER / NAME).read_bytes().partition(b"\n")
        if seal != sha256(body).hexdigest().encode():
            return None
        first, *lines = body.split(b"\n")
        head = json.loads(first)
        if (head["compiler"], head["fingerprint"]) != (_compiler(), fingerprint):
            return None
        processes = Stored(dict(zip(head["processes"], lines, strict=True)))
        return Kept(from_json(head["catalog"], processes), files_from_json(head["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _compiler() -> str:
    """What a catalog is of: a release may compile otherwise although nobody thought of it here."""
    return f"{COMPILER}/{_release()}"


@cache
def _release() -> str:
    """The sizes of the compiler's sources: unlike their times the same wherever a release is installed, and unlike the
    metadata of the package known within a millisecond."""
    compiler = Path(__file__).parent
    folders = (compiler, compiler.parent, compiler.parent / "language")
    try:
        found = [(each.name, each.stat().st_size) for folder in folders for each in os.scandir(folder)
                 if each.name.endswith(".py")]  # fmt: skip
    except OSError:  # they are not files
        return ""
    return sha256(repr(sorted(found)).encode()).hexdigest()
