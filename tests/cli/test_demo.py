"""`cortex demo`: the main job end to end, its proof, and that its figures are measured and not written down."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.cli import demo
from context_plane.demo import customers, events
from context_plane.demo.agent import measure, rank
from context_plane.demo.build import build
from context_plane.demo.customers import World
from context_plane.demo.events import END, START, all_events, corrections
from context_plane.demo.figures import PUBLISHED
from context_plane.demo.home import SPEC, Home
from context_plane.demo.story import Told, tell
from context_plane.errors import InputError
from context_plane.instants import parse_instant
from tests.cli.conftest import Shell, refused


class Silent:
    """Nobody listens."""

    def report(self, done: int, total: int | None) -> None: ...

    def says(self, text: str) -> None: ...

    @contextmanager
    def step(self, title: str) -> Iterator[Silent]:
        yield self


def story(root: Path, customers: int = 200, planted: float = 0.05, materialize: Any = build) -> Told:
    """The demo without Dagster."""
    return tell(World(customers, planted=planted), root, Silent(), materialize)


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The demo as `make demo` runs it, without Dagster."""
    return story(tmp_path_factory.mktemp("demo") / "home", 1_000)


def test_the_demo_end_to_end_with_dagster(cortex: Shell, tmp_path: Path) -> None:
    """Events in, bundles out, the agent's picks, and the proof, all in the demo's own home."""
    figures = cortex.json("demo", "--customers", "200", "--home", tmp_path / "demo")
    proof = figures["proof"]
    assert proof["holds"] is True
    assert proof["identical"] == proof["bundles"] == figures["reads"]["count"] == 200
    assert proof["sha256_before"] == proof["sha256_after"]
    assert (figures["reads"]["failed"], figures["found"]) == (0, False)
    assert 0 < figures["tokens"]["max"] <= 200
    assert figures["tokens"]["raw"] > 5 * figures["tokens"]["total"]
    assert (tmp_path / "demo" / "dagster" / "dagster.yaml").exists()
    assert not cortex.home.exists()


def test_running_it_again_finds_the_log_and_proves_again(cortex: Shell, tmp_path: Path, monkeypatch: Any) -> None:
    """Nothing is ingested twice, the picks and the hash over all bundles are those of the first run."""
    monkeypatch.setattr(demo, "_materializer", lambda _: build)
    first = cortex.json("demo", "--customers", "60", "--home", tmp_path / "demo")
    again = cortex.json("demo", "--customers", "60", "--home", tmp_path / "demo")
    assert (first["found"], again["found"]) == (False, True)
    assert again["proof"]["holds"] is True
    for name in ("events", "commit", "quality", "tokens"):
        assert again[name] == first[name]
    assert again["proof"]["sha256_after"] == first["proof"]["sha256_after"]
    assert "this demo ran before" in cortex("demo", "--customers", "60", "--home", tmp_path / "demo").stdout


def test_what_it_prints(cortex: Shell, tmp_path: Path, monkeypatch: Any) -> None:
    """The picks with reasons, the article's estimates beside this run, the proof."""
    monkeypatch.setattr(demo, "_materializer", lambda _: build)
    done = cortex("demo", "--customers", "100", "--home", tmp_path / "demo")
    assert done.exit_code == 0
    assert done.stderr == ""
    assert "estimates for 10,000 customers" in done.stdout
    assert all(name in done.stdout for name in PUBLISHED)
    assert "100 of 100 bundles of the first pass" in done.stdout
    assert done.stdout.endswith("The proof holds.\n")


def test_a_proof_that_fails_is_exit_code_1(cortex: Shell, tmp_path: Path, monkeypatch: Any) -> None:
    """Another spec at the second materialization makes other bundles, and that is noticed."""
    calls: list[str] = []

    def tampering(plane: ContextPlane, tenant: str, report: Any) -> None:
        calls.append(tenant)
        if len(calls) == 2:
            spec = plane.settings.contexts / f"{SPEC}.yaml"
            spec.write_text(spec.read_text().replace("max_tokens: 60", "max_tokens: 20"))
        build(plane, tenant, report)

    monkeypatch.setattr(demo, "_materializer", lambda _: tampering)
    done = cortex("demo", "--customers", "100", "--home", tmp_path / "demo")
    assert done.exit_code == 1
    assert done.stdout.endswith("THE PROOF FAILED.\n")


