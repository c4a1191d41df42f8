"""Making the tables, and bringing those of an older release to what they are now.

Here belongs DDL, and nothing that is done more than once to a database. Whoever opens a state first does it, in one
transaction that others wait for; a process of the older release that still runs can go on with the new tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from context_plane.errors import Conflict
from context_plane.store.state.tables import EXECUTION, VERSION, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_LOCK: Final = 0x6374785F7374617
"""PostgreSQL's advisory lock while tables are made. `IF NOT EXISTS` alone does not do: two at once fail there."""


def prepare(engine: Engine, where: str) -> None:
    """Makes what is missing. Any number of processes may do so at once. Raises `Conflict` for tables of a newer
    release."""
    with engine.connect() as connection:
        if _version(connection) == VERSION:
            return  # without a lock, and without the right to make tables
        connection.rollback()
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        held = _version(connection)
        if held == VERSION:
            return  # another was faster
        if held is None:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS state_version (version INTEGER PRIMARY KEY)")
            connection.exec_driver_sql(f"INSERT INTO state_version VALUES ({VERSION})")
        elif held > VERSION:
            what = f"the state has tables of version {held}, this release reads {VERSION}"
            raise Conflict(what, where=where, remedy="use the release that wrote it, or another state")
        else:
            _from_1(connection)
            connection.exec_driver_sql(f"UPDATE state_version SET version = {VERSION}")
        _make(connection)
        connection.commit()


def _version(connection: Connection) -> int | None:
    from sqlalchemy import inspect

    if not inspect(connection).has_table("state_version"):
        return None
    return connection.exec_driver_sql("SELECT max(version) FROM state_version").scalar()


def _make(connection: Connection) -> None:
    from sqlalchemy.schema import CreateIndex, CreateTable

    for table in metadata().sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            connection.execute(CreateIndex(index, if_not_exists=True))


def _from_1(connection: Connection) -> None:
    """Version 1 kept a cause only in the id, so that one could have two executions, of two versions of a process: the
    first is the cause's, the others stay what they are."""
    if connection.dialect.name != "sqlite":
        for table, column in (("executions", "id"), ("records", "execution"), ("leases", "execution")):
            connection.exec_driver_sql(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE VARCHAR({EXECUTION})")
    connection.exec_driver_sql("ALTER TABLE executions ADD COLUMN cause VARCHAR(24)")
    connection.exec_driver_sql("ALTER TABLE executions ADD COLUMN whole INTEGER DEFAULT 1 NOT NULL")
    connection.exec_driver_sql("ALTER TABLE leases ADD COLUMN seconds FLOAT")
    cause = "substr(id, length(tenant) + 2, 16)"
    connection.exec_driver_sql(
        f"UPDATE executions SET cause = {cause} WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER"
        f" (PARTITION BY tenant, {cause} ORDER BY created, id) AS place FROM executions) AS placed WHERE place = 1)"
    )
