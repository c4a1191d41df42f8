"""The shipped examples on the data they were written for, against numbers computed without the plane.

Each example goes in through `cortex ingest` and `cortex materialize`; its bundles are compared with plain DuckDB SQL on
the raw file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from context_plane import ContextPlane
from context_plane.ctx.tokens import count
from context_plane.parts.part import CONTEXTS

REPOSITORY = Path(__file__).parents[2]


def cortex(home: Path, *arguments: str) -> Any:
    """Runs the command on a home and returns its JSON."""
    env = {**os.environ, "CONTEXT_PLANE_HOME": str(home), "CONTEXT_PLANE_GRAIN": "month"}
    done = subprocess.run(
        [sys.executable, "-m", "context_plane.cli", *arguments, "--json"],
        env=env, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def published(root: Path, example: str, source: Path) -> ContextPlane:
    """A plane whose home is a copy of the example, with the data ingested, materialized and published."""
    home = root / example
    shutil.copytree(REPOSITORY / "examples" / example, home)
    cortex(home, "ingest", str(source), "--tenant", "real", "--source", example)
    again = cortex(home, "ingest", str(source), "--tenant", "real", "--source", example)
    assert again["accepted"] == 0
    cortex(home, "materialize", "--tenant", "real")
    plane = ContextPlane.open(home, grain="month")
    snapshot = plane.snapshot("real")
    assert snapshot is not None
    assert snapshot.log == 1
    assert not plane.builder("real").stale()
    assert all(part.passed for parts in snapshot.catalog.parts.values() for part in parts.values())
    return plane


@pytest.fixture(scope="module")
def cdnow(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    source = data_dir / "cdnow" / "transactions.csv"
    with published(tmp_path_factory.mktemp("cdnow"), "cdnow", source) as plane:
        yield plane, f"read_csv('{source}', types={{'customer_id': 'VARCHAR', 'amount_usd': 'DECIMAL(12,2)'}})"


@pytest.fixture(scope="module")
def helpdesk(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    source = data_dir / "process-logs" / "helpdesk.csv.gz"
    with published(tmp_path_factory.mktemp("helpdesk"), "helpdesk", source) as plane:
        yield plane, f"read_csv('{source}', all_varchar=true)"


@pytest.fixture(scope="module")
def issues(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    source = data_dir / "issue-timelines" / "quicwg_multipath.events.jsonl"
    with published(tmp_path_factory.mktemp("issues"), "issues", source) as plane:
        yield plane, f"read_json('{source}', format='newline_delimited')"


def raw(query: str) -> list[tuple[Any, ...]]:
    """Plain SQL on the raw file; nothing of the plane is in it."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        return con.execute(query).fetchall()


def test_cdnow_totals(cdnow: Any) -> None:
    """Every customer's lifetime value and number of orders, to the cent, over all 23,570 customers."""
    plane, file = cdnow
    query = f"SELECT customer_id, count(*), sum(amount_usd), max(date)::VARCHAR FROM {file} GROUP BY 1"
    expected = {f"customer/{who}": (n, total, last) for who, n, total, last in raw(query)}
    found = {
        bundle.entity: (f["orders"], Decimal(str(f["lifetime"])), f["last_seen"][:10])
        for bundle in plane.bundles("real", "customer_value_v0")
        if (f := bundle.fields)
    }
    assert len(found) == 23_570
    assert found == expected


def test_cdnow_windows_at_month_ends(cdnow: Any) -> None:
    """The last 90 days as of the end of each month, for all customers, from packs."""
    plane, file = cdnow
    for day in ("1997-03-31", "1997-12-31", "1998-06-30"):
        window = f"date <= '{day}' AND date > DATE '{day}' - 90"
        query = (
            f"SELECT customer_id, count(*) FILTER ({window}), coalesce(sum(amount_usd) FILTER ({window}), 0) "
            f"FROM {file} WHERE date <= '{day}' GROUP BY 1"
        )
        expected = {f"customer/{who}": (n, spent) for who, n, spent in raw(query)}
        bundles = plane.bundles("real", "customer_value_v0", as_of=day)
        assert {b.entity: (b.fields["purchases"], Decimal(str(b.fields["spend"]))) for b in bundles} == expected


def test_cdnow_between_packs(cdnow: Any) -> None:
    """One customer on a day in the middle of a month, computed on demand."""
    plane, file = cdnow
    ((busy,),) = raw(f"SELECT customer_id FROM {file} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")
    day = "1997-10-17"
    query = (
        f"SELECT count(*), sum(amount_usd), sum(quantity) FROM {file} "
        f"WHERE customer_id = '{busy}' AND date <= '{day}' AND date > DATE '{day}' - 90"
    )
    ((orders, spent, units),) = raw(query)
    fields = plane.bundle("real", f"customer/{busy}", as_of=day).fields
    assert (fields["purchases"], Decimal(str(fields["spend"])), fields["units"]) == (orders, spent, units)


