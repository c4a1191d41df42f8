"""Strict JSON: what the standard library reads beyond RFC 8259, or reads by losing something, is refused here.

Here belongs the text of one value. Duplicate keys, NaN and infinities, numbers that overflow to infinity, and lone
surrogates would all be stored as something else than was sent. Integers stay exact.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_BLANK: Final = re.compile(r"[ \t\n\r]*")


class NotJSON(Exception):
    """The text is not one JSON value; the message says why and at which column."""


def _no_constant(name: str) -> Any:
    raise NotJSON(f"{name} is not JSON; leave the value out or use null")


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0.0:
        raise NotJSON(f"number {text[:40]} is too large for a double; send it as text")
    return value


def _integer(text: str) -> int:
    if len(text) > 400:
        raise NotJSON(f"an integer has {len(text)} digits; send it as text")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise NotJSON(f"key {twice[:64]!r} is there twice in one object")
    return found


_scan: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder(
    parse_constant=_no_constant, parse_float=_finite, parse_int=_integer, object_pairs_hook=_unique
).scan_once  # type: ignore[attr-defined]
# Only looks for the end of a value, so that what the strict scan refuses can be skipped.
_lenient: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder(
    parse_int=len, parse_float=len, parse_constant=len
).scan_once  # type: ignore[attr-defined]


def loads(text: str) -> Any:
    """The value of a text. Raises `NotJSON` with reason and column."""
    value, end = scan(text, _after_blanks(text, 0))
    if end != len(text):
        rest = _after_blanks(text, end)
        if rest != len(text):
            raise NotJSON(f"not JSON: more text behind the value, column {rest + 1}")
    return value


def scan(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at `start`, and where it ends. Raises `NotJSON` with reason and column."""
    try:
        value, end = _scan(text, start)
    except json.JSONDecodeError as error:
        raise NotJSON(f"not JSON: {error.msg}, column {error.pos + 1}") from None
    except StopIteration as error:
        raise NotJSON(f"not JSON: Expecting value, column {error.value + 1}") from None
    except RecursionError:
        raise NotJSON("nested too deeply; flatten the data") from None
    if text.find("\\u", start, end) >= 0 and _SURROGATE.search(text, start, end):
        _check_surrogates(value)
    return value, end


def end_of_value(text: str, start: int) -> int | None:
    """Where the value that begins at `start` ends, or `None` where it does not end or is broken."""
    try:
        return _lenient(text, start)[1]
    except (json.JSONDecodeError, StopIteration, RecursionError):
        return None


def why(text: str, start: int) -> str:
    """Why there is no value at `start`."""
    try:
        _lenient(text, start)
    except json.JSONDecodeError as error:
        return f"{error.msg} (character {error.pos - start + 1} of the item)"
    except RecursionError:
        return "nested too deeply"
    except StopIteration as error:
        if _after_blanks(text, error.value) == len(text):
            return "the file ends here"
        return f"no value (character {error.value - start + 1} of the item)"
    return "too long"


def _after_blanks(text: str, start: int) -> int:
    if start < len(text) and text[start] > " ":
        return start
    blank = _BLANK.match(text, start)
    assert blank is not None
    return blank.end()


def _check_surrogates(value: Any) -> None:
    """A pair of escapes is one character; half a pair cannot be stored."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotJSON("a lone surrogate (half of a \\u escape pair); send the whole character") from None
