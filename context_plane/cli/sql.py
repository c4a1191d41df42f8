"""`cortex sql`: one read-only SELECT over a tenant's view, as a table or as a JSON list of rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import click

from context_plane.cli.options import cut_options, json_option, open_existing, tenant_argument
from context_plane.cli.output import note, on_terminal, table

if TYPE_CHECKING:
    import pyarrow as pa

MAX_SHOWN: Final = 200
"""Rows shown on a terminal; a pipe and `--json` get all."""


@click.command("sql")
@tenant_argument
@click.argument("query", metavar="QUERY")
@cut_options
@json_option
def command(tenant: str, query: str, as_of: int | None, known_at: int | None, as_json: bool) -> None:
    """Run one read-only SELECT over the tables events, bundles and memory of a tenant."""
    with open_existing() as plane:
        found = plane.sql(tenant, query, as_of=as_of, known_at=known_at)
    if as_json:
        _print_json(found)
    else:
        _print_table(found)


def _print_table(found: pa.Table) -> None:
    import pyarrow.types as kinds

    shown = found.slice(0, MAX_SHOWN) if on_terminal() else found
    rows = [[_shown(value) for value in row] for row in _rows(shown)]
    numbers = [
        at
        for at, kind in enumerate(found.schema.types)
        if kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind)
    ]
    table(found.schema.names, rows, right=numbers)
    if shown.num_rows < found.num_rows:
        note(f"{found.num_rows - shown.num_rows:,} more rows: add a LIMIT, or print all with --json")


def _print_json(found: pa.Table) -> None:
    """A JSON list with one row a line, so that it can be read as it comes. JSON columns (data) are texts of JSON."""
    names = [json.dumps(name, ensure_ascii=False) for name in found.schema.names]
    separator = "[\n"
    for row in _rows(found):
        pairs = (f"{name}: {encode(value)}" for name, value in zip(names, row, strict=True))
        click.echo(f"{separator}{{{', '.join(pairs)}}}".encode("utf-8", "backslashreplace"), nl=False)
        separator = ",\n"
    click.echo("[]" if separator == "[\n" else "\n]")


def _rows(found: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in found.to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def encode(value: Any) -> str:
    """A value of a result as JSON. Decimals keep all digits, times are RFC 3339, what JSON lacks is null or text."""
    match value:
        case Decimal():
            return f"{value:f}" if value.is_finite() else "null"
        case float():
            return repr(value) if math.isfinite(value) else "null"
        case dict():
            pairs = (f"{json.dumps(str(name), ensure_ascii=False)}: {encode(each)}" for name, each in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list() | tuple():
            return f"[{', '.join(map(encode, value))}]"
        case None | bool() | int() | str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return json.dumps(_text(value), ensure_ascii=False)


def _text(value: Any) -> str:
    match value:
        case datetime() if value.tzinfo is not None:
            from context_plane.instants import format_instant, from_datetime

            return format_instant(from_datetime(value))
        case date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return str(value)


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | int() | float() | Decimal() | dict() | list():
            return encode(value)
        case _:
            return _text(value)
