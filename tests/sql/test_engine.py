"""Connections: offline, in UTC, and closed to every file that was not named."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from context_plane.errors import InputError
from context_plane.sql import engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one Parquet file, beside another file that is none of its business."""
    inside = tmp_path / "inside"
    inside.mkdir()
    con = engine.connect(external=True)
    con.execute(f"COPY (SELECT 1 AS a) TO {engine.literal(str(inside / 'a.parquet'))}")
    con.execute(f"COPY (SELECT 2 AS a) TO {engine.literal(str(tmp_path / 'outside.parquet'))}")
    (inside / "link.parquet").symlink_to(tmp_path / "outside.parquet")
    return inside


def test_a_connection_reads_no_file_unless_it_was_asked_for(folder: Path) -> None:
    """Without `external` and `folders` every file is refused."""
    con = engine.connect()
    with pytest.raises(duckdb.PermissionException):
        con.execute(f"FROM {engine.literal(str(folder / 'a.parquet'))}")


def test_a_named_folder_can_be_read_and_nothing_beside_it(folder: Path) -> None:
    """Neither `..`, nor a link, nor another path leads out of an allowed folder."""
    con = engine.connect(folders=[folder])
    assert con.execute(f"FROM {engine.literal(str(folder / 'a.parquet'))}").fetchall() == [(1,)]
    for path in ("../outside.parquet", "link.parquet", "../inside/../outside.parquet", "/etc/passwd"):
        with pytest.raises(duckdb.PermissionException):
            con.execute(f"FROM read_parquet({engine.literal(str(folder / path))})")


def test_a_folder_reached_by_a_link_can_be_named(folder: Path, tmp_path: Path) -> None:
    """The folder that is allowed is the one the link points to."""
    (tmp_path / "alias").symlink_to(folder)
    con = engine.connect(folders=[tmp_path / "alias"])
    assert con.execute(f"FROM {engine.literal(str(tmp_path / 'alias' / 'a.parquet'))}").fetchall() == [(1,)]


def test_a_folder_that_does_not_exist_is_named() -> None:
    """The error says which folder is missing."""
    with pytest.raises(InputError, match="no/such"):
        engine.connect(folders=["no/such"])


def test_a_locked_connection_cannot_be_opened_again(folder: Path) -> None:
    """After `lock` no statement changes a setting, and files are refused even where access was on."""
    con = engine.connect(external=True)
    engine.lock(con)
    for statement in (
        "SET enable_external_access = true",
        "SET threads = 1",
        "RESET lock_configuration",
        "PRAGMA threads=1",
        "SET TimeZone = 'Europe/Berlin'",
        "LOAD httpfs",
        "INSTALL fts",
        f"FROM {engine.literal(str(folder / 'a.parquet'))}",
        f"COPY (SELECT 1) TO {engine.literal(str(folder / 'b.parquet'))}",
        f"ATTACH {engine.literal(str(folder / 'c.duckdb'))}",
    ):
        with pytest.raises(duckdb.Error):
            con.execute(statement)


def test_a_spill_folder_does_not_open_itself_to_reading(folder: Path) -> None:
    """Where DuckDB may spill, a query may still not read; and what was spilled is gone afterwards."""
    con = engine.connect(spill=folder, memory="60MB", threads=1)
    engine.lock(con)
    with pytest.raises(duckdb.PermissionException):
        con.execute(f"FROM {engine.literal(str(folder / 'a.parquet'))}")
    spilled = "SELECT count(*) FROM (SELECT i, i::VARCHAR || repeat('x', 40) FROM range(1000000) t(i) ORDER BY 2)"
    assert con.execute(f"SELECT count(*) FROM ({spilled})").fetchall() == [(1,)]
    con.close()
    assert sorted(path.name for path in folder.iterdir()) == ["a.parquet", "link.parquet"]


def test_local_variables_are_not_tables() -> None:
    """A query sees what was registered, never the variables of the Python code around it."""
    import pyarrow as pa

    rows = pa.table({"a": [1]})
    con = engine.connect()
    with pytest.raises(duckdb.CatalogException):
        con.execute("FROM rows")
    con.register("rows", rows)
    engine.lock(con)
    assert con.execute("FROM rows").fetchall() == [(1,)]


def test_the_zone_is_utc_and_nothing_is_written_to_the_working_folder() -> None:
    """Two settings whose defaults depend on the machine are fixed."""
    con = engine.connect()
    settings = con.execute("SELECT current_setting('TimeZone'), current_setting('temp_directory')")
    assert settings.fetchone() == ("UTC", "")


def test_a_memory_limit_is_kept_and_explained() -> None:
    """A limit DuckDB cannot read is an input error; one it can read stops a query that needs more."""
    with pytest.raises(InputError, match="memory like 512MB"):
        engine.connect(memory="plenty")
    con = engine.connect(memory="30MB", threads=1)
    with pytest.raises(duckdb.OutOfMemoryException):
        con.execute("SELECT count(*) FROM (SELECT DISTINCT i FROM range(5000000) t(i))").fetchall()


def test_names_and_texts_are_quoted() -> None:
    """Quotes inside are doubled."""
    con = engine.connect()
    row = con.execute(f"SELECT {engine.literal(chr(39) + 'x')} AS {engine.identifier('a' + chr(34))}").fetchone()
    assert row == ("'x",)
