"""Another embedder is a backfill: the old index answers until the new one is published, and the two are never mixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import dagster as dg
import numpy as np
import pytest

from context_plane import ContextPlane
from context_plane.parts.daily import open_part
from context_plane.parts.part import FULLTEXT, VECTOR, Part
from context_plane.retrieval.shards import vectors
from context_plane.retrieval.text.documents import event_key
from tests.dagster.world import Home, event, metadata
from tests.retrieval.oracle import Hashed

EVENTS = [event(n, f"2026-03-0{n}", text=text) for n, text in enumerate(("alpha beta", "beta", "gamma", "delta"), 1)]
LATE = event(5, "2026-03-02", text="alpha alpha")
QUERIES = ("alpha", "beta delta", "gamma gamma")
Found = list[tuple[str, float | None]]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, Hashed]:
    """Two models whose vectors nothing but their numbers tells apart; whoever opens one gets the same again."""
    made = {name: Hashed(name) for name in ("first", "second")}
    monkeypatch.setattr("context_plane.retrieval.embedders.open_embedder", made.__getitem__)
    monkeypatch.setenv("CONTEXT_PLANE_EMBEDDER", "first")
    return made


@pytest.fixture
def before(home: Home, instance: dg.DagsterInstance, models: dict[str, Hashed]) -> Iterator[ContextPlane]:
    """A plane that has searched the first model's index, once the second one has been chosen."""
    home.ingest(EVENTS)
    assert home.refresh(instance, "2026-03-01", "2026-03-04").success
    assert models["first"].embedded == ["alpha beta", "beta", "gamma", "delta"]
    with ContextPlane.open(home.folder) as plane, pytest.MonkeyPatch.context() as patch:
        answers(plane)
        patch.setenv("CONTEXT_PLANE_EMBEDDER", "second")
        for model in models.values():
            model.embedded.clear()
        yield plane


def answers(plane: ContextPlane) -> list[Found]:
    """What searches by meaning find, with their cosines."""
    return [
        [(hit.event_id, hit.scores.vector) for hit in plane.search("acme", query, mode="vector")] for query in QUERIES
    ]


def expected(model: Hashed, *events: dict[str, object]) -> list[Found]:
    """The cosines by definition."""
    texts = {str(each["id"]): each["data"]["text"] for each in events}  # type: ignore[index]
    embed = Hashed(model.id.split("/")[1]).embed
    found = []
    for query in QUERIES:
        asked = embed([query])[0]
        cosines = {id_: float(embed([text])[0] @ asked) for id_, text in texts.items()}
        found.append([(id_, cosines[id_]) for id_ in sorted(cosines, key=lambda each: -cosines[each])])
    return found


def same(found: list[Found], wanted: list[Found]) -> bool:
    """Equal but for the last digits."""
    (ids, cosines), (wanted_ids, wanted_cosines) = (
        zip(*(hit for hits in each for hit in hits), strict=True) for each in (found, wanted)
    )
    return bool(ids == wanted_ids and np.allclose(cosines, wanted_cosines, atol=1e-5))


def published(home: Home) -> tuple[str, Mapping[int, Part]]:
    """The model of the newest snapshot's vectors, and their parts."""
    snapshot = home.plane.snapshot("acme")
    assert snapshot is not None
    return snapshot.catalog.about[VECTOR]["model"]["id"], snapshot.catalog.of(VECTOR)


def all_are_of(home: Home, model: Hashed, *events: dict[str, object]) -> bool:
    """Whether the published shards hold the vectors that this model gives these events, and no other."""
    texts = {event_key("crm", str(each["id"])): each["data"]["text"] for each in events}  # type: ignore[index]
    name, parts = published(home)
    held: dict[int, np.ndarray] = {}
    for part in parts.values():
        shard = vectors.decode(*open_part(home.plane.files, "acme", VECTOR, part))
        held.update(zip(shard.key.tolist(), shard.vector, strict=True))
    wanted = Hashed(model.id.split("/")[1]).embed(list(texts.values()))
    return name == model.id and held.keys() == texts.keys() and np.allclose([held[key] for key in texts], wanted)


