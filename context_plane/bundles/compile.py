"""A context spec as DuckDB SQL.

Here belongs the translation of operators, as text: one statement that extracts what the spec needs from events, one
that aggregates extracted events into one row an entity, one for the `expr` fields. The columns under them are
`columns`, running the statements is `evaluate`, what their rows mean is `outputs`.

Extracted events are sorted by (entity, time, source, id) and numbered: ``n`` is an event's place, so that the latest of
some events is their greatest ``n``, ties and all, and aggregation works on narrow numbers while the values stay where
they are. What depends on the instant comes as columns (``w0`` …), so that every statement is planned once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from context_plane.bundles.columns import Columns
from context_plane.bundles.expressions import Derived, condition, derive
from context_plane.bundles.fields import PSEUDO_FIELDS, Field
from context_plane.bundles.sentences import MAX_CHARS

if TYPE_CHECKING:
    from context_plane.bundles.spec import ContextSpec, Summary

LIST_TEXT_CHARS: Final = 240  # so many characters of an event's text are shown in a list
SUMMARY_EVENTS: Final = 30  # so many of the most recent events with text are considered for a summary


@dataclass(frozen=True, slots=True)
class Value:
    """A column of the extracted events and how it becomes JSON: ``json`` and ``number`` hold JSON text, ``boolean``
    true or false, ``text`` is quoted, ``cut`` is quoted and shortened, ``time`` holds microseconds."""

    column: str
    kind: str


@dataclass(frozen=True, slots=True)
class Output:
    """How a field is read from an entity's row: the first of its columns there, the values it points to; for sums the
    mask and the doubles of the events, from which inexact sums are computed."""

    field: Field
    at: int
    values: tuple[Value, ...] = ()
    mask: str = ""
    doubles: str = ""


@dataclass(frozen=True, slots=True)
class Quoted:
    """Where the events of a summary are found in an entity's row, and the column of their texts."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled spec.

    `extract` reads ``events``, the columns of timelines. `aggregate` reads ``batch``: `c` the entity's number, `n`,
    `t`, for each window but the widest ``w0``, ``w1`` … whether it holds the event, and the columns `narrow`, of which
    those in `codes` hold numbers for equal values. `derive` reads ``fields``: `i`, and what expressions name; its
    result has a column for each of `derived`.
    """

    extract: str
    aggregate: str
    derive: str | None
    outputs: tuple[Output, ...]
    derived: tuple[Derived, ...]
    narrow: tuple[str, ...]
    codes: frozenset[str]
    width: int
    """Columns of `aggregate` beside `c`."""
    summary: Quoted | None


def compile_spec(spec: ContextSpec) -> Program:
    """The SQL of a spec that came through `parse_spec`."""
    compiler = _Compiler(spec)
    outputs = tuple(compiler.output(field) for field in spec.fields if field.operator != "expr")
    summary = compiler.summary(spec.summary) if spec.summary is not None else None
    derived = derive(spec.fields, lambda *_: f"context {spec.name}")
    return Program(
        extract=compiler.columns.extract(spec.entity, [*compiler.keep, *compiler.narrow]),
        aggregate=f"SELECT {', '.join(['c', *compiler.aggregates])} FROM batch GROUP BY c ORDER BY c",
        derive=_derive_sql(spec.fields, derived) if derived else None,
        outputs=outputs,
        derived=derived,
        narrow=tuple(compiler.narrow),
        codes=frozenset(compiler.codes),
        width=len(compiler.aggregates),
        summary=summary,
    )


def _derive_sql(fields: Sequence[Field], derived: Sequence[Derived]) -> str:
    """Each expression one SELECT above those it names. TRY: what fails for one entity is null for that entity."""
    columns = {field.name: f"f{index}" for index, field in enumerate(fields)}
    sql = "fields"
    for each in derived:
        sql = f"(SELECT *, {each.sql} AS {columns[each.name]} FROM {sql})"
    written = ("epoch_us({})" if each.kind == "time" else "CAST(to_json({}) AS VARCHAR)" for each in derived)
    results = (f"TRY({form.format(columns[each.name])})" for form, each in zip(written, derived, strict=True))
    return f"SELECT {', '.join(results)} FROM {sql} ORDER BY i"


class _Compiler:
    """Collects columns and aggregates, field by field."""

    def __init__(self, spec: ContextSpec) -> None:
        self._spec = spec
        self._window: int | None = None
        self.columns = Columns(spec.own_globs)
        self.aggregates: list[str] = []
        self.keep: dict[str, None] = {}
        self.narrow: dict[str, None] = {}
        self.codes: set[str] = set()

    def output(self, field: Field) -> Output:
        """The aggregates of a field that is not an expression."""
        self._window = field.window
        at = 1 + len(self.aggregates)  # the first column is `c`
        match field.operator:
            case "sum" | "avg":
                return self._sum(field, at)
            case "min" | "max":
                return self._extreme(field, at)
            case "count_distinct":
                return self._distinct(field, at)
            case "list":
                return self._list(field, at)
            case "latest" | "first":
                picked = self._value(str(field.target), field.type)
                pick = "max" if field.operator == "latest" else "min"
                self._aggregate(f"{pick}(n)", self._mask(field, f"{picked.column} IS NOT NULL"))
                return Output(field, at, (picked,))
            case _:
                counted = None
                if isinstance(field.target, str):
                    counted = f"{self._value(field.target, None).column} IS NOT NULL"
                self._aggregate("count(*)", self._mask(field, counted))
                return Output(field, at)

    def summary(self, summary: Summary) -> Quoted:
        """The aggregate that picks the events that a summary may quote."""
        text = self.columns.column(f"left(text, {MAX_CHARS})")
        self.keep |= {"type": None, text: None}
        self._window = self._spec.window
        mask = self._narrowed(self.columns.mask("text <> ''", self.columns.of(summary.of)))
        self._aggregate(f"max(n, {SUMMARY_EVENTS})", mask)
        return Quoted(len(self.aggregates), text)

    def _sum(self, field: Field, at: int) -> Output:
        number = self.columns.number(str(field.target), loose=field.type == "number")
        exact, doubles = self.columns.decimal(number), self.columns.double(number)
        mask = self._mask(field, f"{doubles} IS NOT NULL")
        assert mask is not None
        self.narrow[exact] = self.keep[doubles] = None
        self._aggregate(f"sum({exact})", mask, cast="VARCHAR")
        self._aggregate(f"bool_or({exact} IS NULL)", mask)
        if field.operator == "avg":
            self._aggregate("count(*)", mask)
        return Output(field, at, mask=mask, doubles=doubles)

    def _extreme(self, field: Field, at: int) -> Output:
        target = str(field.target)
        value = self._value(target, field.type)
        present = f"{value.column} IS NOT NULL"
        if target == "time":
            order = "n"  # events are numbered in the order of their times
        elif field.type == "number":
            number = self.columns.number(target, loose=True)
            order = self.columns.rank(self.columns.double(number), self.columns.whole(number), number)
        elif field.type is not None or target in PSEUDO_FIELDS:
            order = self.columns.rank(value.column)
        else:
            order, present = self.columns.mixed_rank(target, greatest=field.operator == "max")
        mask = self._mask(field, present)
        if order != "n":
            self.narrow[order] = None
        self._aggregate(f"{'arg_min' if field.operator == 'min' else 'arg_max'}(n, {order})", mask)
        return Output(field, at, (value,))

    def _distinct(self, field: Field, at: int) -> Output:
        key = self._key(field)
        mask = self._mask(field, f"{key} IS NOT NULL")
        if key != "t":
            self.narrow[key] = None
            self.codes.add(key)
        # Not count(DISTINCT …): for a few rows that costs a millisecond a field.
        self._aggregate(f"list({key})", mask, wrap="len(list_distinct({}))")
        return Output(field, at)

    def _key(self, field: Field) -> str:
        """The column by which distinct values are told apart."""
        columns, target = self.columns, str(field.target)
        if target == "day":
            return columns.column("CAST(make_timestamp(t) AS DATE)")
        if target == "hour":
            return columns.column("date_trunc('hour', make_timestamp(t))")
        if field.type == "number":
            return columns.number_key(columns.number(target, loose=True))
        return self._value(target, field.type).column

    def _list(self, field: Field, at: int) -> Output:
        targets = field.target if isinstance(field.target, tuple) else (str(field.target),)
        values = tuple(self._value(target, None, cut=True) for target in targets)
        present = f"{values[0].column} IS NOT NULL" if isinstance(field.target, str) else None
        self._aggregate(f"{'max' if field.newest else 'min'}(n, {field.limit})", self._mask(field, present))
        return Output(field, at, values)

    def _value(self, target: str, kind: str | None, *, cut: bool = False) -> Value:
        columns = self.columns
        if target == "text" and cut:  # one character more tells whether something was cut
            value = Value(columns.column(f"left(text, {LIST_TEXT_CHARS + 1})"), "cut")
        elif target in PSEUDO_FIELDS:
            value = Value("t", "time") if target == "time" else Value(target, "text")
        elif kind == "number":
            value = Value(columns.number(target, loose=True), kind)
        elif kind == "boolean":
            value = Value(columns.boolean(target, loose=True), kind)
        elif kind == "time":
            value = Value(columns.instant(target), kind)
        else:
            value = Value(columns.text(target), kind) if kind == "text" else Value(columns.json(target), "json")
        self.keep[value.column] = None
        return value

    def _mask(self, field: Field, present: str | None) -> str | None:
        checked = condition(field)
        where = self.columns.where(checked) if checked else None
        return self._narrowed(self.columns.mask(self.columns.of(field.of), where, present))

    def _narrowed(self, mask: str | None) -> str | None:
        if mask:
            self.narrow[mask] = None
        return mask

    def _aggregate(self, sql: str, mask: str | None, *, cast: str = "", wrap: str = "{}") -> None:
        """Adds an aggregate over the events that the mask and the field's window let in."""
        bounds = [mask] if mask else []
        if self._window != self._spec.longest:  # a batch holds the widest window's events, no others
            bounds.append(f"w{self._spec.windows.index(self._window)}")
        only = f"{sql} FILTER (WHERE {' AND '.join(bounds)})" if bounds else sql
        self.aggregates.append(f"CAST({only} AS {cast})" if cast else wrap.format(only))
