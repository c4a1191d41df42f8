"""A plane with a folder of knowledge, and a clock that tests turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.instants import parse_instant
from context_plane.knowledge.sync import Learned

GUIDE = "# Guide\n\nHow we work.\n\n## Setup\n\nInstall the tool with care.\n\n## Retries\n\nA failed job runs again.\n"


class World:
    """A home whose knowledge tests write."""

    def __init__(self, home: Path, **overrides: Any) -> None:
        self.folder = home / "knowledge"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.overrides = overrides
        self.home = home
        self.plane = ContextPlane.open(home, **overrides)

    def write(self, name: str, text: str | bytes) -> Path:
        """A file of knowledge."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def learn(self, **options: Any) -> Learned:
        """A sync of the folder."""
        return self.plane.learn("acme", **options)

    def other(self) -> ContextPlane:
        """Another process, as far as this one can be."""
        return ContextPlane.open(self.home, **self.overrides)

    def events(self, kind: str = "cortex.knowledge.*") -> list[dict[str, Any]]:
        """The plane's own events of knowledge that are in the log, in timeline order."""
        query = f"SELECT * FROM events WHERE type LIKE '{kind.replace('*', '%')}' ORDER BY entity, time, source, id"
        found: list[dict[str, Any]] = self.plane.sql("acme", query).to_pylist()
        return found

    def names(self, **view: Any) -> list[str]:
        """Of the topics there are."""
        return [info.name for info in self.plane.topics("acme", **view)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "home")
    yield made
    made.plane.close()


class Clock:
    """What time it is."""

    def __init__(self) -> None:
        self.at = parse_instant("2026-03-01T09:00:00Z")

    def set(self, text: str) -> None:
        """Turns it."""
        self.at = parse_instant(text)

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of syncs."""
    made = Clock()
    monkeypatch.setattr("context_plane.knowledge.sync.now", made)
    return made
