"""Merged indexes on disk: mapped by the next process, and never more than a copy."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from context_plane.parts.disk import Disk
from context_plane.retrieval.hot.merged import _KEPT, Merged
from context_plane.retrieval.shards import merging
from tests.retrieval.planes import materialize, opened

DAYS = 3


def event(number: int) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"n{number}", "source": "crm", "type": "crm.note", "subject": "customer/a",
        "time": f"2026-03-0{1 + number % DAYS}T10:00:00Z", "data": {"text": f"alpha note {number}"},
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with three days, so that its index has to be merged."""
    with opened(tmp_path) as plane:
        plane.ingest("acme", [event(number) for number in range(9)])
        materialize(plane)
    return tmp_path


def found(folder: Path) -> list[Any]:
    with opened(folder) as plane:
        plane.warm("acme")
        return list(plane.search("acme", "alpha note 4"))


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "cache" / "indexes" / "acme").iterdir())


def test_the_next_process_merges_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = found(home)
    assert {path.suffix for path in kept(home)} == {".fulltext", ".vector"}
    monkeypatch.setattr(merging, "merge", None)
    assert found(home) == before


@pytest.mark.parametrize("damage", [b"", b"CPARRAY1", None], ids=["empty", "truncated", "a byte changed"])
def test_damaged_files_are_made_again(home: Path, damage: bytes | None) -> None:
    before = found(home)
    good = {path: path.read_bytes() for path in kept(home)}
    for path, body in good.items():
        path.write_bytes(body[:-100] + b"\xff" + body[-99:] if damage is None else damage)
    assert found(home) == before
    assert {path: path.read_bytes() for path in kept(home)} == good


def test_a_folder_that_cannot_be_written_costs_only_the_merging(home: Path) -> None:
    (home / "cache").mkdir(exist_ok=True)
    (home / "cache" / "indexes").write_text("not a folder")
    assert found(home)[0].text == "alpha note 4"


def test_only_the_files_used_last_are_kept(tmp_path: Path) -> None:
    merged = Merged(Disk(tmp_path, 1 << 20), "acme")
    names = [f"file{number}" for number in range(9)]
    for name in names:
        merged.keep(name, b"x")
        time.sleep(0.01)
    assert sorted(path.name for path in (tmp_path / "indexes" / "acme").iterdir()) == names[-_KEPT:]
