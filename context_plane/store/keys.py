"""Keys: where everything lies in the store (architecture, "What is stored where").

One function encodes path parts; the functions below it write every key the plane uses. Nothing else builds keys.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import date
from typing import Final, Literal
from urllib.parse import quote

from context_plane.errors import InputError
from context_plane.instants import to_datetime

MAX_ID_CHARS: Final = 1_024
_MAX_PART_BYTES: Final = 200
_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FOLDER: Final = {"links": "memory/links", "memory": "memory/nodes"}
"""Where kinds of daily parts lie that are no index."""
_ENDING: Final = {"links": "parquet", "memory": "jsonl.zst"}


def check_tenant(tenant: str) -> str:
    """The tenant's name, or `InputError` where it is not ``[a-z0-9][a-z0-9_-]{0,62}``."""
    if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
        raise InputError(
            f"tenant {str(tenant)[:80]!r} is not a valid name",
            remedy="use 1-63 of a-z, 0-9, _ and -, beginning with a letter or digit",
        )
    return tenant


def part(text: str) -> str:
    """One path part: percent-encoded UTF-8; over 200 bytes a prefix and the SHA-256 of the whole.

    Raises `InputError` for empty text and for more than 1,024 characters.
    """
    if not text:
        raise InputError("an id is empty", remedy="give every entity and name at least one character")
    if len(text) > MAX_ID_CHARS:
        raise InputError(f"id {text[:40]!r}… has {len(text)} characters", remedy=f"use at most {MAX_ID_CHARS}")
    encoded = quote(text, safe="")
    if encoded[0] == ".":
        encoded = "%2E" + encoded[1:]  # no hidden files, and neither `.` nor `..` can be a part
    encoded = encoded.replace("~", "%7E")
    if len(encoded) <= _MAX_PART_BYTES:
        return encoded
    prefix = encoded[:120].rsplit("%", 1)[0] if "%" in encoded[118:120] else encoded[:120]
    return f"{prefix}~{hashlib.sha256(text.encode()).hexdigest()}"


def entity_part(entity: str, key: bytes | None = None) -> str:
    """The path part of an entity; with a key (erasure by key destruction) its HMAC-SHA-256 instead of its name."""
    if key is None:
        return part(entity)
    return "k~" + hmac.new(key, entity.encode(), hashlib.sha256).hexdigest()


def _day(day: date) -> str:
    return f"{day.year:04d}/{day.month:02d}/{day.day:02d}"


def tenants() -> str:
    """Prefix under which every tenant lies."""
    return "tenants/"


def tenant_prefix(tenant: str) -> str:
    """Prefix of everything that belongs to one tenant."""
    return f"tenants/{check_tenant(tenant)}/"


def commit(tenant: str, number: int) -> str:
    """Commit record `number` of the tenant's log."""
    return f"{tenant_prefix(tenant)}log/{number:020d}.json"


def commits(tenant: str) -> str:
    """Prefix of the tenant's commit records, lists and checkpoints."""
    return f"{tenant_prefix(tenant)}log/"


def segment_list(tenant: str, sha256: str) -> str:
    """Segment list of a commit, when it is too long for the record."""
    return f"{tenant_prefix(tenant)}log/lists/{sha256}.parquet"


def checkpoint(tenant: str, number: int) -> str:
    """Checkpoint that holds the commit records up to `number` since the checkpoint before."""
    return f"{tenant_prefix(tenant)}log/checkpoints/{number:020d}.json.zst"


def checkpoints(tenant: str) -> str:
    """Prefix of the tenant's checkpoints."""
    return f"{tenant_prefix(tenant)}log/checkpoints/"


def segment_folder(tenant: str, entity: str, day: date, key: bytes | None = None) -> str:
    """Folder of one entity's segments of one day, with the slash at its end."""
    return f"{tenant_prefix(tenant)}entities/{entity_part(entity, key)}/segments/{_day(day)}/"


def segment(tenant: str, entity: str, day: date, sha256: str, key: bytes | None = None) -> str:
    """One timeline segment: events of one entity and one UTC day."""
    return f"{segment_folder(tenant, entity, day, key)}{sha256}.jsonl.zst"


