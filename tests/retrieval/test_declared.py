"""Declarations through the façade: events that come as CloudEvents are found by what their source declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.errors import InputError
from context_plane.parts.part import FULLTEXT, VECTOR, day_number
from tests.retrieval.oracle import Hashed
from tests.retrieval.test_brute_force import indexed, materialize

CHAT = """\
source: https://chat.example.org
format: cloudevents
index: {with: [speaker, time], neighbours: {before: 1, after: 1, within: session}}
"""
MAPPING = "source: {source}\nformat: csv\nsubject: a/{{b}}\ntype: t\ntime: at\nindex: {{with: [{name}]}}\n"
TURNS = [
    ("1", "monday", "Ann", "Which plan has single sign-on?"),
    ("2", "monday", "Ben", "The business plan."),
    ("3", "monday", "Ann", "Then we take it."),
    ("4", "friday", "Cleo", "Good morning!"),
]


def turn(number: int, source: str = "https://chat.example.org") -> dict[str, Any]:
    """One turn as a CloudEvent."""
    id_, session, speaker, text = TURNS[number]
    return {
        "specversion": "1.0", "id": id_, "source": source, "type": "chat.turn", "subject": "customer/acme",
        "time": f"2026-03-02T09:3{number}:00Z", "data": {"session": session, "speaker": speaker, "text": text},
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    return tmp_path


@pytest.fixture
def plane(home: Path) -> Iterator[ContextPlane]:
    with ContextPlane.open(home, embedder="hashed") as plane:
        plane._embedders["hashed"] = Hashed()  # type: ignore[assignment]
        yield plane


def materialize_and_load(plane: ContextPlane) -> None:
    """A plane that has searched goes on with the old index while it loads the new one: here it is waited for."""
    materialize(plane)
    plane.warm("acme")


def found(plane: ContextPlane, query: str) -> list[str]:
    return [hit.event_id for hit in plane.search("acme", query, mode="bm25")]


@pytest.mark.parametrize("materialized", [False, True])
def test_a_turn_is_found_by_its_neighbours_and_its_speaker(home: Path, plane: ContextPlane, materialized: bool) -> None:
    """By a word that only the turn before or after has, within the session; what is returned is its own text."""
    (home / "sources" / "chat.yaml").write_text(CHAT)
    plane.ingest("acme", [turn(n) for n in range(4)])
    plane.ingest("acme", [turn(1, "elsewhere")])  # another source, of which nothing is declared
    if materialized:
        materialize(plane)
    hits = plane.search("acme", "business", mode="bm25")
    assert {(hit.event_id, hit.source) for hit in hits[:2]} == {("2", "https://chat.example.org"), ("2", "elsewhere")}
    assert {hit.event_id for hit in hits[2:]} == {"1", "3"}
    assert {hit.text for hit in hits} == {text for id_, _, _, text in TURNS if id_ != "4"}
    (by_speaker,) = plane.search("acme", "Ben", mode="bm25")
    assert (by_speaker.source, by_speaker.text) == ("https://chat.example.org", "The business plan.")
    assert found(plane, "Cleo") == ["4"]  # neighbours keep their own speakers
    assert len(found(plane, "Monday March")) == 4  # the day in words


def test_another_declaration_is_a_backfill(home: Path, plane: ContextPlane) -> None:
    """The days' words become stale and the old index answers until the next snapshot; no text is embedded again."""
    plane.ingest("acme", [turn(n) for n in range(4)])
    materialize(plane)
    embedder = plane.embedder()
    assert isinstance(embedder, Hashed)
    before = len(embedder.embedded)
    assert found(plane, "Ben") == []
    (home / "sources" / "chat.yaml").write_text(CHAT)
    stale = plane.builder("acme").stale()
    assert {kind: len(days) for kind, days in stale.indexes.items()} == {FULLTEXT: 1, VECTOR: 0}
    assert found(plane, "Ben") == []
    materialize_and_load(plane)
    assert found(plane, "Ben") == ["2"]
    (home / "sources" / "chat.yaml").write_text(CHAT.replace("speaker, ", ""))
    assert not indexed(plane)
    materialize_and_load(plane)
    assert found(plane, "Ben") == []
    assert set(found(plane, "business")) == {"1", "2", "3"}
    assert set(embedder.embedded[before:]) == {"warm"}


def test_a_broken_declaration_is_an_error_that_names_it(home: Path, plane: ContextPlane) -> None:
    """Whoever builds or searches is told; ingesting goes on."""
    path = home / "sources" / "chat.yaml"
    path.write_text(f"{CHAT}subject: a/b\n")
    plane.ingest("acme", [turn(0)])
    for use in (lambda: plane.search("acme", "plan"), lambda: plane.builder("acme").stale()):
        with pytest.raises(InputError, match="subject is for files whose rows") as refused:
            use()
        assert refused.value.where == f"{path}:4: subject"


def test_one_source_has_one_declaration(home: Path, plane: ContextPlane) -> None:
    """Files that declare the same of a source, or of others, live together; which of two wins is not guessed."""
    for name, source, field in (("a", "crm", "note"), ("b", "crm", "note"), ("c", "phone", "call")):
        (home / "sources" / f"{name}.yaml").write_text(MAPPING.format(source=source, name=field))
    assert {name: each.with_ for name, each in plane.home.indexing().sources.items()} == {
        "crm": ("note",),
        "phone": ("call",),
    }
    (home / "sources" / "d.yaml").write_text("source: crm\nformat: cloudevents\nindex: {with: [stage]}\n")
    with pytest.raises(InputError, match=r"a\.yaml declares something else of the source 'crm'") as refused:
        plane.home.indexing()
    assert refused.value.where == f"{home / 'sources' / 'd.yaml'}:3: index"


def test_ingest_with_a_declaration_takes_what_it_takes_without(home: Path, plane: ContextPlane) -> None:
    """Also a list of dicts, which a mapping does not read; events of other sources too."""
    (home / "sources" / "chat.yaml").write_text(CHAT)
    assert plane.ingest("acme", [turn(0), turn(1, "elsewhere")], source="chat").accepted == 2
    assert plane.ingest("acme", [turn(0), turn(1, "elsewhere")]).duplicates == 2


def test_a_declaration_that_is_taken_back_costs_nothing(home: Path, plane: ContextPlane) -> None:
    """Half of the days are built by it when the old one is back: what was built before is found, and up to date."""
    days = [day_number(f"2026-03-0{n}") for n in range(1, 5)]
    turns = [{**turn(n), "time": f"2026-03-0{n + 1}T09:00:00Z"} for n in range(4)]
    plane.ingest("acme", turns[:3])
    materialize(plane)
    (home / "sources" / "chat.yaml").write_text(CHAT)
    half = plane.builder("acme")
    half.fulltext((days[0], days[1]))
    half.publish()
    (home / "sources" / "chat.yaml").unlink()
    assert indexed(plane)
    plane.ingest("acme", turns[3:])
    builder = plane.builder("acme")
    builder.timeline((days[3], days[3]))
    assert builder.stale().indexes == {FULLTEXT: (days[3],), VECTOR: (days[3],)}
    builder.search((days[3], days[3]))
    builder.publish()
    assert indexed(plane)
    plane.warm("acme")
    assert [found(plane, text) for _, _, _, text in TURNS] == [["1", "2"], ["2", "1"], ["3"], ["4"]]
    (home / "sources" / "chat.yaml").write_text(CHAT)
    assert plane.builder("acme").stale().indexes == {FULLTEXT: tuple(days[2:]), VECTOR: ()}  # the half is kept
