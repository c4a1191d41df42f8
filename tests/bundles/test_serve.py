"""Serving: a bundle from packs and one computed on demand are the same bytes, at any instant and in any state."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from zstandard import ZstdCompressor

from context_plane.config import Settings
from context_plane.errors import InputError, NotFound
from context_plane.instants import DAY, parse_instant
from context_plane.log.commits import CommitRecord
from context_plane.log.segments import read_segment
from context_plane.plane import ContextPlane
from context_plane.store import keys

SPEC = """\
context: customer_v0
entity: customer
window: 3d
fields:
  n: {count: true}
  total: {sum: n}
  last: {latest: n, window: 36h}
  ever: {count: true, window: WIDE}
summary: {max_tokens: 40}
"""
BROKEN = """\
context: broken_v0
entity: issue
fields:
  n: {cuont: 1}
"""
START = parse_instant("2026-03-01T00:00:00Z")


def event(number: int, who: int, hour: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "source": "test",
        "type": "test.event",
        "subject": f"customer/{who}",
        "time": f"2026-03-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z",
        "data": {"n": number, "text": f"Number {number} arrived. It says {number * 7}."},
    }


class Home:
    """A home with one spec, and a twin over the same log that never materializes anything."""

    def __init__(self, root: Path, grain: Any = "day", wide: str = "9d") -> None:
        text = SPEC.replace(", window: WIDE", "" if wide == "all" else f", window: {wide}")
        for name in ("home", "twin"):
            (root / name / "contexts").mkdir(parents=True)
            (root / name / "contexts" / "customer_v0.yaml").write_text(text)
        store = str(root / "store")
        self.plane = ContextPlane(Settings(root / "home", store, grain))
        self.twin = ContextPlane(Settings(root / "twin", str(root / "twin-store"), grain))
        self.count = 0

    def ingest(self, events: list[dict[str, Any]]) -> None:
        self.plane.ingest("acme", events)
        self.twin.ingest("acme", events)
        self.count += len(events)

    def materialize(self, publish: bool = True, only: tuple[int, int] | None = None) -> None:
        builder = self.plane.builder("acme")
        for window in builder.stale().windows(self.plane.settings.grain) if only is None else [only]:
            builder.build(window)
        if publish:
            builder.publish()

    def same(self, as_of: int | None) -> None:
        """Every bundle, one by one and streamed, is what the twin computes from its tail."""
        expected = {b.entity: b.json for b in self.twin.bundles("acme", "customer_v0", as_of=as_of)}
        assert {b.entity: b.json for b in self.plane.bundles("acme", "customer_v0", as_of=as_of)} == expected
        for who in range(4):
            entity = f"customer/{who}"
            if entity in expected:
                assert self.plane.bundle("acme", entity, as_of=as_of).json == expected[entity]
            else:
                with pytest.raises(NotFound):
                    self.plane.bundle("acme", entity, as_of=as_of)

    def close(self) -> None:
        self.plane.close()
        self.twin.close()


class Serving(RuleBasedStateMachine):
    """Random histories, materialized in part or whole, read at random instants."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="cp-"))
        self.home: Home | None = None

    def teardown(self) -> None:
        if self.home is not None:
            self.home.close()
        shutil.rmtree(self.root)

    @precondition(lambda self: self.home is None)
    @rule(grain=st.sampled_from(["day", "month"]), wide=st.sampled_from(["9d", "all", "40d"]))
    def open(self, grain: str, wide: str) -> None:
        self.home = Home(self.root, grain, wide)

    @precondition(lambda self: self.home is not None)
    @rule(points=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 24 * 28 - 1)), min_size=1, max_size=6))
    def ingest(self, points: list[tuple[int, int]]) -> None:
        assert self.home is not None
        self.home.ingest([event(self.home.count + i, who, hour) for i, (who, hour) in enumerate(points)])

    @precondition(lambda self: self.home is not None and self.home.count)
    @rule(publish=st.booleans())
    def materialize(self, publish: bool) -> None:
        assert self.home is not None
        self.home.materialize(publish)

    @precondition(lambda self: self.home is not None and self.home.count)
    @rule(first=st.integers(0, 27), length=st.integers(0, 9))
    def materialize_some(self, first: int, length: int) -> None:
        assert self.home is not None
        day = START // DAY + first
        self.home.materialize(only=(day, day + length))

    @precondition(lambda self: self.home is not None and self.home.count)
    @rule(hour=st.integers(1, 24 * 40), micro=st.sampled_from([-1, 0, 1]))
    def read_in_the_past(self, hour: int, micro: int) -> None:
        assert self.home is not None
        self.home.same(START + hour * 3_600_000_000 + micro)

    @invariant()
    def read_now(self) -> None:
        if self.home is not None and self.home.count:
            self.home.same(None)


TestServing = Serving.TestCase
TestServing.settings = settings(
    max_examples=12, stateful_step_count=12, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)


@pytest.fixture
def home(tmp_path: Path) -> Any:
    home = Home(tmp_path)
    yield home
    home.close()


