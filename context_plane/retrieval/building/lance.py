"""LanceDB: where the tables of a tenant are, how they are opened and made, and what its errors mean.

Here belongs what LanceDB leaves to its callers when several processes work on a table at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from context_plane.errors import ContextPlaneError, Unavailable
from context_plane.store import keys
from context_plane.store.faults import reach

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.db import DBConnection
    from lancedb.table import Table

    from context_plane.store.base import Store

EMBEDDINGS: Final = "embeddings"
_ATTEMPTS: Final = 20
_MADE_WITHIN: Final = 10.0
"""Seconds after which who wanted to make a table is taken to have been killed before he did."""
_memories: dict[str, DBConnection] = {}


def table_name(model: str) -> str:
    """Name of the table of a model's vectors."""
    return f"{EMBEDDINGS}_{hashlib.sha256(model.encode()).hexdigest()[:16]}"


def open_table(store: Store, tenant: str, name: str) -> Table | None:
    """A table, to be read; `None` where there is none."""
    with translated(tenant, name):
        try:
            return _connect(store, tenant).open_table(name)
        except ValueError as error:
            if "not found" in str(error):
                return None
            raise


def make_table(store: Store, tenant: str, name: str, schema: pa.Schema) -> Table:
    """A table, made where there is none.

    Only one process makes it, of all that find none: of two that make a table at once LanceDB lets the second take the
    place of the first, with what was written into that. Raises `Unavailable`.
    """
    attempt = 0
    while (found := open_table(store, tenant, name)) is None:
        attempt += 1
        if store.create(keys.lance_turn(tenant, name, attempt), b"{}\n"):
            reach("lance.turn-taken")
            with translated(tenant, name):
                return _connect(store, tenant).create_table(name, schema=schema, exist_ok=True)
        waited = monotonic()
        while open_table(store, tenant, name) is None and monotonic() - waited < _MADE_WITHIN:
            sleep(0.02)
    return found


def settled(table: Table, change: Callable[[Table], None]) -> None:
    """Makes a change that looks first what there is to do, again where another process came between.

    LanceDB itself tries only merges again, and neither columns nor indexes.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            change(table)
        except (RuntimeError, ValueError) as error:
            if attempt == _ATTEMPTS or not any(
                words in str(error) for words in ("commit conflict", "already exists", "index not found")
            ):
                raise
            table.checkout_latest()  # type: ignore[no-untyped-call]
        else:
            return


def _connect(store: Store, tenant: str) -> DBConnection:
    """LanceDB where the tenant's objects lie. It opens S3 itself, from the variables that the store reads too."""
    import lancedb

    place = f"{store.url.rstrip('/')}/{keys.lance(tenant).rstrip('/')}"
    if store.url.startswith("memory://"):
        if place not in _memories:
            _memories[place] = lancedb.connect("memory://")
        return _memories[place]
    if not store.url.startswith("s3://"):
        return lancedb.connect(place.removeprefix("file://"))
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    options = {"region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"}
    if endpoint:
        options |= {"aws_endpoint": endpoint, "allow_http": str(endpoint.startswith("http://")).lower()}
    return lancedb.connect(place, storage_options=options)


@contextmanager
def translated(tenant: str, table: str = EMBEDDINGS) -> Iterator[None]:
    """LanceDB's errors as ours: it raises OSError, RuntimeError and ValueError alike. Over damaged files it may panic,
    which is no `Exception`."""
    try:
        yield
    except ContextPlaneError:
        raise
    except BaseException as error:
        if not isinstance(error, (OSError, RuntimeError, ValueError)) and "Panic" not in type(error).__name__:
            raise
        known = "embeddings" if table.startswith(EMBEDDINGS) else table
        what = f"the table of {known} does not answer: {str(error).strip().splitlines()[0][:300]}"
        remedy = "try again; if it is damaged, delete the folder lance and materialize: its tables are made anew"
        raise Unavailable(what, where=f"tenant {tenant}", remedy=remedy) from error
