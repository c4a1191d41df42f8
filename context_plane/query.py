"""`plane.sql`: read-only SQL over a view, in a database that holds this tenant's view and can reach nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import InputError, NotFound
from context_plane.instants import from_datetime, to_datetime
from context_plane.log.events import EXECUTION, RESERVED
from context_plane.sql.engine import connect, identifier, literal, lock
from context_plane.sql.guard import check_query

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from context_plane.bundles.bundle import Bundle
    from context_plane.bundles.serve import BundleReader
    from context_plane.bundles.spec import ContextSpec
    from context_plane.memory.nodes.keeping import Keeper
    from context_plane.memory.nodes.seen import Seen
    from context_plane.parts.view import View

TABLES: Final = ("events", "bundles", "memory", "executions", "steps")
MEMORY: Final = "4GB"
"""What one query may use; beyond it the query fails, and the process that runs it goes on."""
MAX_SECONDS: Final = 300
_COLUMNS: Final = "entity, type, time, source, id, text, labels, data::JSON AS data, attributes::JSON AS attributes"


def run(view: View, text: str, reader: BundleReader, specs: Sequence[ContextSpec], keeper: Keeper) -> pa.Table:
    """The result of a checked SELECT as an Arrow table. Raises `InputError` where it is refused or does not run."""
    import duckdb

    query = check_query(text, where="query", tables=TABLES)
    con = open_database(view)
    try:
        if "bundles" in query.tables_used:
            con.register("bundles", _bundles(view, reader, specs))
        if "memory" in query.tables_used:
            con.register("memory", _memory(keeper.seen(view)))
        if {"executions", "steps"} & set(query.tables_used):
            _executions(con, view.tenant)
        lock(con)
        return con.sql(query.sql).to_arrow_table()
    except duckdb.Error as error:
        message = str(error).strip().splitlines()[0]
        raise InputError(
            f"the query does not run: {message}", where="query", remedy=f"tables are {', '.join(TABLES)}"
        ) from error
    finally:
        con.close()


def open_database(view: View) -> duckdb.DuckDBPyConnection:
    """A database whose view `events` is what the plane's view sees; files outside its timelines cannot be read."""
    paths = [str(path) for path in view.paths()]
    folders = sorted({path.rsplit("/", 1)[0] for path in paths})
    con = connect(folders=folders, memory=MEMORY)
    con.execute(f"SET max_execution_time = {MAX_SECONDS * 1_000}")
    con.register("tail", view.fresh())
    parts = f"SELECT {_COLUMNS} FROM tail"
    if paths:
        cut = literal(to_datetime(view.end).isoformat())
        files = ", ".join(literal(path) for path in paths)
        parts += f" UNION ALL SELECT {_COLUMNS} FROM read_parquet([{files}]) WHERE time < {cut}::TIMESTAMPTZ"
    con.execute(f"CREATE VIEW events AS {parts}")
    return con


def entities(view: View, type: str | None) -> list[str]:
    """All entities with an event that is not the plane's own, or of a type all with any event; by code point."""
    con = open_database(view)
    try:
        own = f"NOT starts_with(type, {literal(RESERVED)})"  # what only the plane speaks of is asked for by its type
        condition = f" WHERE {own if type is None else f'starts_with(entity, {literal(type + chr(47))})'}"
        rows = con.execute(f"SELECT DISTINCT {identifier('entity')} FROM events{condition} ORDER BY 1").fetchall()
        return [row[0] for row in rows]
    finally:
        con.close()


def _bundles(view: View, reader: BundleReader, specs: Iterable[ContextSpec]) -> pa.Table:
    import pyarrow as pa

    rows: list[tuple[Any, ...]] = []
    for spec in specs:
        try:
            rows += [_row(bundle) for bundle in reader.all(view, spec)]
        except NotFound:
            continue
    names = ["spec", "entity", "as_of", "fields", "summary", "tokens", "event_count", "version"]
    types = [pa.string(), pa.string(), pa.timestamp("us", tz="UTC"), pa.string(), pa.string(), pa.int64(), pa.int64()]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, [*types, pa.string()], strict=True)]
    return pa.Table.from_arrays(arrays, names=names)


