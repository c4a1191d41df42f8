"""The evaluator: the same events give the same bytes, bundles hold as long as they say, and changes are all found."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.bundles import evaluate
from context_plane.bundles.bundle import Bundle
from context_plane.bundles.evaluate import FOREVER, Evaluator
from context_plane.bundles.spec import ContextSpec, parse_spec
from context_plane.canonical import canonical, digest
from context_plane.ctx import tokens
from context_plane.errors import Corrupt, InputError
from tests.bundles.events import SCHEMA, SECOND, event, histories, table
from tests.bundles.oracle import Event

SPEC = parse_spec(
    """
context: everything_v0
entity: c
window: 20s
fields:
  n: {count: true}
  recent_n: {count: true, window: 5s}
  ever: {count: true, window: all}
  total: {sum: amount}
  mean: {avg: amount}
  least: {min: plan}
  greatest: {max: amount}
  plan: {latest: plan}
  first_at: {first: time}
  kinds: {count_distinct: type}
  paid: {exists: amount, where: "amount > 0"}
  last: {list: [time, type, text], last: 3}
  ratio: {expr: "total / recent_n"}
  busy: {expr: "ratio > 1 OR n >= 3"}
summary: {max_tokens: 40}
"""
)
NARROW = parse_spec(
    """
context: narrow_v0
entity: c
window: 7s
fields:
  n: {count: true}
  plan: {latest: plan, window: 3s}
  ever: {list: amount, last: 2, window: 15s}
