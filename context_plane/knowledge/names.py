"""Names: how topics are called, which files are topics, and which topic a reference means.

A topic is named by its file: the path below the folder without its suffix, with slashes. Processes write references
with dots (`engineering.testing`), so a dot may stand for a slash where no topic has the name as it is written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Final

from context_plane.errors import InputError
from context_plane.knowledge.outline import Form

KIND: Final = "knowledge"
"""The type of the entities that topics are."""
_PREFIX: Final = f"{KIND}/"
SUFFIXES: Final[dict[str, Form]] = {
    ".md": "prose",
    ".markdown": "prose",
    ".txt": "prose",
    ".rst": "rst",
    ".yaml": "data",
    ".yml": "data",
    ".json": "data",
    ".toml": "data",
}
"""The form of the files that are topics."""
MAX_NAME: Final = 400


def entity_of(topic: str) -> str:
    """The entity of a topic."""
    return _PREFIX + topic


def topic_of(entity: str) -> str | None:
    """The topic that an entity is; `None` for one of another type."""
    return entity.removeprefix(_PREFIX) if entity.startswith(_PREFIX) else None


def form_of(file: PurePosixPath) -> Form | None:
    """The form that a file's suffix says; `None` for a file that is no topic."""
    return SUFFIXES.get(file.suffix.lower())


def name_of(file: PurePosixPath) -> str:
    """The topic of a file, by its path below the folder. Raises `InputError` for a path that is no name."""
    name = unicodedata.normalize("NFC", str(file.with_suffix("")))
    if len(name) > MAX_NAME:
        raise InputError(f"the name has {len(name)} characters", remedy=f"use at most {MAX_NAME}")
    if not name.isprintable() or "\\" in name:
        raise InputError("the name holds a character that is not printable, or a backslash", remedy="rename the file")
    if any(part != part.strip() for part in name.split("/")):
        raise InputError("a part of the name begins or ends with a space", remedy="rename the file")
    return name


def slashed(name: str) -> str:
    """The name with slashes for its dots: references could not tell two topics apart for which that is the same."""
    return name.replace(".", "/")


def meant(reference: str) -> tuple[str, str]:
    """The topics that a reference may mean; of those that there are, the first."""
    return reference, slashed(reference)


def nearest(reference: str, known: Iterable[str]) -> list[str]:
    """Names that look like it: what was meant, perhaps."""
    names = {slashed(name).casefold(): name for name in known}
    return [names[each] for each in get_close_matches(slashed(reference).casefold(), names, 3, 0.5)]
