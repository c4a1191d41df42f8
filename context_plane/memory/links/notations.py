"""Notations: declared ways to refer to things, such as ``AUTH-{number}`` for ``issue/AUTH-{number}``.

Here belongs what a declaration may say, how it becomes an expression that finds it in a text, and what is made of a
match. References that follow from an entity's own id are `references`' business, and so is what stands around them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from context_plane.errors import InputError
from context_plane.log import templates
from context_plane.log.templates import Template
from context_plane.memory.links.link import Target

PLACES: Final = {
    "number": "[1-9][0-9]{0,17}",
    "digits": "[0-9]{1,18}",
    "key": "[A-Z][A-Z0-9_]{1,19}",
    "path": r"[A-Za-z0-9][\w.-]{0,99}+(?:/[\w.-]{1,100}+){1,5}",
    "hash": "[0-9a-f]{7,64}",
}
"""What placeholders stand for. All are bounded, so that the time taken is linear in the text."""
_OWN: Final = ("type", "prefix")
_KEYS: Final = {"written", "entity", "event"}
ENDS: Final = r"(?!_{0,2}[0-9A-Za-z]|\.[0-9]|,[0-9]{3}(?![0-9]))"
"""No number or word goes on where a reference ends, not #5px, #1.2 or #1,000; but for emphasis, as in _#5_."""
_REMEDY: Final = 'write {written: "AUTH-{number}", entity: "issue/AUTH-{number}"}'


class Own(NamedTuple):
    """An entity, taken apart: ``issue/acme/shop#12`` is type issue, prefix acme/shop, sign #, number 12."""

    type: str
    prefix: str
    sign: str
    number: str

    @property
    def tracked(self) -> bool:
        """Whether the id tells how its neighbours are written."""
        return bool(self.sign == "#" and self.prefix)

    def numbered(self, number: str) -> str:
        """The neighbour of a number."""
        return f"{self.type}/{self.prefix}{self.sign}{number}"


@lru_cache(maxsize=4_096)
def own(entity: str) -> Own:
    """An entity, taken apart at the number that its id ends in; without one there is no prefix and no sign."""
    kind, _, name = entity.partition("/")
    stem = name.rstrip("0123456789")
    number = name[len(stem) :]
    if not number:
        return Own(kind, "", "", "")
    sign = stem[-1:] if stem and not stem[-1].isalnum() else ""
    return Own(kind, stem[: len(stem) - len(sign)], sign, number)


@dataclass(frozen=True)
class Notation:
    """One way to refer to things: templates. Of `entity` and `event`, an event's id within the source, one is given.

    Their placeholders are those of `written`, and ``{type}`` and ``{prefix}`` of the entity that the text is about.
    """

    written: str
    entity: str = ""
    event: str = ""

    def to_json(self) -> dict[str, str]:
        """As it is declared."""
        known = {"written": self.written, "entity": self.entity, "event": self.event}
        return {name: value for name, value in known.items() if value}

    @property
    def expression(self) -> re.Pattern[str]:
        """What finds it in a text. Without capitals in its words, letters of any case are found."""
        return _expression(self.written)

    @property
    def is_hash(self) -> bool:
        """Whether any word of a to f and digits would be one, so that it counts only where a commit is meant."""
        return self.written == "{hash}"

    def target(self, match: re.Match[str], me: Own) -> Target | None:
        """What a match stands for; `None` where a prefix is needed and the text's own entity has none."""
        values: dict[str, Any] = {**match.groupdict(), "type": me.type, "prefix": me.prefix}
        template = _template(self.entity or self.event)
        if not all(values[name] for name in template.columns):
            return None
        filled = template.fill(values)
        return Target(match[0], entity=filled) if self.entity else Target(match[0], event=filled)


def notation(raw: Mapping[str, str]) -> Notation:
    """A declared notation, checked. Raises `InputError` for one that cannot be read."""
    found = Notation(raw.get("written", ""), raw.get("entity", ""), raw.get("event", ""))
    where = f"reference {found.written!r}"
    if unknown := sorted(raw.keys() - _KEYS):
        raise InputError(f"there is no key {unknown[0]!r}", where=where, remedy=_REMEDY)
    if not found.written or bool(found.entity) == bool(found.event):
        raise InputError("it needs written, and either entity or event", where=where, remedy=_REMEDY)
    names = _template(found.written).columns
    for name in names:
        if name not in PLACES or names.count(name) > 1:
            remedy = f"placeholders are {', '.join(PLACES)}, each once"
            raise InputError(f"{{{name}}} cannot stand there", where=where, remedy=remedy)
    if not names:
        raise InputError("it has no placeholder, so all would be one", where=where, remedy=_REMEDY)
    for name in _template(found.entity or found.event).columns:
        if name not in (*names, *_OWN):
            remedy = f"use {', '.join((*names, *_OWN))}"
            raise InputError(f"{{{name}}} is not in what is written", where=where, remedy=remedy)
    if found.entity and not all(found.entity.partition("/")):
        raise InputError(f"{found.entity!r} is not an entity", where=where, remedy="write type/id")
    return found


@lru_cache(maxsize=1_024)
def _template(text: str) -> Template:
    return templates.parse(text)


@lru_cache(maxsize=1_024)
def _expression(written: str) -> re.Pattern[str]:
    parts = _template(written).parts
    body = "".join(_literal(part) if isinstance(part, str) else f"(?P<{part[0]}>{PLACES[part[0]]})" for part in parts)
    first, last = parts[0], parts[-1]
    # A key may be the end of an address, a path is not the end of another.
    before = r"(?<![\w./-])" if first == ("path", False) else r"(?<![\w.-])"
    if isinstance(first, str) and not first[0].isalnum():
        before = ""
    after = ENDS if isinstance(last, tuple) or last[-1].isalnum() else ""
    words = "".join(part for part in parts if isinstance(part, str))
    return re.compile(f"{before}{body}{after}", 0 if any(c.isupper() for c in words) else re.IGNORECASE)


def _literal(text: str) -> str:
    return "[ \t\u00a0]{1,3}".join(map(re.escape, text.split(" ")))
