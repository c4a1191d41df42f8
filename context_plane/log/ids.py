"""The id index: which event identities the log already holds, and with which content.

A run is an object of sorted 16-byte identity hashes followed by their 16-byte content digests. Each commit writes one
(inline in its record when it is small), checkpoints merge them. The index answers "new, duplicate or conflict".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Corrupt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAGIC: Final = b"CPIDS001"
_FOLD_AT: Final = 200_000


def encode_run(pairs: Sequence[tuple[bytes, bytes]]) -> tuple[str, bytes]:
    """SHA-256 and bytes of a run over (identity, digest) pairs, in any order."""
    ordered = sorted(pairs)
    body = b"".join([_MAGIC, len(ordered).to_bytes(8, "little"), *(p[0] for p in ordered), *(p[1] for p in ordered)])
    return hashlib.sha256(body).hexdigest(), body


def decode_run(key: str, body: bytes) -> tuple[NDArray[np.bytes_], NDArray[np.bytes_]]:
    """Identities (sorted) and digests of a run. Raises `Corrupt` for anything that `encode_run` did not write."""
    import numpy as np

    count = int.from_bytes(body[8:16], "little")
    if body[:8] != _MAGIC or len(body) != 16 + 32 * count:
        raise Corrupt("not a run of event ids", where=key, remedy="restore the object from a backup of the store")
    array: Any = np.frombuffer(body, dtype="S16", offset=16)
    return array[:count], array[count:]


class IdIndex:
    """Identities of a tenant's log: sorted runs for the bulk, a dictionary for what came lately."""

    def __init__(self) -> None:
        self._recent: dict[bytes, bytes] = {}
        self._runs: list[tuple[Any, Any]] = []
        self.upto = 0
        """The log number up to which commits are in the index."""

    def __len__(self) -> int:
        return len(self._recent) + sum(len(identities) for identities, _ in self._runs)

    def add(self, identity: bytes, digest: bytes) -> None:
        """One event. The first content of an identity stays."""
        self._recent.setdefault(identity, digest)
        if len(self._recent) >= _FOLD_AT:
            _, body = encode_run(list(self._recent.items()))
            self.add_run(decode_run("memory", body))
            self._recent.clear()

    def add_run(self, run: tuple[Any, Any]) -> None:
        """A decoded run."""
        self._runs.append(run)

    def find(self, identities: Sequence[bytes]) -> list[bytes | None]:
        """For each identity the digest the log holds, or `None`."""
        found: list[bytes | None] = [self._recent.get(identity) for identity in identities]
        if not self._runs or not identities:
            return found
        import numpy as np

        wanted: Any = np.array(identities, dtype="S16")
        for known, digests in self._runs:
            if not len(known):
                continue
            at = np.searchsorted(known, wanted)
            at[at == len(known)] = 0
            for position in np.flatnonzero(known[at] == wanted).tolist():
                if found[position] is None:
                    # numpy strips trailing NULs from fixed-width bytes; a digest is always 16.
                    found[position] = bytes(digests[at[position]]).ljust(16, b"\0")
        return found
