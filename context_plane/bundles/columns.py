"""What a spec reads out of events, as SQL columns over the timeline.

Here belongs how a path of JSON data becomes text, number, boolean or instant, which events a field counts, and how
mixed values rank. What is then computed over the columns is `compile`. What two fields share is one column, computed
once an event: a column is known by its SQL, and lies one layer of SELECT above the columns that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from context_plane.bundles.expressions import Condition
from context_plane.bundles.fields import DATA, OWN_EVENTS, PSEUDO_FIELDS
from context_plane.sql import guard
from context_plane.sql.engine import literal

_NUMBER: Final = r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"
# What DECIMAL(38, 10) holds exactly, with room for a sum of 10^9 such numbers.
_DECIMAL: Final = (
    r"-?([0-9]{1,18}(\.[0-9]{1,10})?"
    r"|[0-9](\.[0-9]{1,3})?e-0?7|[0-9](\.[0-9]{1,2})?e-0?8|[0-9](\.[0-9])?e-0?9|[0-9]e-10)"
)
_INTEGER: Final = r"-?[0-9]{1,38}"
_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d"
_INSTANT: Final = rf"\d{{4}}-\d\d-\d\d[Tt ]{_CLOCK}:[0-5]\d(\.\d{{1,9}})?([Zz]|[+-]{_CLOCK})"
_YEARS_1_TO_9999: Final = "BETWEEN -62135596800000000 AND 253402300799999999"
_NUMBERS_LAST: Final = 1 << 60  # added to the ranks of numbers where the greatest is sought, so that they beat strings
_REFERENCE: Final = re.compile(r"\bv\d+\b")


class Columns:
    """The columns of one spec. Methods return the name of a column, or SQL over columns where they say so."""

    def __init__(self, own_globs: Iterable[str]) -> None:
        self._own_globs = tuple(own_globs)
        self._paths: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._sql: dict[str, str] = {}
        self._layers: dict[str, int] = {}

    def extract(self, entity_type: str, keep: Iterable[str]) -> str:
        """The statement over ``events``, rows of timelines: one row an event, by (entity, time, source, id)."""
        paths = ", ".join(literal(path) for path in self._paths)
        data = f", json_extract(data, [{paths}]) AS j" if paths else ""
        own = " OR ".join(f"type {_like(glob)}" for glob in self._own_globs)
        relevant = f"(NOT starts_with(type, '{OWN_EVENTS}'){' OR ' + own if own else ''})"
        sql = (
            f'SELECT entity, epoch_us("time") AS t, source, id, type, text, digest{data} FROM events '
            f"WHERE starts_with(entity, {literal(entity_type + '/')}) AND {relevant}"
        )
        for layer in range(1, max(self._layers.values(), default=0) + 1):
            new = [f"{self._sql[name]} AS {name}" for name, at in self._layers.items() if at == layer]
            sql = f"SELECT *, {', '.join(new)} FROM ({sql})"
        columns = dict.fromkeys(["entity", "t", "digest", *keep])
        return f"SELECT {', '.join(columns)} FROM ({sql}) ORDER BY entity, t, source, id"

    def column(self, sql: str) -> str:
        """The column that holds `sql`, which names columns made before."""
        if sql not in self._names:
            name = f"v{len(self._names)}"
            below = (self._layers[found] for found in _REFERENCE.findall(sql) if found in self._layers)
            self._names[sql], self._sql[name], self._layers[name] = name, sql, 1 + max(below, default=0)
        return self._names[sql]

    def json(self, target: str) -> str:
        """JSON text at a path of the data; JSON null is NULL. A key that itself holds the path's dots is found too."""
        keys = target.removeprefix(DATA).split(".")
        found = self._extracted("$" + "".join(f'."{key}"' for key in keys))
        if len(keys) > 1:
            whole = self._extracted('$."' + ".".join(keys) + '"')
            found = f"coalesce({found}, {whole})"
        return self.column(found)

    def text(self, target: str) -> str:
        """The characters of a string; the JSON text of anything else."""
        json = self.json(target)
        return self.column(f"CASE WHEN {json}[1] = '\"' THEN json_extract_string({json}, '$') ELSE {json} END")

    def number(self, target: str, *, loose: bool) -> str:
        """The text of a JSON number; `loose` also of a string that holds one."""
        json = self.json(target)
        strict = f"{json}[1] IN ('-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9')"
        if not loose:
            return self.column(f"CASE WHEN {strict} THEN {json} END")
        text = self.column(f"trim({self.text(target)})")
        written = f"{strict} OR ({json}[1] = '\"' AND regexp_full_match({text}, '{_NUMBER}'))"
        return self.column(f"CASE WHEN ({written}) AND isfinite(TRY_CAST({text} AS DOUBLE)) THEN {text} END")

    def double(self, number: str) -> str:
        """The double nearest to a number's text."""
        return self.column(f"TRY_CAST({number} AS DOUBLE)")

    def decimal(self, number: str) -> str:
        """The number as DECIMAL(38, 10) where that is exactly its text, else NULL."""
        written = f"regexp_full_match({number}, '{_DECIMAL}')"
        return self.column(f"CASE WHEN {written} THEN TRY_CAST({number} AS DECIMAL(38, 10)) END")

    def whole(self, number: str) -> str:
        """Integers exactly, because doubles beyond 2^53 cannot tell neighbours apart."""
        written = f"regexp_full_match({number}, '{_INTEGER}')"
        return self.column(f"CASE WHEN {written} THEN TRY_CAST({number} AS HUGEINT) END")

    def number_key(self, number: str) -> str:
        """Text that is the same for the same number, however it was written: 1.50 and 1.5, 1e3 and 1000."""
        double, whole = self.double(number), self.whole(number)
        large = f"CASE WHEN abs({double}) >= {2**53} THEN CAST({whole} AS VARCHAR) END"
        huge = f"CASE WHEN {whole} IS NULL AND regexp_full_match({number}, '-?[0-9]+') THEN {number} END"
        return self.column(f"coalesce({large}, {huge}, CAST({double} + 0 AS VARCHAR))")  # -0 + 0 is 0

    def boolean(self, target: str, *, loose: bool) -> str:
        """True and false; `loose` also from strings."""
        word = f"lower(trim({self.text(target)}))" if loose else self.json(target)
        return self.column(f"CASE {word} WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END")

    def instant(self, target: str) -> str:
        """Microseconds since the epoch of a string that is an RFC 3339 time; the cast cuts off what is finer."""
        written = f"regexp_full_match({self.json(target)}, '\"{_INSTANT}\"')"
        at = self.column(f"CASE WHEN {written} THEN epoch_us(TRY_CAST({self.text(target)} AS TIMESTAMPTZ)) END")
        return self.column(f"CASE WHEN {at} {_YEARS_1_TO_9999} THEN {at} END")

    def rank(self, *order: str) -> str:
        """The place of each event when all are sorted by these columns: unique, so that extremes do not tie."""
        return self.column(f"row_number() OVER (ORDER BY {', '.join(order)})")

    def mixed_rank(self, target: str, *, greatest: bool) -> tuple[str, str]:
        """Numbers by value, then strings by code point; and SQL for: the value is one of these."""
        number, json = self.number(target, loose=False), self.json(target)
        string = self.column(f"CASE WHEN {json}[1] = '\"' THEN json_extract_string({json}, '$') END")
        rank = self.rank(f"{self.double(number)} NULLS LAST", self.whole(number), string, json)
        if greatest:
            rank = self.column(f"{rank} + CASE WHEN {number} IS NULL THEN 0 ELSE {_NUMBERS_LAST} END")
        return rank, f"({number} IS NOT NULL OR {string} IS NOT NULL)"

    def mask(self, *conditions: str | None) -> str | None:
        """The column that is true for events that meet all conditions; `None` where there are none."""
        found = [each for each in conditions if each]
        return self.column(f"coalesce({' AND '.join(found)}, FALSE)") if found else None

    def of(self, globs: tuple[str, ...]) -> str | None:
        """SQL for: the event's type matches one of the globs; `None` where every extracted event does."""
        own = [f"type {_like(glob)}" for glob in globs if glob.startswith(OWN_EVENTS)]
        others = [f"type {_like(glob)}" for glob in globs if not glob.startswith(OWN_EVENTS)]
        if not globs or "*" in globs:
            others = ["TRUE"]
        if others and self._own_globs:  # else no event of the plane's own was extracted
            own.append(f"(NOT starts_with(type, '{OWN_EVENTS}') AND ({' OR '.join(others)}))")
        elif others == ["TRUE"]:
            return None
        else:
            own += others
        return f"({' OR '.join(own)})"

    def where(self, condition: Condition) -> str:
        """SQL for a field's `where`. What fails on an event's values is not true of that event."""
        mapping = {target: self._operand(target, kind, condition.loose) for target, kind in condition.kinds.items()}
        return f"TRY(CAST(({guard.rename(condition.expression, mapping)}) AS BOOLEAN))"

    def _operand(self, target: str, kind: str, loose: str | None) -> str:
        if target == "time":
            return "make_timestamp(t)"
        if target in PSEUDO_FIELDS:
            return target
        if kind == "number":
            return self.double(self.number(target, loose=target == loose))
        if kind == "boolean":
            return self.boolean(target, loose=target == loose)
        return f"make_timestamp({self.instant(target)})" if kind == "time" else self.text(target)

    def _extracted(self, path: str) -> str:
        item = self._paths.setdefault(path, f"j[{len(self._paths) + 1}]")
        return f"nullif(CAST({item} AS VARCHAR), 'null')"


def _like(glob: str) -> str:
    """SQL that compares a type with a glob, case and all."""
    if "*" not in glob:
        return f"= {literal(glob)}"
    escaped = re.sub(r"([\\%_])", r"\\\1", glob).replace("*", "%")
    return f"LIKE {literal(escaped)} ESCAPE '\\'"
