"""Metadata: what a person finds when opening an asset in Dagster's UI.

Here belongs laying facts out; they come from the log, from parts and from snapshots, never from Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from context_assets.folding import Folded
from context_assets.partitions import days_of
from context_assets.plot import plot, sparkline
from context_plane.canonical import digest
from context_plane.instants import format_instant
from context_plane.parts.daily import part_key
from context_plane.parts.part import CONTEXTS, DAILY, TIMELINE
from context_plane.store import keys

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.bundles.spec import ContextSpec
    from context_plane.parts.part import Part
    from context_plane.store.base import Store

Values = dict[str, dg.MetadataValue]
BUILT: Final = "built"
UNCHANGED: Final = "unchanged"
_PLOTTED_DAYS: Final = 120
_PLOTTED_WINDOWS: Final = 62


def of_run(folded: Sequence[Folded], rows: str) -> Values:
    """What a run did over all its windows. `rows` is what the parts count: events or bundles."""
    parts = [part for each in folded for part in each.parts.values()]
    clocks = [(each.builder.history.clock(each.built.until), each.built.until) for each in folded]
    clock, number = max(clocks, default=(None, 0), key=lambda found: found[0] or 0)
    total = sum(part.rows for part in parts)
    return {
        BUILT: dg.MetadataValue.int(sum(len(each.built.parts) for each in folded)),
        UNCHANGED: dg.MetadataValue.int(sum(each.built.unchanged for each in folded)),
        rows: dg.MetadataValue.int(total),
        "dagster/row_count": dg.MetadataValue.int(total),
        "bytes": dg.MetadataValue.int(sum(part.size for part in parts)),
        "tenants": dg.MetadataValue.text(", ".join(sorted({each.tenant for each in folded}))),
        "data clock": dg.MetadataValue.text(format_instant(clock) if clock else "no events"),
        "log number": dg.MetadataValue.int(number),
    }


def of_windows(context: dg.AssetExecutionContext, folded: Sequence[Folded], rows: str) -> None:
    """Adds to each partition's event what is in that window, and how it stands among its neighbours.

    Of very many windows only the newest gets the picture: Dagster keeps a copy of it in every event.
    """
    windows = sorted((*days_of(key), key) for key in context.partition_keys)
    for each in folded:
        trend, picture = _trend(each, rows)
        mine = [(days, key) for tenant, days, key in windows if tenant == each.tenant and _inside(days, each.days)]
        for days, key in mine:
            drawn = picture if len(mine) <= _PLOTTED_WINDOWS or key == mine[-1][1] else {}
            values = {**_of_window(each, each.within(days), rows), **trend, **drawn}
            context.add_asset_metadata(values, partition_key=key)


def _inside(days: tuple[int, int], outer: tuple[int, int]) -> bool:
    return outer[0] <= days[0] and days[1] <= outer[1]


def data_version(folded: Iterable[Folded]) -> dg.DataVersion:
    """One version for everything in the run's ranges: Dagster keeps a single one for all partitions of a range run."""
    versions = [[each.tenant, *(part.version for part in each.within(each.days))] for each in folded]
    return dg.DataVersion(digest(versions))


def columns(schema: pa.Schema) -> dg.TableSchema:
    """The columns of a table."""
    return dg.TableSchema(
        [
            dg.TableColumn(field.name, str(field.type), constraints=dg.TableColumnConstraints(nullable=field.nullable))
            for field in schema
        ]
    )


def bundle_columns(spec: ContextSpec) -> dg.TableSchema:
    """The fields of a spec's bundles."""
    columns = [dg.TableColumn("entity", "string", description=f"{spec.entity}/…")]
    for field in spec.fields:
        target = field.target if isinstance(field.target, str) else ", ".join(field.target or ())
        text = f"{field.operator} {target}".strip()
        columns.append(dg.TableColumn(field.name, field.type or "json", description=text))
    if spec.summary is not None:
        columns.append(dg.TableColumn("summary", "string", description=f"at most {spec.summary.max_tokens} tokens"))
    return dg.TableSchema(columns)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _of_window(folded: Folded, parts: Sequence[Part], rows: str) -> Values:
    values: Values = {
        "window": dg.MetadataValue.md(_table(folded, parts, rows) if parts else "no events in this window"),
        "dagster/partition_row_count": dg.MetadataValue.int(sum(part.rows for part in parts)),
    }
    if parts:
        values["object"] = _place(folded.builder.history.store, _key(folded, parts[-1]))
    return values


def _place(store: Store, key: str) -> dg.MetadataValue:
    """Where an object lies: its path on a local disk, else its URL."""
    path = store.path(key)
    return dg.MetadataValue.path(path) if path is not None else dg.MetadataValue.text(f"{store.url.rstrip('/')}/{key}")


def _table(folded: Folded, parts: Sequence[Part], rows: str) -> str:
    fresh = {part.day for part in folded.built.parts}
    return table(
        ["day", rows, "bytes", "in this run", "checks"],
        [
            [
                part.date.isoformat(),
                f"{part.rows:,}",
                f"{part.size:,}",
                "built" if part.day in fresh else "unchanged",
                "passed" if part.passed else ", ".join(name for name, good in part.checks.items() if not good),
            ]
            for part in parts
        ],
    )


def _key(folded: Folded, part: Part) -> str:
    if folded.kind == TIMELINE:
        return keys.timeline(folded.tenant, part.date, part.version)
    if folded.kind in DAILY:
        return part_key(folded.tenant, folded.kind, part)
    return keys.pack(folded.tenant, folded.kind.removeprefix(CONTEXTS), part.date, part.version)


def _trend(folded: Folded, rows: str) -> tuple[Values, Values]:
    """The parts up to the run's last day: as a line, which the UI shows at once, and as a picture at a click."""
    held = folded.builder.snapshots.current().of(folded.kind)
    values = {day: part.rows for day, part in sorted({**held, **folded.parts}.items()) if day <= folded.days[1]}
    shown = dict(list(values.items())[-_PLOTTED_DAYS:])
    if not shown:
        return {}, {}
    fresh = {part.day for part in folded.built.parts}
    title = f"{folded.tenant}: {rows} a day; {len(fresh & shown.keys())} of {len(shown)} built in this run"
    alt = f"{sum(shown.values()):,} {rows} on {len(shown)} days"
    return {"trend": dg.MetadataValue.text(sparkline(shown))}, {"plot": plot(title, shown, fresh, alt)}
