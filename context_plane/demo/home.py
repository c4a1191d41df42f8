"""The demo's own home: made once, marked as the demo's, and emptied of everything that can be built again.

Nothing else may live there, because the proof deletes what it finds: a folder that holds something and lacks the mark
is refused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from context_plane.errors import InputError

SPEC: Final = "growth_v0"
EVENTS: Final = "events.jsonl"
_MARK: Final = "demo.txt"
_SPEC_FILE: Final = f"contexts/{SPEC}.yaml"
# What is the tenant's truth: the log, with the id hashes that its records name, and the segments.
_KEPT: Final = ("log", "entities")


@dataclass(frozen=True)
class Removed:
    """What was deleted."""

    files: int
    bytes: int


class Home:
    """The folder of one demo."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.store = self.root / "store"

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings that keep the demo in its folder, whatever the environment says."""
        return {"store": str(self.store), "grain": "day", "start": None}

    @property
    def environment(self) -> dict[str, str]:
        """The same for another process."""
        return {
            "CONTEXT_PLANE_HOME": str(self.root),
            "CONTEXT_PLANE_STORE": str(self.store),
            "CONTEXT_PLANE_GRAIN": "day",
            "CONTEXT_PLANE_START": "",
            "DAGSTER_HOME": str(self.root / "dagster"),
        }

    def prepare(self) -> bool:
        """Makes the home, or finds it; returns whether it was there. Raises `InputError` for a folder of others."""
        found = (self.root / _MARK).is_file()
        if not found and self.root.exists() and (not self.root.is_dir() or any(self.root.iterdir())):
            raise InputError(
                "this folder is not a home of the demo, which deletes what it finds in its home",
                where=str(self.root),
                remedy="name an empty or new folder with --home",
            )
        (self.root / "contexts").mkdir(parents=True, exist_ok=True)
        (self.root / _MARK).write_text("A home of `cortex demo`. Everything here can be deleted.\n")
        (self.root / "dagster").mkdir(exist_ok=True)
        spec = (files("context_plane.demo") / _SPEC_FILE).read_bytes()
        if not (self.root / _SPEC_FILE).exists() or (self.root / _SPEC_FILE).read_bytes() != spec:
            (self.root / _SPEC_FILE).write_bytes(spec)
        return found

    def forget(self) -> Removed:
        """Deletes everything but the logs, their segments, and the spec: what is left is what the proof builds from."""
        doomed = [path for path in self.root.iterdir() if path.name not in (_MARK, "contexts", "store")]
        doomed += [path for path in self.store.iterdir() if path.name != "tenants"]
        for tenant in (self.store / "tenants").iterdir():
            doomed += [path for path in tenant.iterdir() if path.name not in _KEPT]
        sizes = [os.lstat(file).st_size for path in doomed for file in _walk(path)]
        for path in doomed:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        (self.root / "dagster").mkdir(exist_ok=True)
        return Removed(len(sizes), sum(sizes))


def _walk(path: Path) -> Iterator[str]:
    if path.is_dir() and not path.is_symlink():
        for folder, _, names in os.walk(path):
            yield from (os.path.join(folder, name) for name in names)
    else:
        yield str(path)