def ids(tenant: str, sha256: str) -> str:
    """Sorted hashes of the event ids of one commit, or of the commits that a checkpoint covers."""
    return f"{tenant_prefix(tenant)}ids/{sha256}.ids"


def timeline(tenant: str, day: date, version: str) -> str:
    """One day's timeline of all entities."""
    return f"{tenant_prefix(tenant)}timeline/{_day(day)}/{version}.parquet"


def timeline_folder(tenant: str) -> str:
    """Prefix of the tenant's timelines."""
    return f"{tenant_prefix(tenant)}timeline/"


def pack(tenant: str, spec: str, day: date, version: str) -> str:
    """One pack of entity bundles; `day` is the last day it covers."""
    return f"{tenant_prefix(tenant)}contexts/{part(spec)}/{_day(day)}/{version}.pack"


def daily(tenant: str, kind: str, day: date, level: Literal["day", "month", "year"], version: str) -> str:
    """One daily part (a shard, a day's links): of a day, or compacted of the month or year that `day` lies in."""
    folder = {"day": _day(day), "month": f"{day.year:04d}/{day.month:02d}", "year": f"{day.year:04d}"}[level]
    return f"{parts_folder(tenant, kind)}{folder}/{version}.{_ENDING.get(kind, 'arrays')}"


def graph(tenant: str, version: str) -> str:
    """The graph over a tenant's vectors."""
    return f"{tenant_prefix(tenant)}indexes/vector/{version}.usearch"


def parts_folder(tenant: str, kind: str) -> str:
    """Prefix of all parts of a kind: ``timeline``, ``contexts/{spec}``, or a kind of daily parts."""
    if kind == "timeline":
        return timeline_folder(tenant)
    group, _, name = _FOLDER.get(kind, kind).rpartition("/")
    return f"{tenant_prefix(tenant)}{group or 'indexes'}/{part(name)}/"


def lance(tenant: str) -> str:
    """Prefix of the tenant's LanceDB tables."""
    return f"{tenant_prefix(tenant)}lance/"


def lance_turn(tenant: str, table: str, attempt: int) -> str:
    """Created by the one process that may make a table; numbered, because it may be killed before it does."""
    return f"{lance(tenant)}turns/{table}/{attempt:020}.json"


def package(tenant: str, name: str, sha256: str) -> str:
    """One version of a package."""
    return f"{packages(tenant)}{part(name)}/{sha256}.json"


def package_head(tenant: str, name: str, number: int) -> str:
    """What says that a version of a package was built; the highest number is the newest."""
    return f"{package_heads(tenant, name)}{number:020d}.json"


def package_heads(tenant: str, name: str) -> str:
    """Prefix of the heads of a package."""
    return f"{packages(tenant)}{part(name)}/heads/"


def packages(tenant: str) -> str:
    """Prefix of the tenant's packages."""
    return f"{tenant_prefix(tenant)}packages/"


def build(tenant: str, number: int, part_name: str, month: str, sha256: str) -> str:
    """What one run built of one part in one month: the note from which the publisher learns of it."""
    return f"{tenant_prefix(tenant)}builds/{number:020d}/{part(part_name)}/{month}-{sha256}.json"


def builds(tenant: str) -> str:
    """Prefix of the tenant's build notes."""
    return f"{tenant_prefix(tenant)}builds/"


def snapshot(tenant: str, number: int) -> str:
    """Snapshot `number` of the tenant."""
    return f"{tenant_prefix(tenant)}snapshots/{number:020d}.json"


def snapshots(tenant: str) -> str:
    """Prefix of the tenant's snapshots."""
    return f"{tenant_prefix(tenant)}snapshots/"


def month_manifest(tenant: str, sha256: str) -> str:
    """Month manifest that snapshots name by hash."""
    return f"{tenant_prefix(tenant)}snapshots/months/{sha256}.json"


def evaluation(dataset: str, at: int, sha256: str) -> str:
    """One evaluation of a data set; `at` (microseconds since 1970) makes keys sort by time."""
    return f"{evaluations(dataset)}{to_datetime(at):%Y-%m-%dT%H%M%S.%fZ}-{sha256[:8]}.json"


def evaluations(dataset: str) -> str:
    """Prefix of a data set's evaluations, which are of the plane and of no tenant."""
    return f"quality/{part(dataset)}/"