def test_a_materialized_bundle_is_read_without_computing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs answer at the data clock, and for entities that nothing happened to also when the clock has moved on."""
    home.ingest([event(n, n % 3, 40 + n % 8) for n in range(30)])
    home.materialize()
    home.ingest([event(99, 3, 50)])  # the clock moves by a day, within the 36 hours of the shortest window
    monkeypatch.setattr("context_plane.bundles.serve.BundleReader._compute_one", None)
    assert home.plane.bundle("acme", "customer/1").fields["n"] == 10


def test_an_edited_spec_is_served_at_once(home: Home) -> None:
    """Packs of the old spec do not answer for the new one; materializing catches up."""
    home.ingest([event(n, 1, n) for n in range(5)])
    home.materialize()
    path = home.plane.settings.contexts / "customer_v0.yaml"
    path.write_text(path.read_text().replace("{sum: n}", "{max: n}"))
    assert home.plane.bundle("acme", "customer/1").fields["total"] == 4
    assert any(home.plane.builder("acme").stale().contexts.values())
    home.materialize()
    assert not home.plane.builder("acme").stale()
    assert home.plane.bundle("acme", "customer/1").fields["total"] == 4


def test_an_agent_without_the_home_reads_with_the_published_spec(home: Home, tmp_path: Path) -> None:
    """The snapshot carries the specs that its packs were built with."""
    home.ingest([event(n, 1, n) for n in range(5)])
    home.materialize()
    with ContextPlane.open(tmp_path / "agent", store=str(tmp_path / "store")) as agent:
        assert agent.bundle("acme", "customer/1").json == home.plane.bundle("acme", "customer/1").json


def test_known_at_reproduces_what_was_served(home: Home) -> None:
    """Late events, a new snapshot: the bundle as it was known is the same bytes."""
    home.ingest([event(n, 1, n * 5) for n in range(8)])
    home.materialize()
    before = home.plane.bundle("acme", "customer/1").json
    home.ingest([event(50, 1, 3), event(51, 1, 60)])
    home.materialize()
    now = home.plane.bundle("acme", "customer/1")
    assert now.json != before
    assert home.plane.bundle("acme", "customer/1", known_at=1).json == before


def test_what_cannot_be_asked_is_refused(home: Home) -> None:
    """Another type, an unknown spec, an unknown entity, nothing before the instant."""
    home.ingest([event(1, 1, 30)])
    with pytest.raises(InputError, match="not a customer"):
        home.plane.bundle("acme", "issue/1", "customer_v0")
    with pytest.raises(NotFound, match="no context spec 'nope'"):
        home.plane.bundle("acme", "customer/1", "nope")
    with pytest.raises(NotFound, match="no context spec for type"):
        home.plane.bundle("acme", "issue/1")
    with pytest.raises(NotFound, match="no event before"):
        home.plane.bundle("acme", "customer/9")
    with pytest.raises(NotFound, match="no event before"):
        home.plane.bundle("acme", "customer/1", as_of="2026-03-01")


def test_everything_but_the_log_can_be_deleted(home: Home, tmp_path: Path) -> None:
    """The proof: parts, notes, snapshots and caches are rebuilt with the same bytes."""
    home.ingest([event(n, n % 4, n * 3) for n in range(60)])
    home.materialize()
    before = [bundle.json for bundle in home.plane.bundles("acme", "customer_v0")]
    packs = {p.name for p in (tmp_path / "store").rglob("*.pack")}
    for name in ("timeline", "contexts", "snapshots", "builds"):
        shutil.rmtree(tmp_path / "store" / "tenants" / "acme" / name, ignore_errors=True)
    home.plane.close()
    home.materialize()
    assert [bundle.json for bundle in home.plane.bundles("acme", "customer_v0")] == before
    assert {p.name for p in (tmp_path / "store").rglob("*.pack")} == packs


def test_a_broken_spec_does_not_stop_reads_of_good_ones(home: Home) -> None:
    """Its own name, and a type that only it could be for, say what is wrong with it, by file and line."""
    home.ingest([event(n, 1, n) for n in range(5)])
    (home.plane.settings.contexts / "broken_v0.yaml").write_text(
        "context: broken_v0\nentity: issue\nfields:\n  n: {cuont: 1}\n"
    )
    assert home.plane.bundle("acme", "customer/1").fields["n"] == 5
    for entity, spec in (("customer/1", "broken_v0"), ("issue/1", None)):
        with pytest.raises(InputError, match="cuont") as caught:
            home.plane.bundle("acme", entity, spec)
        assert "broken_v0.yaml:4" in caught.value.where


def test_a_commit_that_changes_nothing_takes_the_snapshot_along(home: Home) -> None:
    """A segment compressed anew leaves every bundle as it was; the log number moves on all the same."""
    home.ingest([event(n, 1, n * 20) for n in range(5)])
    home.materialize()
    builder = home.plane.builder("acme")
    history = builder.history
    old = history.segments(history.record(1))[0]
    lines = read_segment(home.plane.store, "acme", old)
    body = ZstdCompressor(level=1).compress(b"".join(line + b"\n" for line in lines))
    new = replace(old, sha256=hashlib.sha256(body).hexdigest(), size=len(body))
    home.plane.store.put_content([(new.key("acme"), body)])
    record = CommitRecord(
        number=2, kind="rewrite", put_id="again", prev=history.tip, time=history.record(1).time, events=0,
        ranges=((old.day, old.day),), first_day=old.day, last_day=old.day, segments=(new,), ids=(),
        replaces=(old.sha256,),
    )  # fmt: skip
    assert home.plane.store.create(keys.commit("acme", 2), record.encode())
    before = [bundle.json for bundle in home.plane.bundles("acme", "customer_v0")]
    assert builder.stale()
    home.materialize()
    assert not builder.stale()
    snapshot = home.plane.snapshot("acme")
    assert snapshot is not None
    assert snapshot.log == 2
    assert [bundle.json for bundle in home.plane.bundles("acme", "customer_v0")] == before
