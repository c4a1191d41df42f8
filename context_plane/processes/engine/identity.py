"""Identity: which execution an event, a process and a version make (architecture, "The asset graph").

The first part of an id says cause and process, the second the version: the same event, or the same key that a caller
gave, is not run again when a process gets a new version, and whoever looks for what an event set off finds it by the
first part alone.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Final

from context_plane.errors import InputError

_ID: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})\.([0-9a-f]{24})")
CAUSE: Final = 16
"""Hexadecimal digits of the first part."""


def cause_of(tenant: str, process: str, cause: str) -> str:
    """``tenant.hex``: how the ids of all executions of a process for a cause begin."""
    return f"{tenant}.{_hash(cause, process)[:CAUSE]}"


def execution_id(tenant: str, process: str, version: int, cause: str) -> str:
    """The id of the execution. `cause` is what `event_cause`, `key_cause` or `call_cause` says."""
    prefix = cause_of(tenant, process, cause)
    return f"{prefix}{_hash(prefix, str(version))[:8]}"


def split(id: str) -> tuple[str, str]:
    """Tenant and hex of an execution's id. Raises `InputError`."""
    match = _ID.fullmatch(id)
    if match is None:
        remedy = "an id is a tenant, a dot and 24 hexadecimal digits: cortex process list --runs TENANT shows them"
        raise InputError(f"{id!r:.80} is no id of an execution", where="execution", remedy=remedy)
    return match[1], match[2]


def event_cause(source: str, id: str) -> str:
    """What identifies an event as a cause."""
    return f"event\0{source}\0{id}"


def key_cause(key: str) -> str:
    """What identifies a caller's key as a cause."""
    return f"key\0{key}"


def call_cause() -> str:
    """A call that is the cause of its own execution and of no other."""
    return f"call\0{uuid.uuid4().hex}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
