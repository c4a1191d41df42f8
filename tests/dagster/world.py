"""A small world: a home with a context spec, tenants with events, and shorthands for what Dagster does with them."""

import dataclasses
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from context_assets.graph import Graph
from context_assets.partitions import TENANT, range_tags
from context_plane import ContextPlane
from context_plane.instants import DAY, start_of
from context_plane.log.commits import CommitRecord
from context_plane.log.events import Normaliser
from context_plane.log.segments import SegmentWriter
from context_plane.materialize import Builder
from context_plane.store import keys
from resources.builders import Builders
from resources.plane import PlaneResource

SPEC = """\
context: customer_v0
entity: customer
window: 7d
fields:
  notes: {count: true}
  stage: {latest: stage}
"""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def event(number: int, day: str, who: str = "a", **data: Any) -> dict[str, Any]:
    """An event at nine o'clock of a day."""
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "crm",
        "type": "crm.note",
        "subject": f"customer/{who}",
        "time": f"{day}T09:00:00Z",
        "data": {"stage": f"stage {number}", **data},
    }


def events(first: str, days: int, number: int = 0) -> list[dict[str, Any]]:
    """Two customers' events on a run of days."""
    start = date.fromisoformat(first)
    return [
        event(number + 2 * at + side, (start + timedelta(days=at)).isoformat(), who)
        for at in range(days)
        for side, who in enumerate("ab")
    ]


def number(day: str) -> int:
    """Days since 1970 of a day."""
    return start_of(date.fromisoformat(day)) // DAY


class Home:
    """A plane's home in a folder, and what Dagster makes of it."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder = folder
        (folder / "contexts").mkdir(parents=True)
        self.write_spec("customer_v0", SPEC)
        (folder / "plane.toml").write_text(settings)
        self.plane = ContextPlane.open(folder)
        self.resource = PlaneResource(home=str(folder))

    def write_spec(self, name: str, text: str) -> Path:
        """Writes a file under `contexts/`."""
        path = self.folder / "contexts" / f"{name}.yaml"
        path.write_text(text)
        return path

    def ingest(self, *batches: Sequence[dict[str, Any]], tenant: str = "acme") -> None:
        """Commits each batch."""
        for batch in batches:
            self.plane.ingest(tenant, batch)

    def builder(self, tenant: str = "acme") -> Builder:
        """A builder that has seen nothing before."""
        return Builders(ContextPlane.open(self.folder)).of(tenant)

    def smuggle(self, raw: dict[str, Any], tenant: str = "acme") -> str:
        """Commits an event that the log holds already, which no ingest would do; returns its segment's hash."""
        ref, body = SegmentWriter().pack([Normaliser()(raw)])
        store = self.plane.store
        store.put_content([(ref.key(tenant), body)])
        before = self._last(tenant)
        record = dataclasses.replace(
            before,
            number=before.number + 1,
            prev=before.sha256,
            put_id=f"smuggled-{before.number}",
            events=1,
            ranges=((ref.day, ref.day),),
            first_day=ref.day,
            last_day=ref.day,
            segments=(ref,),
            ids=(),
        )
        assert store.create(keys.commit(tenant, record.number), record.encode())
        return ref.sha256

    def take_back(self, sha256: str, tenant: str = "acme") -> None:
        """Commits the removal of a segment: what an operator does about one that is wrong."""
        before = self._last(tenant)
        record = dataclasses.replace(
            before, number=before.number + 1, kind="rewrite", prev=before.sha256, put_id="back", events=0,
            segments=(), replaces=(sha256,),
        )  # fmt: skip
        assert self.plane.store.create(keys.commit(tenant, record.number), record.encode())

    def _last(self, tenant: str) -> CommitRecord:
        history = self.builder(tenant).history
        return history.record(history.head)

    def graph(self) -> Graph:
        """The graph as the home is now."""
        return Graph(self.resource)

    def refresh(
        self, instance: dg.DagsterInstance, first: str, last: str, tenant: str = "acme", assets: Sequence[str] = ()
    ) -> dg.ExecuteInProcessResult:
        """A run of `refresh` (or of some of its assets) over a range of days."""
        graph = self.graph()
        instance.add_dynamic_partitions(TENANT, [tenant])
        return (
            graph.definitions()
            .resolve_job_def("refresh")
            .execute_in_process(
                instance=instance,
                tags=range_tags(tenant, (number(first), number(last)), graph.span.grain),
                asset_selection=[dg.AssetKey(name) for name in assets] or None,
                run_config=QUIET,
                raise_on_error=False,
            )
        )


@contextmanager
def home(folder: Path, settings: str = "") -> Iterator[Home]:
    """A home whose plane is closed at the end."""
    made = Home(folder, settings)
    try:
        yield made
    finally:
        made.plane.close()


def metadata(result: dg.ExecuteInProcessResult, asset: str, partition: str | None = None) -> dict[str, Any]:
    """The metadata values of an asset's materialization (of a partition)."""
    made = result.asset_materializations_for_node(asset)
    chosen = next(each for each in made if partition is None or each.partition == partition)
    return {name: value.value for name, value in chosen.metadata.items()}


def today() -> date:
    """The running day."""
    return datetime.now(UTC).date()


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
