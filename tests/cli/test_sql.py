"""`cortex sql`: tables for people, rows of JSON for scripts, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from context_plane.cli.sql import MAX_SHOWN, encode
from tests.cli.conftest import Shell, refused


def test_a_pipe_gets_a_plain_table(acme: Shell) -> None:
    """Columns aligned, numbers to the right, all rows."""
    done = acme("sql", "acme", "SELECT id, length(text) AS n FROM events ORDER BY id")
    assert done.stdout.splitlines() == ["id   n", "1   15", "2   15", "3   15"]


def test_a_terminal_gets_the_first_rows_and_is_told_of_the_others(acme: Shell) -> None:
    """A query over everything does not fill the screen; what stands in brackets is no markup."""
    tables = ", ".join(f"events e{n}" for n in range(5))
    shown, told = acme.on_terminal("sql", "acme", f"SELECT '[b]x[/b]' AS x FROM {tables}", which="stdout")
    assert shown.count("[b]x[/b]") == MAX_SHOWN
    assert f"{3**5 - MAX_SHOWN} more rows" in told


def test_json_is_a_list_of_rows(acme: Shell) -> None:
    """One object a row, by column name; none is an empty list."""
    rows = acme.json(
        "sql", "acme", "SELECT id, time, 0.1::DECIMAL(9, 2) AS d, sum(2) AS s FROM events GROUP BY ALL ORDER BY id"
    )
    assert rows[0] == {"id": "1", "time": "2026-03-01T09:30:00Z", "d": 0.1, "s": 2}
    assert acme.json("sql", "acme", "SELECT id FROM events WHERE id = '0'") == []


def test_bundles_are_a_table_too(acme: Shell) -> None:
    """What agents read can be queried."""
    query = "SELECT entity, fields->>'notes' AS notes FROM bundles"
    assert acme.json("sql", "acme", query) == [{"entity": "customer/acme", "notes": "3"}]


def test_as_of_and_known_at_cut_what_is_seen(acme: Shell) -> None:
    """The same cuts as everywhere."""
    query = "SELECT count(*) AS n FROM events"
    assert acme.json("sql", "acme", query, "--as-of", "2026-03-01") == [{"n": 1}]
    assert acme.json("sql", "acme", query, "--known-at", "1") == [{"n": 3}]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY events TO 'x.csv'",
        "SELECT now()",
        "DROP TABLE events",
        "SELECT 1; SELECT 2",
        "SELECT * FROM others",
        "SELEC 1",
        "",
    ],
)
def test_anything_but_a_select_over_the_tables_is_refused(acme: Shell, query: str) -> None:
    """Exit code 2 and a remedy."""
    refused(acme("sql", "acme", query))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("12345678901234567890.10"), "12345678901234567890.10"),
        (Decimal("1E+2"), "100"),
        (float("nan"), "null"),
        (float("inf"), "null"),
        (0.1, "0.1"),
        (2**70, str(2**70)),
        ({"a": [Decimal("1.50"), None]}, '{"a": [1.50, null]}'),
        (datetime(2026, 3, 1, tzinfo=UTC), '"2026-03-01T00:00:00Z"'),
        (datetime(2026, 3, 1).date(), '"2026-03-01"'),  # noqa: DTZ001 - a date has no zone
        (b"\x00\xff", '"00ff"'),
        (timedelta(days=1), '"1 day, 0:00:00"'),
        ('a"\n', r'"a\"\n"'),
        (True, "true"),
    ],
)
def test_values_are_written_exactly(value: object, text: str) -> None:
    """Decimals keep their digits, times are RFC 3339, what JSON lacks is null."""
    assert encode(value) == text
    json.loads(text)
