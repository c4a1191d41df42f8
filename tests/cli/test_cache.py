"""`cortex cache stats`: what processes said they used."""

from __future__ import annotations

from pathlib import Path

from context_plane import ContextPlane
from tests.cli.conftest import Shell, event


def test_a_home_that_was_never_used(cortex: Shell) -> None:
    found = cortex.json("cache", "stats")
    assert (found["processes"], found["since"], found["most_used"]) == (0, None, [])
    assert found["memory"] == {"hits": 0, "misses": 0, "evictions": 0, "hit_rate": None, "limit_bytes": 256 << 20}
    assert (found["disk"]["files"], found["disk"]["bytes"], found["disk"]["limit_bytes"]) == (0, 0, 2 << 30)
    assert "no process has said yet" in cortex("cache", "stats").stdout
    assert not (cortex.home / "cache").exists()


def test_searches_are_counted(cortex: Shell) -> None:
    with ContextPlane.open(cortex.home, embedder="none") as plane:
        plane.ingest("acme", [event(1), event(2)])
        for _ in range(5):
            plane.search("acme", "sso")
    found = cortex.json("cache", "stats")
    assert (found["processes"], found["most_used"]) == (1, ["index/acme"])
    assert (found["memory"]["hits"], found["memory"]["misses"], found["memory"]["hit_rate"]) == (4, 1, 0.8)
    printed = cortex("cache", "stats").stdout
    assert "80.0%" in printed
    assert "most used: index/acme" in printed


def test_limits_are_those_of_the_home(cortex: Shell) -> None:
    cortex.home.mkdir(exist_ok=True)
    (cortex.home / "plane.toml").write_text("[cache]\nmemory_mb = 1\ndisk_mb = 2\n")
    found = cortex.json("cache", "stats")
    assert (found["memory"]["limit_bytes"], found["disk"]["limit_bytes"]) == (1 << 20, 2 << 20)


def test_bad_limits_name_the_line(cortex: Shell, tmp_path: Path) -> None:
    cortex.home.mkdir(exist_ok=True)
    for line, what in (("memory_mb = -1", "memory_mb is -1"), ('disk_mb = "2"', "disk_mb is '2'"), ("x = 1", "x")):
        (cortex.home / "plane.toml").write_text(f"[cache]\n{line}\n")
        done = cortex("cache", "stats")
        assert done.exit_code == 2
        assert what in done.stderr
        assert "[cache]" in done.stderr
