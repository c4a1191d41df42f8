"""Columns: the references in a field of an event's data that its source declares to hold links.

Here belongs what a value may be: one reference, a list of them, such a list as JSON in a text, or objects that hold
one, as exports of trackers have them. A value that is in no known notation is the id of an entity of the same type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from context_plane.memory.links.link import Target
from context_plane.memory.links.notations import Notation, Own
from context_plane.memory.links.references import resolve
from context_plane.store.keys import MAX_ID_CHARS

_NAMES: Final = ("ref", "entity", "id", "key", "number", "url")
"""Of an object, the first of these that it has is the reference."""
_SEPARATOR: Final = re.compile(r"[,;\n]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MOST: Final = 10_000
_DEEPEST: Final = 4


def targets(value: Any, me: Own, notations: Sequence[Notation] = ()) -> Iterator[Target]:
    """What a value refers to, in its order. Values that cannot be references are left out."""
    for text in _texts(value, 0):
        if text.startswith(f"{me.type}/") and len(text) > len(me.type) + 1:
            yield Target(text, entity=text)
            continue
        known = resolve(text, me, notations)
        if known is not None:
            yield known
            continue
        parts = [resolve(part.strip(), me, notations) for part in _SEPARATOR.split(text)]
        several = [part for part in parts if part is not None]
        if len(several) == len(parts) > 1:
            yield from several
        else:
            yield Target(text, entity=f"{me.type}/{text}")


def _texts(value: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        name = next((name for name in _NAMES if value.get(name) is not None), None)
        if name is not None and not isinstance(value[name], (dict, list)):
            yield from _texts(value[name], depth + 1)
    elif isinstance(value, list):
        for item in value[:_MOST]:
            yield from _texts(item, depth + 1)
    elif isinstance(value, str):
        yield from _text(value.strip(), depth)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        yield str(int(value))


def _text(text: str, depth: int) -> Iterator[str]:
    if text.startswith("["):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, list):
            yield from _texts(parsed, depth + 1)
            return
    if text and len(text) <= MAX_ID_CHARS and not _CONTROL.search(text.replace("\n", "")):
        yield text
