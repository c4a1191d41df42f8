"""Timeline rows as evaluation takes them in: the few columns it needs, of one entity type, from tables and files.

Here belongs reading; what the rows mean was decided when they were written (`context_plane.parts.timeline`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset


def schema() -> pa.Schema:
    """The columns that bundles are computed from."""
    import pyarrow as pa

    text = {name: pa.string() for name in ("entity", "source", "id", "type", "text", "data")}
    return pa.schema({"time": pa.timestamp("us", tz="UTC"), "digest": pa.binary(16), **text})


def read(
    events: pa.Table | Sequence[Path], extra: pa.Table | None, entity_type: str, entity: str | None
) -> pa.RecordBatchReader:
    """The rows of one type's entities, or of one entity, in no particular order.

    Files are read batch by batch and only where their statistics let them hold such a row.
    """
    import pyarrow as pa

    form = schema()
    return pa.RecordBatchReader.from_batches(form, _batches(events, extra, form, entity_type, entity))


def _batches(
    events: pa.Table | Sequence[Path], extra: pa.Table | None, form: pa.Schema, entity_type: str, entity: str | None
) -> Iterator[pa.RecordBatch]:
    for source in (events, extra):
        if source is None:
            continue
        if isinstance(source, Sequence):
            batches: Iterable[pa.RecordBatch] = _from_files(source, form, entity_type, entity)
        else:
            batches = _from_table(source, form, entity)
        for batch in batches:
            yield batch if batch.schema == form else batch.cast(form)


def _from_table(table: pa.Table, form: pa.Schema, entity: str | None) -> list[pa.RecordBatch]:
    import pyarrow.compute as pc

    table = table.select(form.names)
    if entity is not None:  # by a mask: filtering by an expression starts an execution plan, a millisecond
        table = table.filter(pc.equal(table["entity"], entity))
    batches: list[pa.RecordBatch] = table.to_batches()
    return batches


def _from_files(
    paths: Sequence[Path], form: pa.Schema, entity_type: str, entity: str | None
) -> Iterator[pa.RecordBatch]:
    import pyarrow.compute as pc

    if not paths:
        return
    if entity is not None:
        wanted = pc.field("entity") == entity
    else:  # a range, because statistics know ranges; "0" is the character behind "/"
        wanted = (pc.field("entity") >= f"{entity_type}/") & (pc.field("entity") < f"{entity_type}0")
    yield from _files(tuple(map(str, paths))).scanner(columns=form.names, filter=wanted).to_batches()


@lru_cache(maxsize=8)
def _files(paths: tuple[str, ...]) -> Dataset:
    """The files as one data set, which remembers their footers: reading these again for every entity is most of the
    work. Timelines are named by their content, so a path never comes to mean other bytes."""
    from pyarrow.dataset import dataset

    return dataset(list(paths), format="parquet")