def _memory(seen: Seen) -> pa.Table:
    """All nodes that a view shows, also those that are superseded."""
    import pyarrow as pa

    text, time, texts = pa.string(), pa.timestamp("us", tz="UTC"), pa.list_(pa.string())
    kinds = {
        "id": text, "entity": text, "about": texts, "type": text, "text": text, "time": time, "recorded": time,
        "confidence": pa.float64(), "session": text, "origin": text, "superseded_by": texts, "conflicts": texts,
        "accesses": pa.int64(),
    }  # fmt: skip
    nodes = [seen.described(kept) for kept in seen.all()]
    rows = [
        (
            n.id, n.entity, list(n.about), n.type, n.text, n.at, n.kept.recorded, n.confidence, n.session,
            n.kept.origin, list(n.superseded_by), list(n.conflicts), n.accesses,
        )
        for n in nodes
    ]  # fmt: skip
    columns: Any = zip(*rows, strict=True) if rows else [()] * len(kinds)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds.values(), strict=True)]
    return pa.Table.from_arrays(arrays, names=list(kinds))


def _executions(con: duckdb.DuckDBPyConnection, tenant: str) -> None:
    """Views over the records of executions: one row for each, and one for each step that is over. What is not sealed
    yet, at most a second's, is not among them."""
    con.execute(f"""
        CREATE VIEW execution_records AS SELECT
            {literal(tenant + ".")} || split_part(entity, '/', 2) AS execution,
            CAST(split_part(id, '/', 2) AS INTEGER) AS seq, time, data->>'kind' AS kind, data->'body' AS body
        FROM events WHERE type = {literal(EXECUTION)}""")
    con.execute("""
        CREATE VIEW executions AS SELECT
            execution,
            any_value(body->'process'->>'name') FILTER (kind = 'accepted') AS process,
            CAST(any_value(body->'process'->>'version') FILTER (kind = 'accepted') AS INTEGER) AS version,
            any_value(body->>'digest') FILTER (kind = 'accepted') AS digest,
            any_value(body->>'entity') FILTER (kind = 'accepted') AS entity,
            CASE arg_max(kind, seq) WHEN 'finished' THEN arg_max(body->>'status', seq) WHEN 'paused' THEN 'paused'
                WHEN 'accepted' THEN 'accepted' ELSE 'running' END AS status,
            CASE arg_max(kind, seq) WHEN 'finished' THEN arg_max(body->>'reason', seq) ELSE '' END AS reason,
            min(time) AS created, max(time) AS updated,
            count(*) FILTER (kind = 'step' AND body->>'status' = 'done') AS steps_done,
            any_value(body->'inputs') FILTER (kind = 'accepted') AS inputs,
            any_value(body->'event'->>'id') FILTER (kind = 'accepted') AS event
        FROM execution_records GROUP BY execution""")
    con.execute("""
        CREATE VIEW steps AS SELECT
            execution, body->>'step' AS step, body->>'status' AS status, time,
            CAST(body->>'seconds' AS DOUBLE) AS seconds, CAST(body->>'attempt' AS INTEGER) AS attempts,
            CAST(body->>'repeated' AS BOOLEAN) AS repeated,
            CAST(body->'context'->>'tokens' AS INTEGER) AS context_tokens,
            body->'context'->>'receipt' AS receipt, body->'model'->>'name' AS model,
            CAST(body->'model'->>'input_tokens' AS INTEGER) AS input_tokens,
            CAST(body->'model'->>'output_tokens' AS INTEGER) AS output_tokens,
            CAST(body->'model'->>'cost' AS DOUBLE) AS cost,
            body->>'error' AS error, body->'output' AS output
        FROM execution_records WHERE kind = 'step'""")


def _row(bundle: Bundle) -> tuple[Any, ...]:
    from datetime import datetime

    at = from_datetime(datetime.fromisoformat(bundle.as_of))
    fields = json.dumps(bundle.fields, ensure_ascii=False)
    return (
        bundle.spec, bundle.entity, at, fields, bundle.summary, bundle.tokens, bundle.events.count, bundle.version,
    )  # fmt: skip
