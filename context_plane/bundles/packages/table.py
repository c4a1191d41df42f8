"""The table `ctx_packages` in LanceDB: one row a package, for people who ask with SQL or Lance.

Here belongs keeping it equal to what was built. Nothing that the plane answers depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical
from context_plane.instants import parse_instant, to_datetime
from context_plane.retrieval.building.lance import make_table, open_table, settled, translated

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

    from context_plane.bundles.packages.package import Package
    from context_plane.store.base import Store

NAME: Final = "ctx_packages"
_KEY: Final = "name"
_UNIQUE: Final = {"lance-schema:unenforced-primary-key": "true"}
_MOST_FRAGMENTS: Final = 64


def schema() -> pa.Schema:
    """The columns."""
    import pyarrow as pa

    texts = pa.list_(pa.string())
    return pa.schema(
        [
            pa.field(_KEY, pa.string(), nullable=False, metadata=_UNIQUE),
            pa.field("scope", pa.string()),
            pa.field("origin", pa.string()),
            pa.field("description", pa.string()),
            pa.field("version", pa.string(), nullable=False),
            pa.field("built", pa.timestamp("us", tz="UTC")),
            pa.field("log", pa.int64()),
            pa.field("tokens", pa.int64()),
            pa.field("raw_tokens", pa.int64()),
            pa.field("ratio", pa.float64()),
            pa.field("accesses", pa.int64()),
            pa.field("chains", texts),
            pa.field("topics", texts),
            pa.field("queries", texts),
            pa.field("depends", texts),
            pa.field("sources", pa.string()),
            pa.field("text", pa.string()),
        ]
    )


def row(package: Package) -> dict[str, Any]:
    """The row of a package."""
    about = package.freshness
    refs = [str(source["ref"]) for source in package.sources]
    return {
        _KEY: package.name, "scope": package.scope, "origin": package.origin, "description": package.description,
        "version": package.version, "log": about.log,
        "built": None if about.built is None else to_datetime(parse_instant(about.built)),
        "tokens": package.tokens, "raw_tokens": package.raw_tokens, "ratio": package.ratio,
        "accesses": package.accesses, "chains": sorted(package.chains),
        "topics": [ref.removeprefix("topic ") for ref in refs if ref.startswith("topic ")],
        "queries": [ref.removeprefix("query ") for ref in refs if ref.startswith("query ")],
        "depends": [f"{each['package']}@{each['version']}" for each in package.depends],
        "sources": canonical(package.sources).decode(), "text": package.text,
    }  # fmt: skip


def settle(store: Store, tenant: str, packages: Iterable[Package], names: Sequence[str]) -> None:
    """Writes the rows of packages, and takes out those that are not among `names`. Raises `Unavailable`."""
    import pyarrow as pa

    rows = pa.Table.from_pylist([row(each) for each in packages], schema())
    table = make_table(store, tenant, NAME, schema())

    def merge(table: Table) -> None:
        if len(rows):
            into = table.merge_insert(_KEY).when_matched_update_all().when_not_matched_insert_all()
            into.execute(rows, timeout=timedelta(minutes=10))
        kept = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
        table.delete(f"{_KEY} NOT IN ({kept})" if kept else "true")
        stats: Any = table.stats()
        if stats["fragment_stats"]["num_small_fragments"] > _MOST_FRAGMENTS:
            table.optimize()

    with translated(tenant, NAME):
        settled(table, merge)


def read(store: Store, tenant: str) -> pa.Table:
    """All rows, by name. Raises `Unavailable`."""
    table = open_table(store, tenant, NAME)
    if table is None:
        return schema().empty_table()
    with translated(tenant, NAME):
        return table.to_arrow().sort_by(_KEY)
