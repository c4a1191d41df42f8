"""Checkpoints: the records of many commits in one object, so that a new reader need not fetch each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from context_plane.errors import Corrupt
from context_plane.store import keys
from context_plane.store.faults import reach

if TYPE_CHECKING:
    from context_plane.store.base import Store

EVERY: Final = 256


def encode_checkpoint(bodies: Sequence[bytes]) -> bytes:
    """A checkpoint: the records' own bytes, a line each, behind the SHA-256 of the rest; zstd."""
    import zstandard

    plain = b"\n".join(bodies)
    packed = zstandard.ZstdCompressor(level=6, write_checksum=True).compress(plain)
    return hashlib.sha256(packed).digest() + packed


def decode_checkpoint(key: str, body: bytes) -> list[bytes]:
    """The records' bytes. Raises `Corrupt` when the checkpoint is damaged."""
    import zstandard

    if hashlib.sha256(body[32:]).digest() != body[:32]:
        raise Corrupt("checkpoint is damaged", where=key, remedy="delete it: the log holds every record itself")
    plain: bytes = zstandard.ZstdDecompressor().decompress(body[32:], max_output_size=1 << 30)
    return plain.split(b"\n")


def number_of(key: str, record: bytes) -> int:
    """The number of a record in a checkpoint. Raises `Corrupt`."""
    try:
        return int(json.loads(record)["number"])
    except (ValueError, KeyError, TypeError) as error:
        remedy = "delete it: the log holds every record itself"
        raise Corrupt("checkpoint holds what is no record", where=key, remedy=remedy) from error


def write_checkpoint(store: Store, tenant: str, number: int) -> None:
    """After every 256th commit: one object with the records since the last, so that new readers need not fetch each."""
    if number % EVERY:
        return
    first = number - EVERY + 1
    bodies: Sequence[bytes] = [store.get(keys.commit(tenant, n)) for n in range(first, number + 1)]
    store.create(keys.checkpoint(tenant, number), encode_checkpoint(bodies))
    reach("ingest.checkpointed")