def test_cdnow_segments_and_rows(cdnow: Any) -> None:
    """The log has one segment per customer day, and SQL over the view sees every purchase."""
    plane, file = cdnow
    ((days, rows, total),) = raw(f"SELECT count(DISTINCT (customer_id, date)), count(*), sum(amount_usd) FROM {file}")
    builder = plane.builder("real")
    builder.history.refresh()
    assert len(builder.history.segments(builder.history.record(1))) == days
    query = "SELECT count(*) AS n, sum((data->>'amount_usd')::DECIMAL(12,2)) AS total FROM events"
    assert plane.sql("real", query).to_pylist() == [{"n": rows, "total": total}]


def test_helpdesk_tickets(helpdesk: Any) -> None:
    """Steps, waits, distinct takers, the last step and the time to resolve, of all 4,580 tickets."""
    plane, file = helpdesk
    query = f"""
        SELECT case_id, count(*), count(*) FILTER (activity = 'Wait'),
               count(DISTINCT resource) FILTER (activity = 'Take in charge ticket'),
               arg_max(activity, (timestamp::TIMESTAMPTZ, case_id || '-' || event_index)),
               bool_or(activity = 'Closed'),
               date_diff('hour', min(timestamp::TIMESTAMPTZ),
                         min(timestamp::TIMESTAMPTZ) FILTER (activity = 'Resolve ticket'))
        FROM {file} GROUP BY 1"""
    expected = {f"ticket/{case}": tuple(rest) for case, *rest in raw(query)}
    names = ("steps", "waits", "takers", "last_step", "closed", "hours_to_resolve")
    found = {b.entity: tuple(b.fields[n] for n in names) for b in plane.bundles("real", "ticket_context_v0")}
    assert len(found) == 4_580
    assert found == expected


def test_issues(issues: Any) -> None:
    """Comments, people, who opened it and what is merged, of all 650 issues and pull requests; summaries in budget."""
    plane, file = issues
    query = f"""
        SELECT entity, count(*) FILTER (event IN ('commented', 'review_commented')), count(DISTINCT actor),
               bool_or(event = 'merged'), strftime(max(timestamp::TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%SZ')
        FROM {file} GROUP BY 1"""
    expected = {f"issue/{entity}": tuple(rest) for entity, *rest in raw(query)}
    bundles = list(plane.bundles("real", "issue_context_v0"))
    names = ("comments", "people", "merged", "last_seen")
    found = {b.entity: tuple(b.fields[n] for n in names) for b in bundles}
    assert len(found) == 650
    assert found == expected
    assert max(count(b.summary or "") for b in bundles) <= 150


def test_issues_before_and_after_a_late_event(issues: Any) -> None:
    """A pull request as it stood on a day in 2023 counts nothing that came after it."""
    plane, file = issues
    ((entity, comments),) = raw(
        f"SELECT entity, count(*) FILTER (event LIKE '%commented' AND timestamp < '2023-07-01') AS n "
        f"FROM {file} GROUP BY 1 ORDER BY n DESC, 1 LIMIT 1"
    )
    assert plane.bundle("real", f"issue/{entity}", as_of="2023-06-30").fields["comments"] == comments
    assert plane.snapshot("real").catalog.of(CONTEXTS + "issue_context_v0")


def test_issues_are_searched_with_sources(issues: Any) -> None:
    """A question in words finds the pull request that is about it; of one issue only its own events are searched."""
    plane, _ = issues
    home = plane.settings.home
    question = "how many path identifiers may be open at once"
    hits = cortex(home, "search", "real", question)
    assert len(hits) == 10
    assert hits[0]["entity"] == "issue/quicwg/multipath#292"
    assert "path identifier" in hits[0]["text"]
    assert all(hit["source"] == "issues" and hit["segment"].startswith("tenants/real/entities/") for hit in hits)
    own = cortex(home, "search", "real", question, "--entity", "issue/quicwg/multipath#4", "-k", "5")
    assert {hit["entity"] for hit in own} == {"issue/quicwg/multipath#4"}


def test_issues_package(issues: Any) -> None:
    """The example's package was built with the rest: its links are those of a walk, its events those of a search, in
    fewer tokens, and every word of them is there."""
    plane, _ = issues
    package = plane.package("real", "project/path-ids")
    assert package.freshness.state == "fresh"
    assert plane.verify_package("real", "project/path-ids").equal
    assert package.tokens == count(package.text) < package.raw_tokens
    walk = plane.chain("real", "issue/quicwg/multipath#292", depth=3)
    links = {f"{step.edge.actor} {step.edge.kind} {step.edge.target}" for step in walk.steps}
    chain, first, _ = package.sources
    assert set(chain["facts"]) == links
    hits = plane.search("real", "explicit path identifier", k=15, mode="bm25")
    assert first["facts"] == [hit.event_id for hit in hits]
    (part,) = package.compiled.parts
    told = [piece.value for piece in part.pieces if piece.kind == "events"]
    assert [row["text"] for row in told[0]["found"]] == [hit.text for hit in hits]
