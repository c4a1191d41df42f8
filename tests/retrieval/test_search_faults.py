"""Searches that meet what goes wrong: damaged, missing and unreachable objects, little room, and busy neighbours.

Whatever happens, an answer is right, or it is an error that names the place and the remedy.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from context_plane import ContextPlane, ContextPlaneError
from context_plane.config import CacheSettings
from context_plane.errors import Corrupt, NotFound, Unavailable
from context_plane.log import checkpoints
from context_plane.parts.daily import chosen, part_key
from context_plane.parts.part import FULLTEXT, GRAPH, VECTOR
from context_plane.parts.view import View
from context_plane.retrieval.building.fold import graph_key
from context_plane.retrieval.cold.unloaded import Unloaded
from context_plane.retrieval.filters import Filters
from context_plane.retrieval.hit import Hit
from context_plane.retrieval.hot.base import Base
from context_plane.retrieval.scoring import kernels
from context_plane.retrieval.shards import near
from context_plane.store.base import Store
from context_plane.store.open import open_store
from tests.retrieval.oracle import Hashed

EVENTS = 24
EVERYTHING = (0, 1 << 20)
QUERIES = ("alpha note 4", "beta gamma", "unknown")
ONE: dict[str, Any] = {"entity": "customer/1", "since": "2026-03-02"}
FILTERS: tuple[dict[str, Any], ...] = ({}, ONE, {"as_of": "2026-03-02"})
SECONDS = 30  # Nothing here takes as long: a test that hangs should say where.

Damage = Callable[[bytes], bytes]
flipped: Damage = lambda body: body[: len(body) // 2] + bytes([body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1 :]  # noqa: E731
truncated: Damage = lambda body: body[: len(body) // 2]  # noqa: E731
emptied: Damage = lambda _: b""  # noqa: E731
damages = pytest.mark.parametrize("damage", [flipped, truncated, emptied], ids=["a byte changed", "truncated", "empty"])


def event(number: int, **changes: Any) -> dict[str, Any]:
    """Event `number`, of one of 3 customers and one of 4 days."""
    word = "alpha" if number % 3 else "beta"
    return {
        "specversion": "1.0", "id": f"n{number}", "source": "crm", "type": "crm.note",
        "subject": f"customer/{number % 3}", "time": f"2026-03-0{1 + number % 4}T10:00:{number % 60:02d}Z",
        "data": {"text": f"{word} note {number}{' gamma' * (number % 5)}"}, **changes,
    }  # fmt: skip


def opened(home: Path, store: str | None = None, **settings: Any) -> ContextPlane:
    """A plane with an embedder of its own; of a local store, unless another is named."""
    chosen = {} if store is None else {"store": store}
    plane = ContextPlane.open(home, embedder="hashed", max_staleness=0, **chosen, **settings)
    plane._embedders["hashed"] = Hashed()
    return plane


def materialize(plane: ContextPlane, tenant: str = "acme", *, vectors: bool = True) -> None:
    builder = plane.builder(tenant)
    builder.timeline(EVERYTHING)
    builder.fulltext(EVERYTHING)
    if vectors:
        builder.vectors(EVERYTHING)
    builder.publish()


def answers(plane: ContextPlane, tenant: str = "acme") -> list[list[Hit]]:
    """Many questions, in every mode."""
    return [
        plane.search(tenant, query, mode=mode, k=50, **filters)
        for query in QUERIES
        for mode in ("bm25", "vector", "hybrid")
        for filters in FILTERS
    ]


def answers_known_at(plane: ContextPlane, number: int) -> list[list[Hit]]:
    """The same questions about an earlier state."""
    return [
        plane.search("acme", query, mode=mode, k=50, known_at=number, **filters)
        for query in QUERIES
        for mode in ("bm25", "vector", "hybrid")
        for filters in FILTERS
    ]


def read_by_searches(plane: ContextPlane) -> dict[str, list[str]]:
    """Keys of the objects that a search reads, by kind."""
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    parts = {kind: chosen(kind, snapshot.catalog) for kind in (FULLTEXT, VECTOR)}
    graph = graph_key("acme", snapshot.catalog.of(GRAPH)[0])
    return {kind: [part_key("acme", kind, each) for each in found] for kind, found in parts.items()} | {GRAPH: [graph]}


def overwrite(store: Store, key: str, body: bytes) -> None:
    store.delete(key)
    store.put_content([(key, body)])


def settle() -> None:
    """Waits for what is loaded beside the searches."""
    for thread in threading.enumerate():
        if thread.name == "load-index":
            thread.join(SECONDS)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loops in numpy: loading the compiled ones takes longer than all the rest."""
    monkeypatch.setenv(kernels.VARIABLE, "plain")
    monkeypatch.setattr(kernels, "choice", kernels.Choice())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose local store has a tenant in two parts of each kind, with a graph. Nothing has read it yet."""
    home = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "LEAST", 8)
        with opened(home) as plane:
            plane.ingest("acme", [event(number) for number in range(EVENTS)])
            materialize(plane)
    shutil.rmtree(home / "cache", ignore_errors=True)
    return home


@pytest.fixture(scope="module")
def right(published: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[Hit]]:
    """The answers of a plane that nothing happens to."""
    home = tmp_path_factory.mktemp("right") / "home"
    shutil.copytree(published, home)
    with opened(home) as plane:
        found = answers(plane)
    assert [len(each) for each in found[:3]] == [EVENTS, 6, EVENTS // 2]
    return found


@pytest.fixture
def home(published: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    shutil.copytree(published, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def remote(published: Path) -> str:
    """The same objects in a store that is not this machine's disk."""
    url, local = f"memory://{uuid4().hex}", open_store(str(published / "store"))
    open_store(url).put_content((key, local.get(key)) for key in local.list("tenants/"))
    return url


