"""The checks of `cortex doctor` on what a plane stores: the store, the specs and mappings, every tenant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from context_plane.cli.doctor import Check, attempt

if TYPE_CHECKING:
    from context_plane.config import Settings
    from context_plane.plane import ContextPlane


def examine_store(settings: Settings) -> Iterator[Check]:
    """The store first; without it nothing is known about tenants."""
    from context_plane.plane import ContextPlane
    from context_plane.store.probe import probe

    specs = list(_files("spec", settings.contexts, _spec))
    yield from specs
    yield from _files("mapping", settings.sources, _mapping)
    if "://" not in settings.store and not os.path.exists(settings.store):
        yield Check("store", "note", f"{settings.store} does not exist yet", "ingest something")
        return
    with ContextPlane(settings) as plane:
        found = attempt("store", lambda: probe(plane.store))
        if isinstance(found, Check):
            yield found
            return
        yield Check("store", "ok", f"{plane.store.url}: create-if-absent, ranges and listing work")
        tenants = attempt("tenants", plane.tenants)
        if isinstance(tenants, Check):
            yield tenants
            return
        broken = any(check.state == "missing" for check in specs)
        for tenant in tenants:
            name = f"tenant {tenant}"
            unknown = Check(name, "note", "not compared with its log", "correct the specs first")
            yield unknown if broken else attempt(name, partial(_tenant, plane, tenant))


def _files(kind: str, folder: Path, read: Any) -> Iterator[Check]:
    """One line a file, so that every broken one is named."""
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        name = f"{kind} {path.name}"
        found = attempt(name, partial(read, path))
        yield found if isinstance(found, Check) else Check(name, "ok", found)


def _spec(path: Path) -> str:
    from context_plane.bundles.spec import parse_spec

    spec = parse_spec(path.read_text("utf-8"), str(path))
    return f"{spec.name}: {len(spec.fields)} fields of {spec.entity}"


def _mapping(path: Path) -> str:
    from context_plane.log.declaration import Declaration, load_source

    loaded = load_source(path)
    return f"what is indexed of {loaded.source}" if isinstance(loaded, Declaration) else "parses"


def _tenant(plane: ContextPlane, tenant: str) -> Check:
    name = f"tenant {tenant}"
    builder = plane.builder(tenant)
    stale = builder.stale()
    snapshot = builder.snapshots.latest()
    published = f"snapshot {snapshot.number} holds up to {snapshot.log}" if snapshot else "no snapshot yet"
    detail = f"log ends at {stale.until}, {published}"
    if not stale:
        return Check(name, "ok", f"{detail}, nothing to do")
    days = {*stale.timeline, *(day for lacking in stale.contexts.values() for day in lacking)}
    remedy = f"cortex materialize --tenant {tenant} (until then reads compute it from the log)"
    return Check(name, "note", f"{detail}, {len(days)} days to build", remedy)
