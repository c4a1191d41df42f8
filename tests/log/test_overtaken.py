"""A log that others read and write meanwhile: what a batch was compared with is what its number follows; and what is
the plane's own stays apart from what users bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.demo.build import build
from context_plane.errors import InputError, NotFound
from context_plane.log import checkpoints
from context_plane.log import ingest as ingest_module

SPEC = "context: plain_v0\nentity: customer\nwindow: 30d\nfields:\n  n: {count: true}\n"


def event(number: int, day: str = "2026-03-01", text: str = "") -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": str(number), "source": "t", "type": "t.e", "subject": "customer/a",
        "time": f"{day}T10:00:00Z", "data": {"text": text or f"number {number}"},
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "contexts").mkdir()
    (tmp_path / "contexts" / "plain_v0.yaml").write_text(SPEC)
    return tmp_path


def opened(home: Path) -> ContextPlane:
    return ContextPlane.open(home, embedder="none")


def meanwhile(monkeypatch: pytest.MonkeyPatch, what: Any) -> None:
    """Happens after the batch was compared with the log, before its record is made."""
    todo, original = [what], ingest_module.place_segments

    def place(*args: Any) -> Any:
        if todo:
            todo.pop()()
        return original(*args)

    monkeypatch.setattr(ingest_module, "place_segments", place)


def test_a_reader_thread_does_not_make_a_writer_miss_the_winner(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far it has brought what the process knows of the log."""
    ours, theirs = opened(home), opened(home)
    ours.ingest("acme", [event(0)])

    def rival_then_reader() -> None:
        theirs.ingest("acme", [event(1)])
        ours.entities("acme")

    meanwhile(monkeypatch, rival_then_reader)
    commit = ours.ingest("acme", [event(1), event(2)])
    assert (commit.accepted, commit.duplicates) == (1, 1)


def test_a_reader_thread_does_not_switch_the_cycle_check_off(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each node would supersede the other, and no read would show either."""
    ours, theirs = opened(home), opened(home)
    for name in "ab":
        ours.remember("acme", "customer/a", name, id=name)

    def rival_then_reader() -> None:
        theirs.link("acme", "b", "supersedes", "a")
        ours.nodes("acme")

    meanwhile(monkeypatch, rival_then_reader)
    with pytest.raises(InputError, match="would close a circle"):
        ours.link("acme", "a", "supersedes", "b")


@pytest.mark.parametrize("at", [None, "2026-03-01"])
def test_an_entity_that_is_only_remembered_has_no_bundle(home: Path, at: str | None) -> None:
    """Own events are none that a spec counts, materialized or not."""
    plane = opened(home)
    plane.ingest("acme", [event(1)])
    build(plane, "acme", lambda *_: None)
    plane.remember("acme", "customer/only", "x", at=at)
    fresh = [each.entity for each in plane.bundles("acme", "plain_v0")]
    build(plane, "acme", lambda *_: None)
    assert fresh == [each.entity for each in plane.bundles("acme", "plain_v0")] == ["customer/a"]
    with pytest.raises(NotFound):
        plane.bundle("acme", "customer/only", "plain_v0")


def test_the_clock_of_data_that_ends_in_1969(home: Path) -> None:
    """0 is an instant, too."""
    plane = opened(home)
    plane.ingest("acme", [event(1, "1969-12-31")])
    plane.remember("acme", "customer/a", "x")
    assert plane._tenant("acme").view().clock == 0


def test_a_user_cannot_take_the_planes_ids(home: Path) -> None:
    """Sources are reserved as types are: else whoever ingests could make a later `remember` fail."""
    plane = opened(home)
    with pytest.raises(InputError, match="reserved"):
        plane.ingest("acme", [{**event(1), "source": "cortex/memory", "id": "m-1"}])


def test_what_holds_from_a_later_day_on_waits_for_it(home: Path) -> None:
    """A correction of the year 2090 does not take the place of what holds today; as of then it does."""
    plane = opened(home)
    plane.remember("acme", "customer/a", "today", id="now")
    plane.remember("acme", "customer/a", "one day", id="later", supersedes="now", at="2090-01-01")
    plane.link("acme", "later", "refines", "now")
    assert [node.id for node in plane.nodes("acme")] == ["now"]
    assert [node.id for node in plane.nodes("acme", as_of="2090-01-01")] == ["later"]


def test_a_segment_that_is_gone_is_named_with_what_to_do(home: Path) -> None:
    """The log's segments are not derived from anything: a backup has them or nobody."""
    opened(home).ingest("acme", [event(1)])
    for path in (home / "store").rglob("*.jsonl.zst"):
        if "segments" in path.parts:
            path.unlink()
    with pytest.raises(NotFound, match=r"a segment that the log names is gone.*restore it from a backup"):
        opened(home).timeline("acme", "customer/a")


def test_a_checkpoint_that_was_never_written_is_made_up_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer was killed between his commit and it; the next checkpoint begins behind a gap."""
    monkeypatch.setattr(checkpoints, "EVERY", 2)
    plane = opened(home)
    for number in range(7):
        plane.ingest("acme", [event(number)])
    written = sorted((home / "store").rglob("checkpoints/*"))
    assert len(written) == 3
    for gone in (written[1], written[0]):
        gone.unlink()
        with opened(home) as other:
            assert other.timeline("acme", "customer/a").num_rows == 7