def test_the_changed_bundles_are_those_of_the_late_events(thousand: Told) -> None:
    """Each with the events that changed it, and all others untouched at the new head."""
    proof = thousand.proof
    late = {event["subject"] for event in corrections(World(1_000))}
    assert proof.changed == proof.late == len(late) > 10
    assert proof.explained
    assert proof.untouched_identical == proof.untouched == 1_000 - len(late)
    assert proof.as_of_identical
    for change in proof.examples:
        assert change.entity in late
        assert change.events == tuple(
            f"{event['type']} {event['source']}/{event['id']}"
            for event in corrections(World(1_000))
            if event["subject"] == change.entity
        )


def test_the_agent_is_far_better_than_chance_and_not_perfect(thousand: Told) -> None:
    """The planted signals are noisy: a figure of 100 % would mean that the truth leaked."""
    quality = thousand.figures.quality
    assert quality is not None
    assert quality.picked == 50
    assert 0.5 < quality.precision < 0.95
    assert 0.5 < quality.recall < 0.95


def test_shuffled_labels_give_chance_level(thousand: Told) -> None:
    """Measured against labels that have nothing to do with the customers, the picks are worth nothing."""
    truth = World(1_000).truth()
    entities = [f"customer/c-{number:05d}" for number in range(1_000)]
    rng = random.Random(1)
    shuffled = [measure(thousand.picks, frozenset(rng.sample(entities, len(truth))), 1_000) for _ in range(200)]
    precision = sum(quality.precision for quality in shuffled) / len(shuffled)
    assert precision == pytest.approx(len(truth) / 1_000, abs=0.01)


def test_another_planted_rate_changes_the_recall(thousand: Told, tmp_path: Path) -> None:
    """Three times as many candidates, and the same share to contact: most are missed."""
    more = story(tmp_path / "home", 400, planted=0.15).figures
    assert more.quality is not None
    assert thousand.figures.quality is not None
    assert more.quality.planted > 40
    assert more.quality.recall < 0.6 < thousand.figures.quality.recall
    assert more.tenant == "growth-400-s42-p1500"


def test_the_agent_sees_nothing_but_bundles(thousand: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the generator out of reach, the bundles in the store give the same picks."""
    monkeypatch.delattr(customers.World, "truth")
    monkeypatch.delattr(customers, "draw")
    home = Home(Path(thousand.figures.home))
    with ContextPlane.open(home.root, **home.overrides) as plane:
        bundles = plane.bundles(thousand.figures.tenant, SPEC, known_at=thousand.figures.commit)
        assert rank(bundles) == thousand.picks


def test_the_truth_is_in_no_event() -> None:
    """Two worlds that differ in nothing but who is planted have the same words in their events."""
    words = {word for event in all_events(World(300)) for word in json.dumps(event).split('"')}
    assert not {"candidate", "planted", "truth", "label"} & words


def test_the_same_world_has_the_same_events() -> None:
    """Byte for byte, and a larger world begins with the smaller one."""
    small, large = ([json.dumps(event) for event in all_events(World(n))] for n in (50, 80))
    assert large[: len(small)] == small
    assert small == [json.dumps(event) for event in all_events(World(50))]


def test_events_are_of_the_thirty_days_and_skewed() -> None:
    """Every id once, 10 to 20 events a customer on average, and a few customers make most of the noise."""
    found = list(all_events(World(1_000)))
    assert len({(event["source"], event["id"]) for event in found}) == len(found)
    assert all(START <= parse_instant(event["time"]) < END for event in found)
    counts: dict[str, int] = {}
    for event in found:
        counts[event["subject"]] = counts.get(event["subject"], 0) + 1
    ordered = sorted(counts.values())
    assert len(ordered) == 1_000
    assert 10 < len(found) / 1_000 < 20
    assert ordered[-1] > 4 * ordered[500]


def test_a_home_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is never mixed from two generators."""
    story(tmp_path / "demo", 20)
    monkeypatch.setattr(events, "PRICE", dict.fromkeys(customers.PRICE, 1))
    with pytest.raises(InputError, match="another version of the demo"):
        story(tmp_path / "demo", 20)


@pytest.mark.parametrize("number", ["5", "-1", "1000000"])
def test_impossible_sizes_are_refused(cortex: Shell, number: str, tmp_path: Path) -> None:
    """Before anything is made."""
    assert "--customers" in refused(cortex("demo", "--customers", number, "--home", tmp_path / "demo"))
    assert not (tmp_path / "demo").exists()


def test_a_folder_of_someone_else_is_refused(cortex: Shell, tmp_path: Path) -> None:
    """The demo deletes what it finds in its home, so it takes only its own."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.txt").write_text("mine")
    assert "--home" in refused(cortex("demo", "--home", other))
    assert [path.name for path in other.iterdir()] == ["precious.txt"]
