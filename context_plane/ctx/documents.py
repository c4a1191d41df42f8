"""Documents: data or text, encoded in a mode, with what that gained; decoded; verified against the original.

Here belongs what the two halves of CTX have in common. Originals are told apart by `kind_of`; encoded text says itself
what it is, but for a text that nothing was gained on, which is left as it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from context_plane.ctx import prose, tokens
from context_plane.ctx.data import planning
from context_plane.ctx.data.decoding import decode as decode_data
from context_plane.ctx.data.encoding import encode as encode_data
from context_plane.ctx.data.equality import difference
from context_plane.ctx.prose.header import MARK
from context_plane.errors import InputError

Kind = Literal["data", "text"]
Mode = Literal["exact", "verbatim", "compact", "dense", "semantic", "rewrite"]
Level = Literal["L0", "L1", "L2", "lossy"]
MODES: Final[dict[Kind, tuple[Mode, ...]]] = {
    "data": ("exact", "verbatim", "compact", "dense"),
    "text": ("exact", "verbatim", "compact", "semantic", "rewrite"),
}
_PROMISED: Final[dict[Mode, Level]] = {
    "exact": "L0", "verbatim": "L1", "compact": "L1", "dense": "L1", "semantic": "L2", "rewrite": "lossy",
}  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """A document in CTX."""

    text: str
    kind: Kind
    mode: Mode
    level: Level
    """What decoding gives back at least: the bytes, the structure, the facts; or nothing for sure (`lossy`)."""
    tokens: int
    """Of the text, in o200k_base."""
    original_tokens: int
    """Of the original as it was given."""
    sha256: str
    """Of the original's bytes in UTF-8: under this it stays reachable."""

    @property
    def saved(self) -> float:
        """The share of the original's tokens that the text does not have."""
        return 1 - self.tokens / self.original_tokens if self.original_tokens else 0.0


@dataclass(frozen=True)
class Verified:
    """What of an original is left in a text."""

    level: Level | None
    """The highest level reached; `None` where not even the facts are the same."""
    differences: tuple[tuple[str, str], ...]
    """Place and what is different there: of what keeps the text from the level above."""


def kind_of(original: str) -> Kind:
    """``data`` for a JSON object or array, or lines of them; else ``text``."""
    begins = original.lstrip(" \t\r\n")[:1]
    if begins not in ("{", "["):
        return "text"
    try:
        parse(original)
    except InputError:
        return "text"
    return "data"


def parse(original: str) -> Any:
    """The value of JSON, or of JSON Lines the list of their values. Raises `InputError` with line and column."""
    try:
        return json.loads(original)
    except RecursionError as error:
        raise InputError("the JSON is nested too deep", where="line 1", remedy="encode it as text") from error
    except ValueError as error:
        lines = [line for line in original.split("\n") if line.strip()]
        if len(lines) > 1:
            try:
                return [json.loads(line) for line in lines]
            except (ValueError, RecursionError):
                pass  # the error of the whole is the better one
        place = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "value"
        raise InputError(f"no JSON: {error}", where=place, remedy="mend it, or encode it as text") from error


def encode(original: str, mode: Mode = "verbatim", kind: Kind | None = None, rewriter: str | None = None) -> Encoded:
    """The original in CTX. `rewriter` names the plugin that `rewrite` asks, for which all is text.

    Raises `InputError` for a mode that its kind does not have, and for what is not of it; for `rewrite` also `NotFound`
    and `Unavailable`."""
    if mode == "rewrite":
        return _rewritten(original, rewriter)
    found: Kind = kind or kind_of(original)
    if mode not in MODES[found]:
        known = ", ".join(MODES[found])
        raise InputError(f"there is no mode {mode!r} for {found}", where="mode", remedy=f"use one of {known}")
    if found == "data" and mode != "exact":
        text = encode_data(parse(original), data_mode(mode))
    else:
        text = prose.encode(original, prose.Mode(mode))
    digest = hashlib.sha256(original.encode()).hexdigest()
    return Encoded(text, found, mode, _PROMISED[mode], tokens.count(text), tokens.count(original), digest)


def _rewritten(original: str, rewriter: str | None) -> Encoded:
    """What a plugin makes of a text. Its level is what the check finds of the original in it."""
    from context_plane.ctx.rewriters import rewritten

    text = prose.rewritten(original, rewritten(original, rewriter))
    level = prose.check(original, text).level
    digest = hashlib.sha256(original.encode()).hexdigest()
    found: Level = "lossy" if level is None else level.value
    return Encoded(text, "text", "rewrite", found, tokens.count(text), tokens.count(original), digest)


def data_mode(mode: Mode) -> planning.Mode:
    """The mode of data of that name. Raises `InputError` where there is none."""
    if mode == "verbatim" or mode == "compact" or mode == "dense":
        return mode
    raise InputError(f"there is no mode {mode!r} for values", where="mode", remedy="use verbatim, compact or dense")


def decode(text: str, kind: Kind | None = None) -> tuple[Kind, Any]:
    """What a text in CTX is, and the value or the document. Raises `InputError`.

    Without its head a text may be either: it is data where it reads as more than one word, else text as it stands.
    """
    if kind != "data" and text.startswith(MARK):
        return "text", prose.decode(text)
    if kind == "text":
        return "text", text
    try:
        value = decode_data(text)
    except InputError:
        if kind == "data":
            raise
        return "text", text
    return ("text", text) if kind is None and not isinstance(value, (dict, list)) else ("data", value)


def verify(original: str, text: str, kind: Kind | None = None) -> Verified:
    """What of the original is left in a text in CTX. Raises `InputError` for a text that does not decode."""
    found = kind or kind_of(original)
    if found == "text" or text.startswith(MARK):
        report = prose.check(original, text)
        level: Level | None = None if report.level is None else report.level.value
        return Verified(level, tuple((each.where, each.what) for each in report.differences))
    if text.rstrip("\n") == original.rstrip("\n"):
        return Verified("L0", ())
    value, other = parse(original), decode_data(text)
    path = difference(value, other)
    if path is None:
        return Verified("L1", (("bytes", "the value is equal, its spelling is not"),))
    return Verified(None, ((path, "the values differ here first"),))