summary: {max_tokens: 25}
"""
)


def run(evaluator: Evaluator, instants: list[int]) -> list[tuple[Any, ...]]:
    return [(at, e.entity, e.body, e.valid_through) for at in instants for e in evaluator.evaluate(at)]


@given(
    histories(),
    st.lists(st.integers(0, 60 * SECOND), min_size=1, max_size=3, unique=True),
    st.randoms(use_true_random=False),
)
def test_bytes_depend_on_the_events_alone(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], instants: list[int], chance: random.Random
) -> None:
    """Neither the order of rows nor tables, files, threads and batches show in a bundle."""
    with Evaluator(SPEC, "acme", threads=1) as evaluator:
        evaluator.load(table(events))
        expected = run(evaluator, instants)
    shuffled = chance.sample(events, len(events))
    at = chance.randint(0, len(shuffled))
    halves = table(shuffled[:at]), table(shuffled[at:])
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{index}.parquet" for index in range(2)]
    for path, half in zip(paths, halves, strict=True):
        pq.write_table(half, path, row_group_size=3)
    with pytest.MonkeyPatch.context() as patch, Evaluator(SPEC, "acme", threads=2) as evaluator:
        patch.setattr(evaluate, "_BATCH_ENTITIES", 2)
        patch.setattr(evaluate, "_BATCH_EVENTS", 3)
        for sources in (
            (pa.concat_tables(halves), None),
            halves,
            (paths, None),
            (paths[:1], halves[1]),
            ([], table(shuffled)),
        ):
            evaluator.load(*sources)
            assert run(evaluator, instants) == expected
        for name in evaluator.entities(instants[0]):
            evaluator.load(paths[:1], halves[1], entity=name)
            assert run(evaluator, instants[:1]) == [row for row in expected if row[:2] == (instants[0], name)]


@pytest.mark.parametrize("spec", [SPEC, NARROW], ids=lambda spec: spec.name)
@given(events=histories(), start=st.integers(0, 40 * SECOND), ahead=st.integers(1, 60 * SECOND))
def test_a_bundle_holds_until_it_says(spec: ContextSpec, events: list[Event], start: int, ahead: int) -> None:
    """Without new events the body is the same up to `valid_through`, and another one right behind it."""
    past = [e for e in events if e.time < start]
    with Evaluator(spec, "acme", threads=1) as evaluator:
        evaluator.load(table(past))
        for found in evaluator.evaluate(start):
            later = min(found.valid_through, start + ahead)
            assert [e.body for e in evaluator.evaluate(later, [found.entity])] == [found.body]
            if found.valid_through < FOREVER:
                held = next(evaluator.evaluate(found.valid_through, [found.entity]))
                after = next(evaluator.evaluate(found.valid_through + 1, [found.entity]))
                assert held.body == found.body
                assert after.valid_through > held.valid_through


@pytest.mark.parametrize("spec", [SPEC, NARROW], ids=lambda spec: spec.name)
@given(events=histories(), one=st.integers(-SECOND, 60 * SECOND), other=st.integers(-SECOND, 60 * SECOND))
def test_every_change_is_found(spec: ContextSpec, events: list[Event], one: int, other: int) -> None:
    """Between two instants only the entities that `changed` names have another bundle, or one at all."""
    since, until = sorted((one, other))
    with Evaluator(spec, "acme", threads=1) as evaluator:
        evaluator.load(table(events))
        before = {e.entity: e.body for e in evaluator.evaluate(since)}
        after = {e.entity: e.body for e in evaluator.evaluate(until)}
        changed = evaluator.changed(since, until)
        assert changed == sorted(changed)
        assert {name for name in after if after[name] != before.get(name)} <= set(changed) <= set(after)
        assert evaluator.changed(None, until) == list(after)
        assert {e.entity: e.body for e in evaluator.evaluate(until, changed)} == {name: after[name] for name in changed}


def test_a_body_is_a_canonical_bundle() -> None:
    """With its instant in front a body is canonical JSON whose version, tokens and digest are what they claim."""
    events = [event("c/1", second, {"amount": second, "plan": "pro"}, text=f"Paid {second}.") for second in range(5)]
    with Evaluator(SPEC, "acme") as evaluator:
        evaluator.load(table(events))
        (found,) = evaluator.evaluate(10 * SECOND)
    bundle = Bundle("c/1", SPEC.name, "1970-01-01T00:00:10Z", found.body)
    value = json.loads(bundle.json)
    assert canonical(value) == bundle.json
    assert list(value) == ["as_of", "entity", "events", "fields", "schema", "summary", "tenant", "tokens", "version"]
    without = {key: item for key, item in value.items() if key not in ("as_of", "version")}
    assert value["version"] == digest(without) == found.version
    assert value["tokens"] == tokens.count(bundle.text) == found.tokens
    assert value["events"]["count"] == found.count == 5
    assert (value["schema"], value["tenant"], value["entity"]) == ("everything_v0", "acme", "c/1")


def test_entities_asked_for_are_answered_without_events() -> None:
    """An entity that is asked for has an empty bundle where nothing happened to it; one of another type is refused."""
    with Evaluator(SPEC, "acme") as evaluator:
        evaluator.load(table([event("c/1", 1, {"amount": 2})]))
        found = list(evaluator.evaluate(2 * SECOND, ["c/9", "c/1", "c/0", "c/9"]))
        assert [(e.entity, e.count) for e in found] == [("c/0", 0), ("c/1", 1), ("c/9", 0)]
        assert found[2].valid_through == FOREVER
        fields = json.loads(b"{" + found[2].body)["fields"]
        assert fields["n"] == fields["total"] == fields["kinds"] == 0
        assert fields["mean"] is fields["plan"] is fields["least"] is fields["first_at"] is fields["ratio"] is None
        assert (fields["paid"], fields["last"]) == (False, [])
        with pytest.raises(InputError, match="is not a c"):
            list(evaluator.evaluate(2 * SECOND, ["d/1"]))


def test_an_entity_stays_when_its_windows_are_empty() -> None:
    """An entity whose events have left every window is still there, with nothing in it."""
    with Evaluator(NARROW, "acme") as evaluator:
        evaluator.load(table([event("c/1", 1, {"plan": "pro"}, text="Hello there.")]))
        (found,) = evaluator.evaluate(1_000 * SECOND)
        assert (found.count, found.valid_through) == (0, FOREVER)
        assert json.loads(b"{" + found.body)["fields"] == {"ever": [], "n": 0, "plan": None}
        assert json.loads(b"{" + found.body)["summary"] == ""


def test_loading_replaces_what_was_loaded() -> None:
    """An evaluator is used again for other events, and nothing of the first is left."""
    with Evaluator(SPEC, "acme") as evaluator:
        with pytest.raises(InputError, match="no events are loaded"):
            evaluator.entities(0)
        evaluator.load(table([event("c/1", 1)]))
        evaluator.load(table([event("c/2", 1)]))
        assert evaluator.entities(2 * SECOND) == ["c/2"]
        evaluator.load([])
        assert evaluator.entities(2 * SECOND) == []
        assert list(evaluator.evaluate(2 * SECOND)) == []


def test_columns_of_other_arrow_types_are_taken() -> None:
    """Rows whose strings and digests have another Arrow type than timelines have are the same rows."""
    rows = table([event("c/1", second, {"amount": 0.1}) for second in range(3)])
    wide = rows.cast(
        pa.schema([pa.field(f.name, pa.large_string() if f.type == pa.string() else f.type) for f in rows.schema])
    ).set_column(9, "digest", rows["digest"].cast(pa.binary()))
    with Evaluator(SPEC, "acme") as evaluator:
        evaluator.load(rows)
        expected = run(evaluator, [5 * SECOND])
        evaluator.load(wide)
        assert run(evaluator, [5 * SECOND]) == expected


def test_rows_that_are_no_timeline_are_corrupt(tmp_path: Path) -> None:
    """A damaged file, a missing column and data that is no JSON are reported as such, with the spec."""
    rows = table([event("c/1", 1, {"amount": 1})])
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing else PAR1")
    not_json = rows.set_column(7, "data", pa.array(["{"], pa.string()))
    with Evaluator(SPEC, "acme") as evaluator:
        for events in (rows.drop_columns(["digest"]), [broken], [tmp_path / "absent.parquet"], not_json):
            with pytest.raises(Corrupt, match="the timeline cannot be read"):
                evaluator.load(events)
        evaluator.load(rows)
        assert evaluator.entities(2 * SECOND) == ["c/1"]


def test_the_timeline_schema_is_enough() -> None:
    """Tests build rows with the schema that the timeline has."""
    from context_plane.parts.timeline import schema

    assert schema() == SCHEMA