def test_the_old_index_answers_until_the_new_one_is_published(
    home: Home, instance: dg.DagsterInstance, models: dict[str, Hashed], before: ContextPlane
) -> None:
    """Nothing but the vectors is stale; half a backfill is not published, though it is a run that went well."""
    first, second = models["first"], models["second"]
    stale = home.builder().stale()
    assert {kind: len(days) for kind, days in stale.indexes.items()} == {FULLTEXT: 0, VECTOR: 4}
    assert (stale.timeline, stale.unpublished) == ((), False)
    with ContextPlane.open(home.folder) as after:
        for plane in (before, after):
            assert same(answers(plane), expected(first, *EVENTS))
        home.ingest([LATE])  # from the tail, by the model of the index
        half = home.refresh(instance, "2026-03-01", "2026-03-02")
        assert half.success
        assert metadata(half, "vector_index")["built"] == 2
        for plane in (before, after):
            assert same(answers(plane), expected(first, *EVENTS, LATE))
    with ContextPlane.open(home.folder) as fresh:
        assert same(answers(fresh), expected(first, *EVENTS, LATE))
    assert all_are_of(home, first, *EVENTS)
    assert second.embedded == ["alpha beta", "beta", "alpha alpha"]
    assert not {text for text in first.embedded if text not in (*QUERIES, LATE["data"]["text"])}


def test_a_backfill_is_published_whole(
    home: Home, instance: dg.DagsterInstance, models: dict[str, Hashed], before: ContextPlane
) -> None:
    """In two runs: with the second all answers are the new model's, each text was embedded once and by it alone."""
    first, second = models["first"], models["second"]
    words = home.plane.snapshot("acme").catalog.of(FULLTEXT)  # type: ignore[union-attr]
    assert home.refresh(instance, "2026-03-03", "2026-03-04").success
    assert published(home)[0] == first.id
    assert home.refresh(instance, "2026-03-01", "2026-03-02").success
    assert all_are_of(home, second, *EVENTS)
    assert sorted(second.embedded) == sorted(each["data"]["text"] for each in EVENTS)
    assert first.embedded == []
    assert not home.builder().stale()
    assert home.plane.snapshot("acme").catalog.of(FULLTEXT) == words  # type: ignore[union-attr]
    before.warm("acme")  # it goes on with the old index while it loads the new one: here that is waited for
    with ContextPlane.open(home.folder) as fresh:
        for plane in (before, fresh):
            assert same(answers(plane), expected(second, *EVENTS))
    home.ingest([LATE])
    assert same(answers(before), expected(second, *EVENTS, LATE))
    assert "alpha alpha" not in first.embedded


def test_going_back_embeds_nothing_again(
    home: Home,
    instance: dg.DagsterInstance,
    models: dict[str, Hashed],
    before: ContextPlane,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each model has a table of its own, which keeps what it was paid for; only what came since is embedded."""
    first = models["first"]
    assert home.refresh(instance, "2026-03-01", "2026-03-04").success
    home.ingest([LATE])
    monkeypatch.setenv("CONTEXT_PLANE_EMBEDDER", "first")
    result = home.refresh(instance, "2026-03-01", "2026-03-04")
    assert result.success
    assert metadata(result, "embeddings")["texts embedded"] == 1
    assert first.embedded == ["alpha alpha"]
    assert all_are_of(home, first, *EVENTS, LATE)


def test_a_backfill_that_is_given_up_leaves_the_old_index_whole(
    home: Home,
    instance: dg.DagsterInstance,
    models: dict[str, Hashed],
    before: ContextPlane,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of the days are built by another model, then the first is chosen again, and a run builds only a new day."""
    first = models["first"]
    assert home.refresh(instance, "2026-03-01", "2026-03-02").success
    monkeypatch.setenv("CONTEXT_PLANE_EMBEDDER", "first")
    new = event(6, "2026-03-05", text="beta gamma")
    home.ingest([new])
    assert home.refresh(instance, "2026-03-05", "2026-03-05").success
    with ContextPlane.open(home.folder) as fresh:
        assert same(answers(fresh), expected(first, *EVENTS, new))
    assert all_are_of(home, first, *EVENTS, new)
    assert [text for text in first.embedded if text not in QUERIES] == ["beta gamma"]
    assert not home.builder().stale()
