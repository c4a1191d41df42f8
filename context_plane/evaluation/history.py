"""History: every evaluation of a data set, kept in the object store beside the tenants and never changed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from context_plane.canonical import canonical
from context_plane.errors import ContextPlaneError, Corrupt
from context_plane.evaluation.report import Report
from context_plane.store import keys
from context_plane.store.probe import probe
from context_plane.store.settled import create_settled

if TYPE_CHECKING:
    from context_plane.store.base import Store


def keep(store: Store, report: Report) -> str:
    """Keeps an evaluation and returns its key; it is durable when this returns. The same again changes nothing."""
    body = canonical(report.to_json())
    key = keys.evaluation(report.dataset, report.at, hashlib.sha256(body).hexdigest())
    probe(store)
    create_settled(store, key, body, body.__eq__)
    return key


def kept(store: Store, dataset: str) -> list[Report]:
    """The evaluations of a data set, the oldest first. Raises `Corrupt` for an object that is none."""
    return [_read(key, store.get(key)) for key in store.list(keys.evaluations(dataset))]


def _read(key: str, body: bytes) -> Report:
    try:
        return Report.from_json(json.loads(body))
    except (ContextPlaneError, KeyError, TypeError, ValueError, AttributeError) as error:
        remedy = "restore the object, or delete it: nothing else depends on it"
        raise Corrupt(f"not an evaluation: {error}", where=key, remedy=remedy) from error
