"""Two processes that build the same partitions at once: what readers see is as if one had built them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.instants import DAY
from context_plane.parts.part import FULLTEXT, GRAPH, MONTHS, TIMELINE, VECTOR
from context_plane.retrieval.building import embeddings, fold, lance
from context_plane.retrieval.building.embeddings import Embeddings
from context_plane.retrieval.shards import near
from context_plane.retrieval.text.documents import Document, event_key
from context_plane.store import keys
from context_plane.store.local import LocalStore
from tests.retrieval.building import DONE, GRAPHED, READY, build, plane_at
from tests.retrieval.oracle import Hashed, Note
from tests.retrieval.test_brute_force import MAPPING, REACH, event, indexed
from tests.retrieval.test_fold import FIRST, erase, story

REPOSITORY = Path(__file__).parents[2]
UNLIMITED = 1 << 40


class Pair:
    """Two processes that build a home at the same time whenever they are told to."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.retrieval.building"]
        pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self._processes = [subprocess.Popen(command, cwd=REPOSITORY, text=True, **pipes) for _ in range(2)]
        self._expect(READY)

    def build(self, home: Path, limit: int) -> None:
        """Both build and publish. Fails with the error of one that ends."""
        for process in self._processes:
            process.stdin.write(f"{limit} {home}\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        self._expect(DONE)

    def _expect(self, word: str) -> None:
        for process in self._processes:
            said = process.stdout.readline()  # type: ignore[union-attr]
            assert said == f"{word}\n", process.stderr.read()  # type: ignore[union-attr]

    def close(self) -> None:
        """Ends both."""
        for process in self._processes:
            process.communicate(timeout=60)


class Twins:
    """A home that two processes build, and one with the same log that this process builds alone."""

    def __init__(self, folder: Path, pair: Pair, limit: int) -> None:
        self._pair, self._limit = pair, limit
        self._home = folder / "two"
        self.notes: list[Note] = []
        for home in (self._home, folder / "one"):
            (home / "sources").mkdir(parents=True)
            for source in ("chat", "call"):
                before, after = REACH[source]
                text = MAPPING.format(source=source, before=before, after=after)
                (home / "sources" / f"{source}.yaml").write_text(text)
        self.two, self.one = plane_at(self._home), plane_at(folder / "one")

    def ingest(self, notes: list[Note]) -> None:
        """The same batch into both homes."""
        self.notes += notes
        for plane in (self.one, self.two):
            plane.ingest("acme", [event(note) for note in notes])

    def erase(self, entity: str) -> None:
        """Takes an entity away from both."""
        self.notes = [note for note in self.notes if note.entity != entity]
        for plane in (self.one, self.two):
            erase(plane, entity)

    def build(self) -> None:
        """Both homes are built; their parts and answers are the same, and nothing is left to do."""
        self._pair.build(self._home, self._limit)
        build(self.one, self._limit)
        assert indexed(self.two)
        assert self.two.builder("acme").snapshots.notes() == []
        with plane_at(self._home) as fresh:
            assert answers(fresh) == answers(self.one)
        assert versions(self.two) == versions(self.one)
        assert rows(self.two) == rows(self.one)
        assert [key for key, _, _ in rows(self.two)] == sorted(event_key(note.source, note.id) for note in self.notes)
        check_chain(self.two)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


@pytest.fixture(params=[UNLIMITED, 0], ids=["loaded", "larger than memory"])
def twins(
    tmp_path: Path, pair: Pair, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Twins]:
    monkeypatch.setattr(near, "LEAST", GRAPHED)
    monkeypatch.setattr(fold, "_UNGRAPHED", GRAPHED)
    twins = Twins(tmp_path, pair, request.param)
    with ExitStack() as stack:
        for plane in (twins.one, twins.two):
            stack.enter_context(plane)
        yield twins


def answers(plane: ContextPlane) -> list[Any]:
    """Every event, with all its scores, for a few questions."""
    return [
        [hit.to_json() for hit in plane.search("acme", query, mode=mode, entity=entity, k=1_000)]
        for query in ("alpha sigma", "gamma")
        for mode in ("bm25", "vector", "hybrid")
        for entity in (None, "customer/a")
    ]


def versions(plane: ContextPlane) -> dict[str, list[tuple[int, str]]]:
    """Days and hashes of all published parts; of the graph, whose form follows the order of its growth, the day."""
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    assert snapshot.catalog.parts.keys() == {TIMELINE, FULLTEXT, FULLTEXT + MONTHS, VECTOR, VECTOR + MONTHS, GRAPH}
    return {
        kind: [(day, part.version if kind != GRAPH else "") for day, part in parts.items()]
        for kind, parts in snapshot.catalog.parts.items()
    }


def rows(plane: ContextPlane) -> list[tuple[int, str, list[float]]]:
    """What the table of embeddings holds, by key."""
    table = lance.open_table(plane.store, "acme", lance.table_name(Hashed().id))
    assert table is not None
    found = table.to_arrow().sort_by("key")
    return list(zip(*(found[name].to_pylist() for name in ("key", "text", "vector")), strict=True))


def check_chain(plane: ContextPlane) -> None:
    """Snapshots are numbered without a gap, none takes back what one before held, and the last holds everything."""
    builder = plane.builder("acme")
    names = [key for key in plane.store.children(keys.snapshots("acme")) if key.endswith(".json")]
    numbers = [int(name[:20]) for name in names]
    assert numbers == list(range(1, len(numbers) + 1))
    logs = [builder.snapshots.load(number).log for number in numbers]
    assert logs == sorted(logs)
    assert logs[-1] == builder.history.refresh()


def test_two_processes_build_what_one_would(twins: Twins) -> None:
    """A new history, late events and a new day, an entity that is erased: each time both build the same at once."""
    gone = Note("gone", "crm", "customer/gone", (FIRST + 2) * DAY, words=("alpha",))
    twins.ingest([*story(1, range(FIRST, FIRST + 5), 8), gone])
    twins.build()
    twins.ingest([*story(2, [FIRST + 1, FIRST + 5], 8), replace(twins.notes[0], id="late")])
    twins.build()
    twins.erase("customer/gone")
    twins.build()


@pytest.mark.parametrize("old", [False, True])
def test_two_tables_that_were_opened_before_write_events_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    """Each knows nothing of what the other has written since; also where the table is of before events were unique."""
    store = LocalStore(tmp_path)
    if old:
        with monkeypatch.context() as patch:
            patch.setattr(embeddings, "_UNIQUE", {})
            Embeddings(store, "acme", Hashed()).add([document("old", "alpha")])
    pair = [Embeddings(store, "acme", Hashed()) for _ in range(2)]
    assert [table.count() for table in pair] == [old, old]
    found = [document(str(number), f"alpha {number % 3}") for number in range(6)]
    for table in pair:
        table.add(found)
    assert [table.count() for table in [*pair, Embeddings(store, "acme", Hashed())]] == [6 + old] * 3


def test_who_finds_no_table_waits_for_him_who_makes_it(tmp_path: Path) -> None:
    """LanceDB would let the second of two that are made at once take the place of the first, and of its rows."""
    store, model = LocalStore(tmp_path), Hashed().id
    store.create(keys.lance_turn("acme", lance.table_name(model), 1), b"{}")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(Embeddings(store, "acme", Hashed()).count)
        assert not late.done()
        schema = Embeddings(LocalStore(tmp_path / "other"), "acme", Hashed()).table.schema
        lance._connect(store, "acme").create_table(lance.table_name(model), schema=schema)
        assert late.result(60) == 0
    assert store.head(keys.lance_turn("acme", lance.table_name(model), 2)) is None


def test_a_maker_who_was_killed_is_not_waited_for_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another makes the table in his place."""
    monkeypatch.setattr(lance, "_MADE_WITHIN", 0.05)
    store, name = LocalStore(tmp_path), lance.table_name(Hashed().id)
    for attempt in (1, 2):
        store.create(keys.lance_turn("acme", name, attempt), b"{}")
    table = Embeddings(store, "acme", Hashed())
    assert table.add([document("1", "alpha")]) == 1
    assert store.head(keys.lance_turn("acme", name, 3)) is not None
    assert Embeddings(store, "acme", Hashed()).count() == 1


def test_an_event_whose_text_is_known_has_a_row(tmp_path: Path) -> None:
    """Vectors that are remembered are not looked up, but every event is written."""
    table = Embeddings(LocalStore(tmp_path), "acme", Hashed())
    table.vectors([document("1", "alpha")])
    table.vectors([document("2", "alpha")])
    assert table.count() == 2


def test_many_writes_leave_few_fragments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write makes one, and each look-up would go through all: days of a long history would take ever longer."""
    monkeypatch.setattr(embeddings, "_LOOKED_AT", 4)
    monkeypatch.setattr(embeddings, "_FRAGMENTS", 8)
    table = Embeddings(LocalStore(tmp_path), "acme", Hashed())
    for number in range(30):
        table.add([document(str(number), f"alpha {number}")])
    stats: Any = table.table.stats()
    assert stats["fragment_stats"]["num_fragments"] <= 12
    assert table.count() == 30


def document(id_: str, text: str) -> Document:
    return Document("customer/a", FIRST * DAY, "crm", id_, "crm.note", (), text, text, "", 0)
