"""Connections to DuckDB: in memory, offline, in UTC, and closed to everything that was not named.

Every DuckDB connection of the plane is opened here. What is run on it belongs to the callers; what a user may write is
decided in `guard`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from uuid import uuid4

import duckdb

from context_plane.errors import InputError

# Nothing here reaches for the network, the home folder, or the caller's local variables: answers depend on what was
# registered on the connection, and on nothing else.
_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "enable_external_file_cache": False,
    "temp_directory": "",
}


def connect(
    *,
    threads: int | None = None,
    memory: str | None = None,
    external: bool = False,
    folders: Iterable[str | os.PathLike[str]] = (),
    spill: str | os.PathLike[str] | None = None,
    ordered: bool = True,
) -> duckdb.DuckDBPyConnection:
    """A fresh in-memory database.

    `external=False` refuses files and network, except that files inside `folders` may be read (links that lead out
    of them may not); `external=True` is for the plane's own reading of files a user named, never for SQL that a user
    wrote. `memory` is a limit such as ``"512MB"``; beyond it DuckDB spills to the folder `spill`, and without one the
    query fails. `ordered=False` lets results come in any order, which is faster where the caller sorts anyway.
    Raises `InputError` for a folder that does not exist or a limit DuckDB does not understand.
    """
    config = dict(_OFFLINE)
    if threads is not None:
        config["threads"] = threads
    if memory is not None:
        config["memory_limit"] = memory
    if spill is not None:
        # DuckDB opens its spill folder to reading and writing, so it gets one of its own, which it makes and removes.
        config["temp_directory"] = os.path.join(_folder(spill), f"duckdb-{uuid4().hex}")
    if not ordered:
        config["preserve_insertion_order"] = False
    try:
        con = duckdb.connect(":memory:", config=config)
    except duckdb.Error as error:
        raise InputError(f"DuckDB refuses these settings: {error}", remedy="give memory like 512MB") from error
    con.execute("SET TimeZone = 'UTC'")
    allowed = [_folder(folder) for folder in folders]
    if allowed:
        quoted = ", ".join(literal(folder) for folder in allowed)
        con.execute(f"SET allowed_directories = [{quoted}]")  # must come before access is switched off
    if not external:
        con.execute("SET enable_external_access = false")
    return con


def lock(con: duckdb.DuckDBPyConnection) -> None:
    """Switches files and network off for good: after this no statement on the database can change a setting."""
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def literal(text: str) -> str:
    """`text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _folder(folder: str | os.PathLike[str]) -> str:
    path = os.path.realpath(folder)
    if not os.path.isdir(path):
        raise InputError(f"folder {os.fspath(folder)!r} does not exist", remedy="name a folder that exists")
    return path
