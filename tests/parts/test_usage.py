"""Usage: summed over processes, faded with time, and worth nothing less for what does not read."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from context_plane.parts import usage
from context_plane.parts.usage import COUNTED, read, record

NOTHING = {tier: dict.fromkeys(names, 0) for tier, names in COUNTED.items()}


def counts(**memory: int) -> dict[str, dict[str, int]]:
    return {**NOTHING, "memory": {**NOTHING["memory"], **memory}}


def test_processes_are_summed(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "usage.jsonl"
    record(file, counts(hits=3), {"index/acme": 4})
    record(file, counts(hits=2, misses=1), {"index/acme": 1, "index/beta": 9})
    found = read(file)
    assert (found.processes, found.counts["memory"]) == (2, {"hits": 5, "misses": 1, "evictions": 0})
    assert found.most_used == ["index/beta", "index/acme"]


def test_use_fades_and_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "usage.jsonl"
    for days, uses in ((0, {"new": 2}), (3, {"old": 8}), (31, {"ancient": 1_000_000})):
        line = {"at": time.time() - days * 86_400, **NOTHING, "uses": uses}
        with file.open("a") as out:
            out.write(json.dumps(line) + "\n")
    found = read(file)
    assert found.most_used == ["new", "old"]
    assert found.uses["old"] == pytest.approx(1, rel=1e-3)
    assert time.time() - found.since == pytest.approx(3 * 86_400, abs=60)


def test_a_line_that_does_not_read_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "usage.jsonl"
    good = json.dumps({"at": time.time(), **counts(hits=1), "uses": {"index/acme": 1}})
    bad = ["", "{", "[]", "null", '{"at": "x"}', '{"at": 1e999}', good[:-9], "\x00" * 40]
    file.write_text("\n".join([*bad, good, *bad]))
    assert read(file).processes == 1


def test_no_file_and_no_disk(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    record(tmp_path / "cache" / "usage.jsonl", counts(hits=1), {})
    assert read(tmp_path / "cache" / "usage.jsonl").processes == 0


def test_it_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "_MOST_BYTES", 4_000)
    file = tmp_path / "usage.jsonl"
    for number in range(100):
        record(file, counts(hits=1), {f"index/{number}": 1})
        assert file.stat().st_size < 4_400
    assert "index/99" in read(file).most_used


def test_few_names_are_recorded(tmp_path: Path) -> None:
    file = tmp_path / "usage.jsonl"
    record(file, counts(hits=1), {f"index/{number}": number for number in range(1_000)})
    assert read(file).most_used[0] == "index/999"
    assert len(read(file).uses) == 50
