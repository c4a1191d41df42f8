"""Search through the façade equals brute force: whatever is materialized, compacted or fresh, filtered or cut."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane import ContextPlane
from context_plane.instants import DAY, format_instant
from context_plane.retrieval.scoring import kernels
from tests.retrieval.oracle import Asked, Hashed, Note, Oracle

START = 20_500 * DAY
WORDS = "alpha beta gamma delta kappa sigma omega lambda zeta".split()
MAPPING = """\
source: {source}
format: jsonl
subject: "{{entity}}"
type: "{{type}}"
time: time
text: text
index: {{with: [speaker], neighbours: {{before: {before}, after: {after}, within: session}}}}
"""
REACH = {"chat": (2, 1), "call": (1, 3), "crm": (0, 0)}


def plane_of(home: Path, embedder: Hashed) -> ContextPlane:
    """A plane in memory whose sources `chat` and `call` declare neighbours, and whose embedder is the test's."""
    (home / "sources").mkdir(parents=True, exist_ok=True)
    for source, (before, after) in REACH.items():
        if source != "crm":
            text = MAPPING.format(source=source, before=before, after=after)
            (home / "sources" / f"{source}.yaml").write_text(text, "utf-8")
    plane = ContextPlane.open(
        home, store=f"memory://{uuid4().hex}", max_staleness=0, embedder="hashed", analyzer="none"
    )
    plane._embedders["hashed"] = embedder  # type: ignore[assignment]
    return plane


def event(note: Note) -> dict[str, Any]:
    data: dict[str, Any] = {"text": note.text} if note.words else {"text": "", "n": None}
    if note.chain is not None:
        data |= {"speaker": " ".join(note.beside), "session": note.chain}
    return {
        "specversion": "1.0", "id": note.id, "source": note.source, "type": note.type, "subject": note.entity,
        "time": format_instant(note.at), "data": data, "labels": list(note.labels),
    }  # fmt: skip


@st.composite
def notes(draw: st.DrawFn) -> list[Note]:
    count = draw(st.integers(1, 25))
    found = []
    for number in range(count):
        source = draw(st.sampled_from(["chat", "chat", "call", "crm"]))
        chained = source != "crm"
        found.append(
            Note(
                id=f"n{number}",
                source=source,
                entity=f"customer/{draw(st.sampled_from('ab'))}",
                at=START + draw(st.integers(0, 3)) * DAY + draw(st.integers(0, 4)) * 1_000_000,
                type=draw(st.sampled_from(["crm.note", "crm.call", "chat.turn"])),
                labels=tuple(draw(st.sets(st.sampled_from(["pii", "vip"])))),
                words=tuple(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))),
                beside=tuple(draw(st.lists(st.sampled_from(WORDS), max_size=1))) if chained else (),
                chain=draw(st.sampled_from(["s1", "s2"])) if chained else None,
                reach=REACH[source],
            )
        )
    return found


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    some = st.one_of(st.none(), st.sets(st.sampled_from(["customer/a", "customer/b", "customer/none"]), min_size=1))
    entities, types = draw(some), draw(st.one_of(st.none(), st.sampled_from([("crm.*",), ("*.turn", "crm.call")])))
    instant = st.integers(-1, 4).map(lambda day: START + day * DAY)
    return Asked(
        words=tuple(draw(st.lists(st.sampled_from([*WORDS, "unknown"]), max_size=4))),
        mode=draw(st.sampled_from(["bm25", "vector", "hybrid"])),
        k=draw(st.sampled_from([1, 3, 10, 100])),
        entities=None if entities is None else tuple(sorted(entities)),
        types=types,
        labels=draw(st.one_of(st.none(), st.just(("pii",)))),
        since=draw(st.one_of(st.none(), instant)),
        until=draw(st.one_of(st.none(), instant)),
        cut=draw(st.one_of(st.just(1 << 60), instant)),
    )


def materialize(plane: ContextPlane) -> None:
    builder = plane.builder("acme")
    everything = (0, 1 << 20)
    builder.timeline(everything)
    builder.fulltext(everything)
    builder.vectors(everything)
    builder.publish()
    assert indexed(plane)


def indexed(plane: ContextPlane) -> bool:
    """Whether all that search reads is built and published."""
    stale = plane.builder("acme").stale()
    return not (stale.timeline or stale.unpublished or any(stale.indexes.values()))


def check(plane: ContextPlane, oracle: Oracle, asked: Asked) -> None:
    hits = plane.search(
        "acme", " ".join(asked.words), mode=asked.mode, k=asked.k, entity=asked.entities, type=asked.types,
        labels=asked.labels, since=asked.since, until=asked.until, as_of=None if asked.cut == 1 << 60 else asked.cut,
    )  # type: ignore[arg-type]  # fmt: skip
    wanted = oracle.search(asked)
    scores = {id_: score for id_, score, _, _ in wanted}
    assert len(hits) == min(asked.k, len(wanted))
    assert len({hit.event_id for hit in hits}) == len(hits)
    for hit, (_, score, _, _) in zip(hits, wanted, strict=False):
        assert hit.score == pytest.approx(score, abs=5e-6)  # the score at each place
        assert hit.score == pytest.approx(scores[hit.event_id], abs=5e-6)  # and of each event
    exact = {id_: (bm25, cosine) for id_, _, bm25, cosine in wanted}
    for hit in hits:
        bm25, cosine = exact[hit.event_id]
        assert hit.scores.bm25 is None or hit.scores.bm25 == pytest.approx(bm25, abs=5e-6)
        assert hit.scores.vector is None or hit.scores.vector == pytest.approx(cosine, abs=5e-6)


@pytest.mark.parametrize("loops", ["plain", "compiled"])
@given(data=st.data(), found=notes())
def test_search_is_brute_force(loops: str, data: st.DataObject, found: list[Note]) -> None:
    """Some events materialized, the others fresh, in any order of arrival: every question gets the oracle's answer."""
    order = data.draw(st.permutations(found))
    first = data.draw(st.integers(0, len(found)))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv(kernels.VARIABLE, loops)
        patch.setattr(kernels, "choice", kernels.Choice())
        embedder = Hashed()
        with plane_of(Path(folder), embedder) as plane:
            for batch, build in ((order[:first], True), (order[first:], False)):
                if batch:
                    plane.ingest("acme", [event(note) for note in batch])
                if build and batch:
                    materialize(plane)
            oracle = Oracle(found, embedder)
            for asked in data.draw(st.lists(questions(), min_size=4, max_size=8)):
                check(plane, oracle, asked)
