"""Reading bundles: all of them through the façade, and one at a time, warm."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.clock import cortex, process, quantiles, stopwatch
from context_plane import ContextPlane


def reads(folder: Path) -> Iterator[dict[str, Any]]:
    """The demo's 10,000 customers."""
    home = folder / "demo"
    demo = cortex(folder, "demo", "--home", str(home), "--customers", "10000", "--json")
    yield {"what": "cortex demo, 10,000 customers, whole process", "seconds": demo["seconds"]}
    with ContextPlane.open(home) as plane:
        (tenant,) = plane.tenants()
        (spec,) = plane.specs()
        with stopwatch() as cold:
            first = [bundle.json for bundle in plane.bundles(tenant, spec)]
        with stopwatch() as warm:
            bundles = list(plane.bundles(tenant, spec))
            assert [bundle.json for bundle in bundles] == first
        tokens = [bundle.tokens for bundle in bundles]
        yield {"what": "all bundles, first read in a process", "seconds": round(cold.seconds, 3), "bundles": len(first)}
        yield {"what": "all bundles, warm", "seconds": round(warm.seconds, 3), "bar_s": 0.5}
        yield {"what": "tokens", "max": max(tokens), "bar_max": 200, "total": sum(tokens), "bar_total": 2_000_000}
        entities = random.Random(1).choices([bundle.entity for bundle in bundles], k=20_000)
        yield {
            "what": "one warm bundle (local store: every read probes the log and the snapshots, nothing is stale)",
            **quantiles(lambda n: plane.bundle(tenant, entities[n], spec), 20_000),
            "bar_p50_us": 25,
            "bar_p99_us": 150,
        }
        yield _floor_of_one_read(plane, tenant, spec, entities)
        at = f"{plane.timeline(tenant, entities[0]).column('time')[-1].as_py():%Y-%m-%d}T12:00:00Z"
        query = f"SELECT DISTINCT entity FROM events WHERE time::DATE = '{at[:10]}' ORDER BY 1 LIMIT 100"
        busy = plane.sql(tenant, query).column("entity").to_pylist()
        computed = quantiles(lambda n: plane.bundle(tenant, busy[n % len(busy)], spec, as_of=at), 100)
        yield {"what": "one bundle computed on demand: at noon of a day on which something happened to it", **computed}
    yield {"what": "first bundle in a new process", **_first_bundle(home, tenant, spec, entities[0])}


def _floor_of_one_read(plane: ContextPlane, tenant: str, spec: str, entities: list[str]) -> dict[str, Any]:
    """A dictionary of the same bytes: what no store can beat."""
    held = {bundle.entity: bundle.json for bundle in plane.bundles(tenant, spec)}
    return {"what": "floor: the same bytes from a dictionary", **quantiles(lambda n: held[entities[n]], 20_000)}


def _first_bundle(home: Path, tenant: str, spec: str, entity: str) -> dict[str, Any]:
    code = (
        "import time, json; began = time.perf_counter()\n"
        "from context_plane import ContextPlane\n"
        f"ContextPlane.open({str(home)!r}).bundle({tenant!r}, {entity!r}, {spec!r}).json\n"
        "print(json.dumps(round((time.perf_counter() - began) * 1000)))"
    )
    return {"ms": json.loads(process(["-c", code])["out"])}
