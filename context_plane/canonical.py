"""The one JSON writer: canonical JSON after RFC 8785, and its hash.

Same value, same bytes: keys sorted by UTF-16 code units, no white space, numbers as ECMAScript writes them. One
departure: integers beyond 2^53 are written in full instead of being refused, because ids of that size are common in
events and rounding them would lose data. `rfc8785` serves the rare values the C encoder of the standard library writes
differently; for the rest that encoder is about ten times faster (`bench/README.md`).
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, Final

from context_plane.errors import InputError

JSON = dict[str, "JSON"] | list["JSON"] | str | int | float | bool | None

MAX_DEPTH: Final = 64
_encode: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False, check_circular=False
).encode
_EXACT_INT: Final = 2**53


class _Slow(Exception):
    """The value holds something that the fast encoder writes differently from RFC 8785."""


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value (UTF-8).

    Raises `InputError` for NaN and infinities, for lone surrogates, and for nesting deeper than 64.
    """
    try:
        try:
            return _encode(_plain(value, 0)).encode()
        except _Slow:
            return _rfc8785(value).encode()
    except UnicodeEncodeError as error:
        raise InputError("text holds a lone surrogate", remedy="send valid Unicode") from error
    except ValueError as error:
        raise InputError("JSON has no NaN and no infinity", remedy="leave the value out or use null") from error


def digest(value: Any) -> str:
    """``sha256:…`` over the canonical bytes of a value."""
    return f"sha256:{hashlib.sha256(canonical(value)).hexdigest()}"


def _plain(value: Any, depth: int) -> Any:
    """The value with integral floats as integers; raises `_Slow` where the C encoder would differ."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return _plain_float(value)
    if depth >= MAX_DEPTH:
        raise InputError(f"JSON is nested deeper than {MAX_DEPTH}", remedy="flatten the data")
    if kind is dict:
        for key in value:
            # Keys beyond ASCII: code point order and UTF-16 order differ above U+FFFF.
            if type(key) is not str or not key.isascii():
                raise _Slow
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_plain(item, depth + 1) for item in value]
    raise InputError(f"{kind.__name__} is not a JSON value", remedy="use objects, lists, text, numbers, booleans, null")


def _plain_float(value: float) -> int | float:
    if value.is_integer():
        if abs(value) < _EXACT_INT:
            return int(value)
        raise _Slow
    if not math.isfinite(value):
        raise ValueError
    if abs(value) < 1e-4:
        raise _Slow
    return value


def _rfc8785(value: Any, depth: int = 0) -> str:
    if isinstance(value, float) and math.isfinite(value):
        import rfc8785

        return rfc8785.dumps(value).decode()
    if isinstance(value, (dict, list, tuple)) and depth >= MAX_DEPTH:
        raise InputError(f"JSON is nested deeper than {MAX_DEPTH}", remedy="flatten the data")
    if isinstance(value, dict):
        if any(not isinstance(key, str) for key in value):
            raise InputError("a JSON object has a key that is not text", remedy="use text keys")
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_encode(key)}:{_rfc8785(value[key], depth + 1)}" for key in keys) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_rfc8785(item, depth + 1) for item in value) + "]"
    return _encode(_plain(value, depth))
