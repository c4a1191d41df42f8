"""Matching: whether an event, or what a caller gave, fits what a trigger or a dispatch declares.

Here belongs one predicate, the same for sensors, callers and the check for triggers that set themselves off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Any, Final

from context_plane.log.events import RESERVED

ATTRIBUTES: Final = ("source", "type", "subject")
"""Keys that mean the event's own attributes; all others are paths into its data."""
_GLOB: Final = re.compile(r"[*?\[]")
_MISSING: Final = object()


def matches(match: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether an event fits: every key must. The plane's own events only fit a match that names their kind of type."""
    if str(event.get("type", "")).startswith(RESERVED) and not names_own(match):
        return False
    return all(fits(wanted, value_of(event, key)) for key, wanted in match.items())


def names_own(match: Mapping[str, Any]) -> bool:
    """Whether a match says that it means events of the plane's own."""
    wanted = match.get("type")
    each = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    return any(isinstance(one, str) and one.startswith(RESERVED) for one in each)


def value_of(event: Mapping[str, Any], key: str) -> Any:
    """What a key of a match means in an event; a value that equals nothing where it is not there."""
    if key in ATTRIBUTES:
        return event.get(key, _MISSING)
    path = key.split(".")
    return _at(event.get("data"), path[1:] if path[0] == "data" and len(path) > 1 else path)


def _at(value: Any, path: list[str]) -> Any:
    """A field may itself have dots in its name: the whole rest is tried first."""
    if not path:
        return value
    if not isinstance(value, Mapping):
        return _MISSING
    whole = ".".join(path)
    if whole in value:
        return value[whole]
    return _at(value[path[0]], path[1:]) if path[0] in value else _MISSING


def fits(wanted: Any, found: Any) -> bool:
    """Whether a value is the wanted one, or one of them; a text with `*`, `?` or `[` is a glob. Types count: the text
    `1` is not the number. A list in the event fits if one of its values does."""
    if isinstance(wanted, (list, tuple)):
        return any(fits(one, found) for one in wanted)
    if found is _MISSING:
        return False
    if isinstance(found, list):
        return any(fits(wanted, one) for one in found)
    if isinstance(wanted, str):
        return isinstance(found, str) and (found == wanted or (_is_glob(wanted) and bool(_pattern(wanted)(found))))
    if isinstance(wanted, bool) or isinstance(found, bool) or wanted is None:
        return wanted is found
    return isinstance(found, (int, float)) and bool(wanted == found)


def may_fit(wanted: Any, known: Any) -> bool:
    """Whether a value that is only known as a text with references may come to fit: anything may stand for one."""
    if isinstance(known, str) and "${" in known:
        return True
    return fits(wanted, known)


def _is_glob(text: str) -> bool:
    return bool(_GLOB.search(text))


@lru_cache(1_024)
def _pattern(glob: str) -> Any:
    return re.compile(translate(glob)).match
