"""The façade: every method through the door a user takes, on a local folder and on an object store."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import context_plane
from context_plane import AsyncContextPlane, ContextPlane, ContextPlaneError, InputError, NotFound, RefusedBatch
from context_plane.config import load_settings
from context_plane.parts.part import TIMELINE

SPEC = """\
context: customer_v0
entity: customer
window: 30d
fields:
  notes: {count: true, of: "crm.*"}
  stage: {latest: stage}
  spent: {sum: amount, of: billing.paid}
summary: {max_tokens: 60}
"""


def event(number: int, who: str = "acme", day: int = 1, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "crm",
        "type": "billing.paid" if "amount" in data else "crm.note",
        "subject": f"customer/{who}",
        "time": f"2026-03-{day:02d}T09:{number % 60:02d}:00Z",
        "data": data,
    }


EVENTS = [
    event(1, stage="trial", text="Asked about SSO."),
    event(2, day=2, amount=10.1),
    event(3, day=2, amount=20.2),
    event(4, "beta", 3, stage="paid", text="Renewed for a year."),
]


@pytest.fixture(params=["folder", "objects"])
def plane(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    home = tmp_path / "home"
    (home / "contexts").mkdir(parents=True)
    (home / "contexts" / "customer_v0.yaml").write_text(SPEC)
    overrides = {} if request.param == "folder" else {"store": f"memory://{uuid4().hex}", "max_staleness": 0}
    with ContextPlane.open(home, **overrides) as plane:
        yield plane


def materialize(plane: ContextPlane) -> None:
    builder = plane.builder("acme")
    for window in builder.stale().windows("day"):
        builder.build(window)
    builder.publish()


def everything(plane: ContextPlane) -> dict[str, Any]:
    """What each read returns."""
    return {
        "bundle": plane.bundle("acme", "customer/acme").json,
        "bundles": [bundle.json for bundle in plane.bundles("acme", "customer_v0")],
        "entities": plane.entities("acme", "customer"),
        "timeline": plane.timeline("acme", "customer/acme").to_pylist(),
        "sql": plane.sql("acme", "SELECT entity, count(*) AS n FROM events GROUP BY ALL ORDER BY ALL").to_pylist(),
        "sql_bundles": plane.sql("acme", "SELECT entity, fields->>'stage' AS s FROM bundles ORDER BY 1").to_pylist(),
    }


def test_reads_agree_before_and_after_materializing(plane: ContextPlane) -> None:
    """From the tail, from parts, and from both: the same answers."""
    assert plane.ingest("acme", EVENTS).accepted == 4
    before = everything(plane)
    assert plane.snapshot("acme") is None
    materialize(plane)
    assert plane.snapshot("acme") is not None
    assert everything(plane) == before
    bundle = plane.bundle("acme", "customer/acme", "customer_v0")
    assert bundle.fields == {"notes": 1, "stage": "trial", "spent": 30.3}
    assert bundle.as_of == "2026-03-04T00:00:00Z"
    assert before["entities"] == ["customer/acme", "customer/beta"]
    assert before["sql"] == [{"entity": "customer/acme", "n": 3}, {"entity": "customer/beta", "n": 1}]
    assert before["sql_bundles"] == [
        {"entity": "customer/acme", "s": "trial"},
        {"entity": "customer/beta", "s": "paid"},
    ]
    assert [row["id"] for row in before["timeline"]] == ["1", "2", "3"]


def test_an_event_is_found_when_ingest_has_returned(plane: ContextPlane) -> None:
    """Also by a plane that was open before, in the same process."""
    plane.ingest("acme", EVENTS)
    materialize(plane)
    with ContextPlane(plane.settings) as other:
        assert other.bundle("acme", "customer/beta").fields["stage"] == "paid"
        plane.ingest("acme", [event(9, "beta", 3, stage="churned")])
        for reader in (plane, other):
            assert reader.bundle("acme", "customer/beta").fields["stage"] == "churned"


@pytest.mark.parametrize(
    "cut", ["2026-03-01", date(2026, 3, 1), "2026-03-02T01:00:00+01:00", datetime(2026, 3, 2, tzinfo=UTC)]
)
def test_as_of_takes_what_a_user_would_write(plane: ContextPlane, cut: Any) -> None:
    """A day (its end), a date, a time with offset, a datetime."""
    plane.ingest("acme", EVENTS)
    materialize(plane)
    bundle = plane.bundle("acme", "customer/acme", as_of=cut)
    assert (bundle.as_of, bundle.fields["spent"]) == ("2026-03-02T00:00:00Z", 0)
    assert plane.entities("acme", as_of=cut) == ["customer/acme"]
    assert plane.sql("acme", "SELECT count(*) AS n FROM events", as_of=cut).to_pylist() == [{"n": 1}]


def test_known_at_leaves_out_what_came_later(plane: ContextPlane) -> None:
    """On every read."""
    plane.ingest("acme", EVENTS[:1])
    first = plane.bundle("acme", "customer/acme").json
    plane.ingest("acme", EVENTS[1:])
    materialize(plane)
    assert plane.bundle("acme", "customer/acme", known_at=1).json == first
    assert plane.entities("acme", known_at=1) == ["customer/acme"]
    assert plane.timeline("acme", "customer/acme", known_at=1).num_rows == 1
    assert plane.sql("acme", "SELECT count(*) AS n FROM events", known_at=1).to_pylist() == [{"n": 1}]


def test_a_timeline_is_cut_at_both_ends(plane: ContextPlane) -> None:
    """[since, until)."""
    plane.ingest("acme", EVENTS)
    found = plane.timeline("acme", "customer/acme", since="2026-03-02T09:02:00Z", until="2026-03-02T09:03:00Z")
    assert found.column("id").to_pylist() == ["2"]


def test_tenants_do_not_see_each_other(plane: ContextPlane) -> None:
    """The same ids in two tenants are two events; no read crosses."""
    plane.ingest("acme", EVENTS)
    plane.ingest("beta", EVENTS[:1])
    assert plane.tenants() == ["acme", "beta"]
    assert plane.sql("beta", "SELECT count(*) AS n FROM events").to_pylist() == [{"n": 1}]
    with pytest.raises(NotFound):
        plane.bundle("beta", "customer/beta")


@pytest.mark.parametrize(
    "query",
    ["SELECT * FROM read_text('/etc/hostname')", "COPY events TO 'x.csv'", "SELECT * FROM 'x.parquet'", "SELECT now()",
     "SELECT * FROM tail", "SELEC 1", "SELECT nope FROM events", "ATTACH 'x.db'", "SELECT getenv('HOME')"],
)  # fmt: skip
def test_sql_is_read_only_and_stays_inside(plane: ContextPlane, query: str) -> None:
    """Files, settings, the clock, inner tables and broken SQL are refused with a remedy."""
    plane.ingest("acme", EVENTS)
    materialize(plane)
    with pytest.raises(InputError) as caught:
        plane.sql("acme", query)
    assert caught.value.remedy


def test_sql_counts_what_one_wrote_in_plain_sql(plane: ContextPlane) -> None:
    """JSON fields, labels, time functions."""
    plane.ingest("acme", [*EVENTS, {**event(7, day=4, stage="x"), "labels": ["pii"]}])
    materialize(plane)
    query = """
        WITH paid AS (SELECT entity, (data->>'amount')::DECIMAL(9,2) AS amount, time::DATE AS day FROM events
                      WHERE type = 'billing.paid')
        SELECT entity, sum(amount) AS total, min(day) AS first, (SELECT count(*) FROM events
               WHERE list_contains(labels, 'pii')) AS pii FROM paid GROUP BY entity
    """
    (row,) = plane.sql("acme", query).to_pylist()
    assert (str(row["total"]), row["first"], row["pii"]) == ("30.30", date(2026, 3, 2), 1)


def test_unknown_names_are_errors_with_a_remedy(plane: ContextPlane) -> None:
    """Tenant, spec, setting, mapping."""
    with pytest.raises(NotFound, match="no events"):
        plane.bundle("nobody", "customer/a")
    with pytest.raises(InputError, match="not a valid name"):
        plane.ingest("../acme", EVENTS)
    with pytest.raises(NotFound, match="no source mapping"):
        plane.ingest("acme", "x.csv", source="nope")
    with pytest.raises(InputError, match="unknown setting"):
        ContextPlane.open(store_url="x")


def test_ingest_reads_files_and_reports_lines(plane: ContextPlane, tmp_path: Path) -> None:
    """JSONL from a path; the bad line is named, and the batch is refused whole."""
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(json.dumps(e) for e in EVENTS) + '\n{"id": "x"}\n')
    with pytest.raises(RefusedBatch) as caught:
        plane.ingest("acme", path)
    assert [r.line for r in caught.value.commit.rejected] == [5]
    commit = plane.ingest("acme", path, skip_bad=True)
    assert (commit.accepted, commit.rejected_count) == (4, 1)


def test_the_async_plane_answers_alike(plane: ContextPlane) -> None:
    """The same names, the same values."""
    plane.ingest("acme", EVENTS)

    async def read() -> dict[str, Any]:
        async with AsyncContextPlane(plane) as other:
            return {
                "bundle": (await other.bundle("acme", "customer/acme")).json,
                "bundles": [bundle.json async for bundle in other.bundles("acme", "customer_v0")],
                "entities": await other.entities("acme", "customer"),
                "timeline": (await other.timeline("acme", "customer/acme")).to_pylist(),
                "tenants": await other.tenants(),
            }

    found = asyncio.run(read())
    assert found.pop("tenants") == ["acme"]
    assert found == {name: value for name, value in everything(plane).items() if name in found}


def test_sync_and_async_have_one_set_of_names() -> None:
    """Public methods and their parameters are the same, but for what only assets and doors need."""

    def methods(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {n: list(inspect.signature(f).parameters) for n, f in found if not n.startswith("_")}

    sync, other = methods(ContextPlane), methods(AsyncContextPlane)
    assert set(sync) - set(other) == {"builder", "search_settings", "memory_settings", "embedder"}
    assert {n: sync[n] for n in other} == other


def test_all_is_what_is_public() -> None:
    """Every name in `__all__` can be had, and every error derives from the one at the root."""
    for name in context_plane.__all__:
        value = getattr(context_plane, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, ContextPlaneError)
    assert set(context_plane.__all__) <= set(dir(context_plane))
    with pytest.raises(AttributeError):
        _ = context_plane.nope  # type: ignore[attr-defined]


def test_a_warm_read_imports_no_heavy_library(tmp_path: Path) -> None:
    """A published bundle is read in a new process without DuckDB, Arrow, pydantic or YAML."""
    home = tmp_path / "home"
    (home / "contexts").mkdir(parents=True)
    (home / "contexts" / "customer_v0.yaml").write_text(SPEC)
    with ContextPlane.open(home) as plane:
        plane.ingest("acme", EVENTS)
        materialize(plane)
        assert plane.snapshot("acme").catalog.of(TIMELINE)  # type: ignore[union-attr]
    code = (
        "import sys; from context_plane import ContextPlane\n"
        f"p = ContextPlane.open({str(tmp_path / 'agent')!r}, store={str(home / 'store')!r})\n"
        "assert p.bundle('acme', 'customer/acme', 'customer_v0').fields['spent'] == 30.3\n"
        "print(sorted({'duckdb', 'pyarrow', 'numpy', 'pydantic', 'yaml', 'dagster'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("grain = 'week'", "grain"),
        ("grian = 'day'", "did you mean 'grain'"),
        ("[ingest]\nmax_event_bytes = 1", "max_event_bytes"),
        ("[ingest]\nearliest = 'x'", "RFC 3339"),
        ("ingest = 3", "not a table"),
        ("start = '2026-13-01'", "not a day"),
        ("max_staleness = -1", "max_staleness"),
        ("embedder = 5", "embedder"),
        ('analyzer = " "', "analyzer"),
        ("not toml", "does not read"),
    ],
)
def test_bad_settings_name_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    """Nothing is parsed and ignored."""
    (tmp_path / "plane.toml").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        load_settings(tmp_path, {})
    assert str(tmp_path) in caught.value.where


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """And says so when it is wrong."""
    (tmp_path / "plane.toml").write_text("grain = 'month'\nstore = 's3://a/b'")
    assert load_settings(tmp_path, {}).grain == "month"
    settings = load_settings(tmp_path, {"CONTEXT_PLANE_GRAIN": "day", "CONTEXT_PLANE_STORE": "memory://x"})
    assert (settings.grain, settings.store) == ("day", "memory://x")
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path, {"CONTEXT_PLANE_GRAIN": "year"})
    assert caught.value.where == "CONTEXT_PLANE_GRAIN"


def test_a_query_without_end_is_stopped(plane: ContextPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """An honest but endless query fails with a reason, and the plane goes on."""
    monkeypatch.setattr("context_plane.query.MAX_SECONDS", 1)
    plane.ingest("acme", EVENTS)
    with pytest.raises(InputError, match="does not run"):
        plane.sql("acme", "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11")
    assert plane.sql("acme", "SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_day_as_since_begins_with_it(plane: ContextPlane) -> None:
    """From and to a day include the day."""
    plane.ingest("acme", EVENTS)
    assert plane.timeline("acme", "customer/acme", since="2026-03-02").column("id").to_pylist() == ["2", "3"]
    assert plane.timeline("acme", "customer/acme", until=date(2026, 3, 1)).column("id").to_pylist() == ["1"]


def test_a_store_that_cannot_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers write nothing: not even a probe."""
    home = tmp_path / "home"
    (home / "contexts").mkdir(parents=True)
    (home / "contexts" / "customer_v0.yaml").write_text(SPEC)
    with ContextPlane.open(home) as writer:
        writer.ingest("acme", EVENTS)
        materialize(writer)
    for name in ("create", "put_content", "delete", "sync"):
        monkeypatch.setattr(f"context_plane.store.local.LocalStore.{name}", None)
    with ContextPlane.open(home) as reader:
        assert len(everything(reader)["bundles"]) == 2


def test_threads_share_a_plane(plane: ContextPlane) -> None:
    """Readers in many threads, while one ingests and publishes, see whole commits and no errors."""
    from concurrent.futures import ThreadPoolExecutor

    plane.ingest("acme", EVENTS)

    def read(_: int) -> set[int]:
        counts = set()
        for _ in range(30):
            counts.add(plane.bundle("acme", "customer/acme").fields["notes"])
            assert len(list(plane.bundles("acme", "customer_v0"))) == 2
        return counts

    def write() -> None:
        for n in range(6):
            plane.ingest("acme", [event(100 + 2 * n, day=3), event(101 + 2 * n, day=2)])
            materialize(plane)

    with ThreadPoolExecutor(5) as pool:
        readers = pool.map(read, range(4))
        pool.submit(write).result()
        seen = set().union(*readers)
    assert seen <= {1 + 2 * n for n in range(7)}
    assert plane.bundle("acme", "customer/acme").fields["notes"] == 13
