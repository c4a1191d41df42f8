"""Scalars as CTX writes them: numbers and words as in JSON, strings without quotes wherever they cannot be mistaken.

Here belong the rules for one value, by itself and for a whole column at once; where a value ends is the business of who
reads it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from context_plane.errors import InputError

NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_TEXT_OF_WORD: Final = {True: "true", False: "false", None: "null"}
# What a bare string must not hold anywhere, whatever stands around it: it would break the line, be invisible, or be no
# text at all.
UNSAFE: Final = r"\x00-\x1f\x7f\x85\u2028\u2029\ufeff\ud800-\udfff"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_BEGINNINGS: Final = '"[{ '
_MISTAKABLE: Final = re.compile(rf'(?:{NUMBER.pattern}|\*[0-9]+|true|false|null|["\[{{ ].*|.* |)', re.DOTALL)
# The same for a column of strings joined by line breaks: whether any of them could be taken for something else.
_ANY_MISTAKABLE: Final = re.compile(rf'^(?:{NUMBER.pattern}|\*[0-9]+|true|false|null|["\[{{ ].*|.* |)$', re.MULTILINE)
_ANY_WRAPPED: Final = re.compile(r'^(?:["\[{ ].*|.* |)$', re.MULTILINE)


def quoted(text: str) -> str:
    """A string as JSON writes it; only what is no text is escaped beyond that."""
    body = json.dumps(text, ensure_ascii=False)
    body = body.replace("\x7f", "\\u007f").replace("\x85", "\\u0085").replace("\ufeff", "\\ufeff")
    body = body.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", body)


def number(value: float) -> str:
    """A number as JSON writes it. Raises `InputError` for what JSON has no word for."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{value} is no JSON number", where="value", remedy="leave it out, or write it as text")
    return repr(value)


@dataclass(frozen=True)
class Reference:
    """Stands for a string that is said before the document."""

    number: int


class Style:
    """How strings are written where certain characters separate."""

    def __init__(self, separators: str, openers: str = "") -> None:
        """`separators` are those that a bare string must not hold, `openers` those that a quote must not follow."""
        unsafe = f"[{UNSAFE}{re.escape(separators)}]"
        self._bad = re.compile(f'{unsafe}|[{re.escape(openers)}]"' if openers else unsafe)

    def scalar(self, value: Any) -> str:
        """A scalar. Raises `InputError` for what is none."""
        if isinstance(value, str):
            return value if self.bare(value) else quoted(value)
        if value is None or isinstance(value, bool):
            return _TEXT_OF_WORD[value]
        if isinstance(value, Reference):
            return f"*{value.number}"
        if isinstance(value, (int, float)):
            return number(value)
        raise InputError(f"{type(value).__name__} is no JSON value", where="value", remedy="give what JSON has")

    def bare(self, text: str) -> bool:
        """Whether a string may stand without quotes where other scalars may stand too."""
        return self._bad.search(text) is None and _MISTAKABLE.fullmatch(text) is None

    def text(self, text: str) -> str:
        """A string where only strings stand: numbers and words need no quotes."""
        good = text and self._bad.search(text) is None and text[0] not in _BEGINNINGS and text[-1] != " "
        return text if good else quoted(text)

    def column(self, values: Sequence[Any]) -> list[str]:
        """Scalars of one column."""
        kinds = set(map(type, values))
        if kinds == {str}:
            joined = "\n".join(values)
            plain = self._bad.search(joined.replace("\n", "")) is None and joined.count("\n") == len(values) - 1
            if plain and _ANY_MISTAKABLE.search(joined) is None:
                return list(values)
        elif kinds == {int}:
            return list(map(str, values))
        elif kinds == {bool}:
            return [_TEXT_OF_WORD[value] for value in values]
        known: dict[Any, str] = {}
        out = []
        for value in values:
            key = (type(value), value)
            if key not in known or value == 0:  # 0.0 and -0.0 are equal
                known[key] = self.scalar(value)
            out.append(known[key])
        return out

    def texts(self, values: Sequence[str]) -> list[str]:
        """Strings of a column that holds nothing else."""
        joined = "\n".join(values)
        plain = self._bad.search(joined.replace("\n", "")) is None and joined.count("\n") == len(values) - 1
        if plain and _ANY_WRAPPED.search(joined) is None:
            return list(values)
        return [self.text(value) for value in values]


def read(text: str) -> Any:
    """The scalar that a text stands for; of a quoted string its contents. Raises `ValueError`."""
    if text[:1] == '"':
        value = json.loads(text)
        if not isinstance(value, str):
            raise ValueError(text)
        return value
    if text in WORDS:
        return WORDS[text]
    if text[:1] == "*" and text[1:].isdecimal() and text.isascii():
        return Reference(int(text[1:]))
    if NUMBER.fullmatch(text):
        return int(text) if text.lstrip("-").isdigit() else float(text)
    return text


def read_text(text: str) -> str:
    """The string that a text stands for in a column of strings. Raises `ValueError`."""
    if text[:1] != '"':
        return text
    value = json.loads(text)
    if not isinstance(value, str):
        raise ValueError(text)
    return value
