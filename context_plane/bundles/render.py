"""Values as JSON text: what the rows of an aggregation and the columns they point to look like in a bundle.

Here belongs the writing of single fields and of a bundle's body, canonical (RFC 8785) as in `context_plane.canonical`.
Which events count and which value is the latest was decided in SQL. Bundles are made by the hundred thousand, so values
that are canonical as they stand are recognised instead of being parsed.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

from context_plane.bundles.compile import LIST_TEXT_CHARS
from context_plane.bundles.summary import shorten
from context_plane.canonical import canonical
from context_plane.ctx import tokens
from context_plane.errors import InputError
from context_plane.instants import format_instant

if TYPE_CHECKING:
    import pyarrow as pa

# A quoted JSON string, as canonical JSON writes it.
quote: Final[Callable[[str], str]] = encode_basestring
AVERAGE_DIGITS: Final = 12
NULL: Final = "null"

_PLAIN: Final = re.compile(r'"[^"\\]*"|-?[1-9]\d{0,17}|0|true|false', re.ASCII)
_LONG_INTEGER: Final = re.compile(r"-?\d{19,}", re.ASCII)
_LEADING_ZEROS: Final = re.compile(r"^(-?)0+(?=\d)", re.ASCII)
_AVERAGE: Final = Context(prec=AVERAGE_DIGITS, rounding=ROUND_HALF_EVEN)
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999


def json_text(text: str) -> str:
    """Canonical JSON of a JSON text as DuckDB hands it out."""
    if _PLAIN.fullmatch(text):
        return text
    return _small(text) if len(text) <= 64 else _canonical(text)


def _canonical(text: str) -> str:
    if _LONG_INTEGER.fullmatch(text):  # Python refuses to read more than 4,300 digits
        return text
    try:
        return canonical(json.loads(text)).decode()
    except (ValueError, InputError):  # NaN and infinity from an expression
        return NULL


_small: Final = lru_cache(maxsize=65_536)(_canonical)


def number_text(text: str) -> str:
    """Canonical JSON of a number that someone wrote in a string, such as ``007.50``."""
    return json_text(_LEADING_ZEROS.sub(r"\1", text))


def double(value: float) -> str:
    """Canonical JSON of a double; null for what JSON has no number for."""
    return canonical(value).decode() if math.isfinite(value) else NULL


def decimal(text: str) -> str:
    """Canonical JSON of an exact sum such as ``12.5000000000``: integers in full, else the nearest double."""
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if "." not in text:
        return text
    # With at most 15 digits the shortest text of the nearest double is the decimal itself.
    if len(text) <= 16 and not text.lstrip("-").startswith("0.000000"):
        return text
    return double(float(text))


def average(total: Decimal | float, count: int) -> str:
    """Canonical JSON of a mean, rounded half to even to 12 significant digits."""
    return double(float(_AVERAGE.divide(Decimal(total), Decimal(count))))


def exact_sum(values: Sequence[float]) -> float:
    """The sum of doubles, correctly rounded in any order; infinite where it is beyond doubles."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def instant(at: int | None) -> str:
    """A quoted RFC 3339 time; null outside the years 1 to 9999."""
    return f'"{format_instant(at)}"' if at is not None and _EARLIEST <= at <= _LATEST else NULL


def cut(text: str) -> str:
    """A quoted text, shortened for a list."""
    return quote(shorten(text, LIST_TEXT_CHARS))


def boolean(value: bool) -> str:
    """true or false."""
    return "true" if value else "false"


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "json": json_text, "number": number_text, "boolean": boolean, "text": quote, "cut": cut, "time": instant,
}  # fmt: skip


def expression(value: Any, kind: str) -> str:
    """The value of an expression as JSON: microseconds for a time, else what DuckDB's `to_json` wrote."""
    if kind == "time":
        return instant(value)
    return NULL if value is None else json_text(value)


def pick(column: pa.ChunkedArray, kind: str, places: Sequence[int | None]) -> list[str]:
    """The values at places of a column as JSON; null where there is no place or no value."""
    write = _WRITERS[kind]
    return [NULL if value is None else write(value) for value in values_at(column, places)]


def values_at(column: pa.ChunkedArray, places: Sequence[int | None]) -> list[Any]:
    """The values at places of a column."""
    import pyarrow as pa

    found: list[Any] = column.take(pa.array(places, pa.int64())).to_pylist()
    return found


def objects(names: Sequence[str], values: Sequence[Sequence[str]]) -> list[str]:
    """Canonical JSON objects, given the JSON of each name's values."""
    order = sorted(range(len(names)), key=lambda each: utf16(names[each]))
    form = "{" + ",".join(f"{quote(names[each]).replace('%', '%%')}:%s" for each in order) + "}"
    return [form % item for item in zip(*(values[each] for each in order), strict=True)]


def utf16(name: str) -> bytes:
    """What RFC 8785 sorts keys by."""
    return name.encode("utf-16-be")


class BodyWriter:
    """Writes the bodies of one spec's bundles: everything of the JSON object behind ``{"as_of":"…",``."""

    def __init__(self, schema: str, tenant: str, names: Sequence[str]) -> None:
        self.order = sorted(range(len(names)), key=lambda index: utf16(names[index]))
        keys = ",".join(f"{quote(names[index])}:%s" for index in self.order)  # names hold no %
        self._fields = f"{{{keys}}}"
        self._schema = f'"schema":{quote(schema)}'
        self._tenant = f'"tenant":{quote(tenant)}'
        self._count = tokens.counter()

    def body(
        self, entity: str, values: tuple[str, ...], summary: str | None, count: int, digests: bytes
    ) -> tuple[bytes, str, int]:
        """Body, version and tokens of a bundle; `values` are the fields' JSON in `order`."""
        name, fields = quote(entity), self._fields % values
        said = "" if summary is None else f',"summary":{quote(summary)}'
        size = self._count(f'{{"entity":{name},"fields":{fields}{said}}}')
        events = f'{{"count":{count},"digest":"sha256:{hashlib.sha256(digests).hexdigest()}"}}'
        facts = (
            f'"entity":{name},"events":{events},"fields":{fields},{self._schema}{said},{self._tenant},"tokens":{size}'
        ).encode()
        version = f"sha256:{hashlib.sha256(b'{%s}' % facts).hexdigest()}"
        return b'%s,"version":"%s"}' % (facts, version.encode()), version, size
