"""A context spec evaluated in plain Python: slow, obvious, and written without a look at the SQL.

The properties of `test_semantics.py` compare it with the engine. Conditions and expressions cannot be run here, so the
specs that are compared use those of `WHERE` and `EXPR`, given in both languages.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import fsum
from typing import Any

from context_plane.bundles.fields import Field
from context_plane.bundles.spec import ContextSpec
from context_plane.canonical import canonical
from context_plane.errors import InputError
from context_plane.instants import format_instant, parse_instant


@dataclass(frozen=True)
class Event:
    """One row of a timeline; `data` is the parsed JSON."""

    entity: str
    time: int
    source: str
    id: str
    type: str
    text: str | None
    data: Any

    @property
    def digest(self) -> bytes:
        """Any 16 bytes that depend on the whole event."""
        return hashlib.sha256(repr(self).encode()).digest()[:16]


WHERE: dict[str, Callable[[Event], bool]] = {
    "amount > 2": lambda e: is_number(at(e, "amount")) and float(at(e, "amount")) > 2,
    "plan = 'pro'": lambda e: as_text(at(e, "plan")) == "pro",
    "NOT flag": lambda e: at(e, "flag") is False,
    "type <> 'b' AND time >= '1970-01-01T00:00:10Z'": lambda e: e.type != "b" and e.time >= 10_000_000,
    "a.b IS NULL": lambda e: at(e, "a.b") is None,
    # Fails on an event whose plan is pro, which is then not counted.
    "CASE WHEN plan = 'pro' THEN CAST('x' || plan AS INTEGER) > 0 ELSE plan = 'free' END": (
        lambda e: as_text(at(e, "plan")) == "free"
    ),
}


def evaluate(spec: ContextSpec, tenant: str, events: Iterable[Event], entity: str, instant: int) -> dict[str, Any]:
    """The bundle as a JSON value, without tokens and version; expressions and summary are left out."""
    mine = [e for e in events if e.entity == entity and e.time < instant and visible(spec, e)]
    mine.sort(key=lambda e: (e.time, e.source, e.id))
    widest = within(mine, spec.longest, instant)
    digest = hashlib.sha256(b"".join(e.digest for e in widest)).hexdigest()
    return {
        "entity": entity,
        "events": {"count": len(widest), "digest": f"sha256:{digest}"},
        "fields": {f.name: field(f, within(mine, f.window, instant)) for f in spec.fields if f.operator != "expr"},
        "schema": spec.name,
        "tenant": tenant,
    }


def within(events: list[Event], window: int | None, instant: int) -> list[Event]:
    """Events of [instant - window, instant)."""
    return events if window is None else [e for e in events if e.time >= instant - window]


def visible(spec: ContextSpec, event: Event) -> bool:
    """Whether the event exists for the spec: the plane's own only where a glob names them."""
    globs = [g for f in spec.fields for g in f.of] + list(spec.summary.of if spec.summary else ())
    own = [g for g in globs if g.startswith("cortex.")]
    return not event.type.startswith("cortex.") or any(glob_matches(g, event.type) for g in own)


def glob_matches(glob: str, type: str) -> bool:
    """``*`` is any run of characters; the plane's own types need a glob that begins as they do."""
    if type.startswith("cortex.") and not glob.startswith("cortex."):
        return False
    return re.fullmatch(".*".join(map(re.escape, glob.split("*"))), type, re.DOTALL) is not None


def field(f: Field, events: list[Event]) -> Any:
    """A field's value over the events of its window, in order."""
    globs = f.of or ("*",)
    events = [e for e in events if any(glob_matches(g, e.type) for g in globs)]
    if f.where is not None:
        events = [e for e in events if WHERE[f.where](e)]
    if f.operator == "list":
        return items(f, events)
    if f.target is None:
        return len(events) if f.operator == "count" else bool(events)
    values = [v for v in (value(e, str(f.target), f.type) for e in events) if v is not None]
    numbers = [v for v in values if is_number(v)]
    computed: dict[str, Callable[[], Any]] = {
        "count": lambda: len(values),
        "exists": lambda: bool(values),
        "latest": lambda: values[-1] if values else None,
        "first": lambda: values[0] if values else None,
        "count_distinct": lambda: len({canonical(v) for v in values}),
        "sum": lambda: total(numbers),
        "avg": lambda: mean(numbers),
        "min": lambda: extreme(f, values),
        "max": lambda: extreme(f, values),
    }
    return computed[f.operator]()