@pytest.fixture(params=["local", "remote"])
def reader(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Iterator[ContextPlane]:
    """A plane that has not read anything yet."""
    store = request.getfixturevalue("remote") if request.param == "remote" else None
    with opened(home if store is None else tmp_path / "reader", store) as plane:
        yield plane


kinds = pytest.mark.parametrize("kind", [FULLTEXT, VECTOR, GRAPH])


# --- damaged and missing objects -------------------------------------------------------------------------------------


@damages
@kinds
def test_a_damaged_part_is_an_error_that_names_it(
    reader: ContextPlane, kind: str, damage: Damage, right: list[list[Hit]]
) -> None:
    """However often it is asked; once the object is whole again, the same plane answers."""
    key = read_by_searches(reader)[kind][-1]
    body = reader.store.get(key)
    overwrite(reader.store, key, damage(body))
    for _ in range(2):
        with pytest.raises(Corrupt) as error:
            reader.search("acme", "alpha")
        assert key in error.value.where
        assert error.value.remedy
    overwrite(reader.store, key, body)
    assert answers(reader) == right


@damages
@kinds
def test_one_entity_is_read_by_ranges_of_what_is_whole(
    remote: str, tmp_path: Path, kind: str, damage: Damage, right: list[list[Hit]]
) -> None:
    """Before the index is fetched: what is read of a part is checked too, and what is not read does no harm."""
    with opened(tmp_path, remote) as plane:
        key = read_by_searches(plane)[kind][-1]
        body = plane.store.get(key)
        overwrite(plane.store, key, damage(body))
        if kind != GRAPH:
            for _ in range(2):
                with pytest.raises(Corrupt) as error:
                    plane.search("acme", QUERIES[0], entity="customer/1")
                assert key in error.value.where
            overwrite(plane.store, key, body)
        found = plane.search("acme", QUERIES[0], entity="customer/1", since="2026-03-02", mode="hybrid", k=50)
        assert found == right[FILTERS.index(ONE) + 2 * len(FILTERS)]


@kinds
def test_a_part_that_is_gone_is_an_error_that_names_it(reader: ContextPlane, kind: str, right: list[list[Hit]]) -> None:
    """However often it is asked; once the object is back, the same plane answers."""
    key = read_by_searches(reader)[kind][-1]
    body = reader.store.get(key)
    reader.store.delete(key)
    for _ in range(2):
        with pytest.raises(NotFound) as error:
            reader.search("acme", "alpha")
        assert key in error.value.where
    reader.store.put_content([(key, body)])
    assert answers(reader) == right


@pytest.mark.parametrize("filters", [{}, ONE], ids=["all", "one entity"])
@pytest.mark.parametrize("damage", [flipped, truncated, None], ids=["damaged", "truncated", "gone"])
def test_the_remedy_is_the_same_for_every_store(
    reader: ContextPlane, damage: Damage | None, filters: dict[str, Any]
) -> None:
    """Parts are derived from the log: no backup is needed, only materialization."""
    key = read_by_searches(reader)[FULLTEXT][-1]
    body = reader.store.get(key)
    reader.store.delete(key)
    if damage is not None:
        reader.store.put_content([(key, damage(body))])
    with pytest.raises(ContextPlaneError) as error:
        reader.search("acme", "alpha", **filters)
    assert "materialize again" in error.value.remedy


@kinds
def test_materializing_again_mends_what_is_gone(
    reader: ContextPlane, kind: str, right: list[list[Hit]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what the errors advise."""
    monkeypatch.setattr(near, "LEAST", 8)
    reader.store.delete(read_by_searches(reader)[kind][-1])
    with pytest.raises(NotFound):
        reader.search("acme", "alpha")
    materialize(reader)
    assert answers(reader) == right


def test_everything_but_the_log_can_be_deleted(reader: ContextPlane, right: list[list[Hit]]) -> None:
    """The snapshots too: the answers are the same, from the log alone and materialized again."""
    for folder in ("snapshots", "indexes", "timeline", "builds"):
        for key in list(reader.store.list(f"tenants/acme/{folder}/")):
            reader.store.delete(key)
    assert answers(reader) == right
    materialize(reader)
    reader.close()
    assert answers(reader) == right


@pytest.mark.parametrize("mask", [1, 0x80])
def test_a_damaged_snapshot_is_an_error_that_names_it(
    remote: str, tmp_path: Path, mask: int, right: list[list[Hit]]
) -> None:
    """Whichever byte of it is changed; once it is deleted the log answers, and materializing again takes its place."""
    store = open_store(remote)
    (key,) = (each for each in store.list("tenants/acme/snapshots/") if "/months/" not in each)
    body = store.get(key)
    for at in range(0, len(body), 41):
        overwrite(store, key, body[:at] + bytes([body[at] ^ mask]) + body[at + 1 :])
        with opened(tmp_path, remote) as plane, pytest.raises(Corrupt) as error:
            plane.search("acme", "alpha")
        assert key in error.value.where
        assert "materialize again" in error.value.remedy
    store.delete(key)
    with opened(tmp_path, remote) as plane:
        assert answers(plane) == right
        materialize(plane)
        assert plane.snapshot("acme") is not None
        assert answers(plane) == right


@damages
def test_a_damaged_segment_is_an_error_that_names_it(reader: ContextPlane, damage: Damage) -> None:
    """What is not materialized yet is read from the log, and from nowhere else."""
    before = set(reader.store.list("tenants/acme/entities/"))
    reader.ingest("acme", [event(EVENTS)])
    (key,) = set(reader.store.list("tenants/acme/entities/")) - before
    body = reader.store.get(key)
    overwrite(reader.store, key, damage(body))
    with pytest.raises(Corrupt) as error:
        reader.search("acme", "alpha")
    assert key in error.value.where
    assert error.value.remedy
    overwrite(reader.store, key, body)
    assert len(reader.search("acme", "note", k=100)) == EVENTS + 1


@pytest.mark.parametrize("at", [0, 8, 12, 18, 29, 44, 60, -1], ids=lambda at: f"byte {at}")
def test_a_damaged_copy_of_this_machine_is_made_again(
    remote: str, tmp_path: Path, at: int, right: list[list[Hit]]
) -> None:
    """Whatever is changed in whichever file of the cache: the store has what it takes."""
    for _ in range(2):
        with opened(tmp_path, remote) as plane:
            plane.warm("acme")
            assert answers(plane) == right
        copies = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.parent.name != "cache"]
        assert {path.suffix for path in copies} >= {".arrays", ".usearch", ".fulltext", ".vector"}
        for path in copies:
            body = bytearray(path.read_bytes())
            body[at] ^= 1
            path.write_bytes(body)


@damages
def test_copies_cut_short_are_made_again(remote: str, tmp_path: Path, damage: Damage, right: list[list[Hit]]) -> None:
    """A disk that was full, or a process that was killed."""
    for _ in range(2):
        with opened(tmp_path, remote) as plane:
            plane.warm("acme")
            assert answers(plane) == right
        for path in (tmp_path / "cache").rglob("*"):
            if path.is_file():
                path.write_bytes(damage(path.read_bytes()))


def test_the_cache_may_be_deleted_while_it_is_read(remote: str, tmp_path: Path, right: list[list[Hit]]) -> None:
    """What is mapped stays, the rest is fetched again."""
    with opened(tmp_path, remote) as plane:
        for _ in range(3):
            assert answers(plane) == right
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)
            plane.files.memory.drop(lambda _: True)
        plane.warm("acme")
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        assert answers(plane) == right


# --- a store that does not answer ------------------------------------------------------------------------------------


class Shaky:
    """A store whose reads of some keys fail: from the n-th one on, as many as are told."""

    def __init__(self, inner: Store, what: str = "") -> None:
        self.inner = inner
        self.what = what
        self.reads = 0
        self.fails = range(0)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name not in ("get", "get_range", "head", "list", "children", "path"):
            return found

        def call(key: str, *args: Any, **options: Any) -> Any:
            if self.what in key:
                self.reads += 1
                if self.reads in self.fails:
                    raise Unavailable("the store does not answer", where=f"{self.inner.url}/{key}", remedy="try again")
            return found(key, *args, **options)

        return call


def behind(plane: ContextPlane, what: str = "") -> Shaky:
    """Puts a shaky store before a plane that has not read anything yet."""
    plane._store = shaky = Shaky(plane.store, what)
    return shaky


@pytest.mark.parametrize("filters", [{}, ONE], ids=["all", "one entity"])
def test_each_read_may_fail_once(
    remote: str, tmp_path: Path, filters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search says so, or does without; the next one is right."""
    monkeypatch.setattr(checkpoints, "EVERY", 2)
    with opened(tmp_path / "writer", remote) as writer:
        for number in range(EVENTS, EVENTS + 4):
            writer.ingest("acme", [event(number)])
        expected = writer.search("acme", "alpha note", k=50, **filters)
    nth = reads = failed = 0
    while nth <= reads:
        nth += 1
        with opened(tmp_path / str(nth), remote) as plane:
            shaky = behind(plane)
            shaky.fails = range(nth, nth + 1)
            try:
                assert plane.search("acme", "alpha note", k=50, **filters) == expected
            except Unavailable:
                failed += 1
            reads, shaky.fails = shaky.reads, range(0)
            assert plane.search("acme", "alpha note", k=50, **filters) == expected
    assert failed > 5


@pytest.mark.parametrize("what", ["/indexes/", "/entities/", "/log/", "/snapshots/", ""])
def test_a_store_that_is_gone_and_comes_back(remote: str, tmp_path: Path, what: str, right: list[list[Hit]]) -> None:
    """As long as it is gone every search that needs it fails, and says so; then each answer is right at once."""
    with opened(tmp_path / "writer", remote) as writer:
        writer.ingest("acme", [event(EVENTS)])
    with opened(tmp_path / "reader", remote) as plane:
        shaky = behind(plane, what)
        shaky.fails = range(1, 1 << 30)
        for _ in range(3):
            with pytest.raises(Unavailable, match="try again"):
                plane.search("acme", "alpha")
        shaky.fails = range(0)
        assert len(plane.search("acme", "note", k=100)) == EVENTS + 1
        assert answers_known_at(plane, 1) == right


def test_a_new_snapshot_that_cannot_be_read_is_told_of(remote: str, tmp_path: Path) -> None:
    """The old index serves, until the failure is known; with the store the answer is back."""
    with opened(tmp_path / "one", remote) as plane, opened(tmp_path / "two", remote) as writer:
        shaky = behind(plane, "/indexes/")
        writer.ingest("acme", [event(EVENTS)])
        expected = plane.search("acme", "alpha note", k=50)
        materialize(writer)
        shaky.fails = range(1, 1 << 30)
        assert plane.search("acme", "alpha note", k=50) == expected
        settle()
        with pytest.raises(Unavailable, match="try again"):
            plane.search("acme", "alpha note", k=50)
        shaky.fails = range(0)
        assert plane.search("acme", "alpha note", k=50) == expected


# --- busy neighbours and little room ---------------------------------------------------------------------------------


def test_every_answer_is_that_of_one_state(home: Path, tmp_path: Path) -> None:
    """While another plane ingests and publishes: never a mix, never an older state than the one before it, and what
    was known at an earlier number stays the same to the last bit."""
    batches, done = 3, threading.Event()

    def search(**cut: Any) -> list[list[Hit]]:
        seen: list[list[Hit]] = []
        while not done.is_set() or not seen:
            hits = plane.search("acme", "alpha note gamma", k=100, **cut)
            if not seen or hits != seen[-1]:
                seen.append(hits)
        return seen

    with opened(home) as plane, opened(home) as writer, ThreadPoolExecutor(3) as pool:
        searching = [pool.submit(search), pool.submit(search, known_at=1), pool.submit(search, as_of="2026-03-03")]
        try:
            for batch in range(batches):
                writer.ingest("acme", [event(EVENTS + 4 * batch + number) for number in range(4)])
                materialize(writer, vectors=batch == 1)
        finally:
            done.set()
        now, known, cut = (each.result(SECONDS) for each in searching)
        states = [plane.search("acme", "alpha note gamma", k=100, known_at=1 + n) for n in range(batches + 1)]
        assert now[-1] == states[-1] or plane.search("acme", "alpha note gamma", k=100) == states[-1]
    assert [states.index(each) for each in now] == sorted(states.index(each) for each in now)
    assert known == [states[0]]
    assert all({hit.time < "2026-03-04" for hit in hits} == {True} for hits in cut)


def test_many_tenants_in_little_memory(tmp_path: Path) -> None:
    """Searched in turn by several threads, they push each other out; the answers are those of a roomy plane."""
    tenants = [f"tenant-{number}" for number in range(4)]
    with opened(tmp_path) as roomy:
        for shift, tenant in enumerate(tenants):
            filled = [
                event(number, data={"text": f"alpha note {number} {number * shift % 7} " + "x" * 14_000})
                for number in range(40)
            ]
            roomy.ingest(tenant, filled)
            if shift == 2:
                materialize(roomy, tenant)
        expected = {tenant: answers(roomy, tenant) for tenant in tenants}
    assert len({str(each) for each in expected.values()}) == len(tenants)
    with opened(tmp_path, cache=CacheSettings(memory_mb=1)) as plane, ThreadPoolExecutor(2) as pool:
        order = [*tenants, *reversed(tenants)] * 2
        for tenant, found in zip(order, pool.map(lambda tenant: answers(plane, tenant), order), strict=True):
            assert found == expected[tenant]
        assert plane.files.counts()["memory"]["evictions"] > len(tenants)


@pytest.mark.parametrize("limit", [0, 1_000, 5_000, 20_000])
def test_a_remote_store_and_a_small_disk(remote: str, tmp_path: Path, limit: int, right: list[list[Hit]]) -> None:
    """What the disk does not take is held in memory, or fetched again."""
    with opened(tmp_path, remote, cache=CacheSettings(memory_mb=0, disk_mb=0)) as plane:
        plane.files.disk.limit = limit
        for _ in range(2):
            assert answers(plane) == right
            plane.warm("acme")
            plane.files.memory.drop(lambda _: True)
    kept = [path.stat().st_size for path in (tmp_path / "cache").rglob("*.*") if path.name != "usage.jsonl"]
    assert sum(kept) <= limit


def test_another_search_finds_out_first_that_the_index_is_needed(
    remote: str, tmp_path: Path, right: list[list[Hit]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just after this one thought that it could do without."""
    base = Unloaded.base

    def overtaken(self: Unloaded, view: View, filters: Filters) -> Base | None:
        found = base(self, view, filters)
        self._last = view, None
        return found

    monkeypatch.setattr(Unloaded, "base", overtaken)
    with opened(tmp_path, remote) as plane:
        assert answers(plane) == right


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContextPlane]:
    """A plane that may not load any index: LanceDB finds the candidates."""
    monkeypatch.setattr(CacheSettings, "index", 1)
    with opened(tmp_path / "large") as plane:
        plane.ingest("acme", [event(number) for number in range(EVENTS)])
        builder = plane.builder("acme")
        builder.timeline(EVERYTHING)
        builder.search(EVERYTHING)
        builder.publish()
        yield plane
        assert not plane._searcher(plane._known("acme"))._loader.loaded


def test_an_index_that_may_not_be_loaded(large: ContextPlane, right: list[list[Hit]]) -> None:
    """Gives the same answers, those to hostile questions too."""
    assert answers(large) == right
    for hostile in ("' OR 1=1 --", "x') OR ('1'='1", "%", "_ustomer/1", "\0", '"', "\\", "\ud800"):
        for name in ("entity", "type", "labels"):
            assert large.search("acme", "alpha", **{name: hostile}) == []  # type: ignore[arg-type]
            many = [*(f"{hostile}{number}" for number in range(30)), hostile]  # more than are read by ranges
            assert large.search("acme", "alpha", **{name: many}) == []  # type: ignore[arg-type]
        assert len(large.search("acme", f"{hostile} note", k=100)) == EVENTS


def test_a_damaged_table_is_never_a_wrong_answer(large: ContextPlane, right: list[list[Hit]]) -> None:
    """The parts have it all, with checksums."""
    for path in (large.settings.home / "store/tenants/acme/lance").rglob("data/*.lance"):
        path.write_bytes(path.read_bytes().replace(b"alpha note", b"alpha mote"))
    with ContextPlane(large.settings) as plane:
        plane._embedders = large._embedders
        assert answers(plane) == right


def test_a_plane_closed_while_it_is_searched(remote: str, tmp_path: Path, right: list[list[Hit]]) -> None:
    """It goes on: closing frees what is held, and that comes back when it is asked for."""
    with opened(tmp_path, remote) as plane, ThreadPoolExecutor(2) as pool:
        done = threading.Event()

        def search() -> bool:
            equal = True
            while not done.is_set():
                equal &= answers(plane) == right
            return equal

        searching = [pool.submit(search) for _ in range(2)]
        try:
            for _ in range(20):
                plane.search("acme", "alpha")
                plane.close()
        finally:
            done.set()
        assert all(each.result(SECONDS) for each in searching)


def test_a_plane_closed_while_ranges_are_read(
    remote: str, tmp_path: Path, right: list[list[Hit]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just before they are asked for."""
    ask = ThreadPoolExecutor.map

    def closed(pool: ThreadPoolExecutor, *args: Any, **options: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            plane.close()
        return ask(pool, *args, **options)

    with opened(tmp_path, remote) as plane:
        monkeypatch.setattr(ThreadPoolExecutor, "map", closed)
        found = plane.search("acme", QUERIES[0], entity="customer/1", since="2026-03-02", mode="hybrid", k=50)
        assert found == right[FILTERS.index(ONE) + 2 * len(FILTERS)]