def items(f: Field, events: list[Event]) -> list[Any]:
    """The items of a list, in time order."""
    if isinstance(f.target, str):
        found = [(e, value(e, f.target, None)) for e in events]
        values = [shown(f.target, v) for _, v in found if v is not None]
    else:
        assert f.target is not None
        values = [{t.removeprefix("data."): shown(t, value(e, t, None)) for t in f.target} for e in events]
    return values[-f.limit :] if f.newest else values[: f.limit]


def shown(target: str, found: Any) -> Any:
    """Texts in lists are cut at 240 characters, back to the end of a word where one ends in their second half."""
    if target != "text" or found is None or len(found) <= 240:
        return found
    head = found[:240]
    if not found[240].isspace() and len(head.rpartition(" ")[0]) >= 120:
        head = head.rpartition(" ")[0]
    return head.rstrip() + "…"


def value(event: Event, target: str, kind: str | None) -> Any:
    """What a target reads from an event; `None` where there is nothing."""
    day = datetime.fromtimestamp(0, UTC).toordinal() + event.time // 86_400_000_000
    match target:
        case "time":
            return format_instant(event.time)
        case "type" | "text" | "id" | "source":
            return getattr(event, target)
        case "day":
            return day
        case "hour":
            return event.time // 3_600_000_000
    return typed(at(event, target.removeprefix("data.")), kind)


def at(event: Event, path: str) -> Any:
    """The value at a path of the data, else under a key that is the whole path."""
    found = event.data
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    if found is None and isinstance(event.data, dict):
        return event.data.get(path)
    return found


def typed(found: Any, kind: str | None) -> Any:
    """A value read as a field's type; `None` where it is not one."""
    if kind is None or found is None:
        return found
    text = as_text(found)
    assert text is not None
    if kind == "text":
        return text
    if kind == "number":
        if is_number(found):
            return found
        stripped = text.strip(" ")
        if not isinstance(found, str) or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", stripped):
            return None
        number = int(stripped) if re.fullmatch(r"-?[0-9]+", stripped) else float(stripped)
        return None if number in (float("inf"), float("-inf")) else number
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.strip(" ").lower())
    try:
        return format_instant(parse_instant(text)) if isinstance(found, str) else None
    except InputError:
        return None


def as_text(found: Any) -> str | None:
    """What SQL sees of a JSON value that it takes for text."""
    return found if found is None or isinstance(found, str) else canonical(found).decode()


def is_number(found: Any) -> bool:
    """Whether this is a JSON number."""
    return isinstance(found, (int, float)) and not isinstance(found, bool)


def exact(number: float) -> Fraction | None:
    """The decimal that a number's JSON text is, where it has at most 18 digits before and 10 behind the point."""
    text = canonical(number).decode()
    as_decimal = Decimal(text)
    _, digits, exponent = as_decimal.as_tuple()
    if "e+" in text or len(digits) + int(exponent) > 18 or int(exponent) < -10:
        return None
    return Fraction(as_decimal)


def total(numbers: list[float]) -> Any:
    """The exact sum where all numbers are decimals, else the correctly rounded sum of doubles."""
    exacts = [exact(n) for n in numbers]
    if None in exacts:
        return doubles(numbers)
    found = sum((e for e in exacts if e is not None), Fraction(0))
    return int(found) if found.denominator == 1 else float(found)


def doubles(numbers: list[float]) -> float | None:
    try:
        return fsum(map(float, numbers))
    except OverflowError:
        return None


def mean(numbers: list[float]) -> Any:
    """The mean, rounded half to even to 12 significant digits."""
    if not numbers:
        return None
    exacts = [exact(n) for n in numbers]
    rounded = doubles(numbers) if None in exacts else None
    if None in exacts and rounded is None:
        return None
    whole = Fraction(rounded) if rounded is not None else sum((e for e in exacts if e is not None), Fraction(0))
    found = whole / len(numbers)
    if found == 0:
        return 0
    shift = 0
    while abs(found) * Fraction(10) ** shift < 10**11:
        shift += 1
    while abs(found) * Fraction(10) ** shift >= 10**12:
        shift -= 1
    return float(round(found * Fraction(10) ** shift) / Fraction(10) ** shift)


def extreme(f: Field, values: list[Any]) -> Any:
    """The least or greatest number; without any number that of the strings by code point."""
    pick = min if f.operator == "min" else max
    if f.type == "time" or f.target == "time":
        return format_instant(pick(map(parse_instant, values))) if values else None
    numbers = [v for v in values if is_number(v)]
    strings = [v for v in values if isinstance(v, str)]
    return pick(numbers) if numbers else pick(strings) if strings else None
