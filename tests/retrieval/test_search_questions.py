"""Questions that nobody sensible asks, texts that are hard to search, and what must, or must not, be found.

All of them of events that are materialized, and of fresh ones.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from context_plane import ContextPlane
from context_plane.errors import InputError, NotFound
from context_plane.retrieval.scoring import kernels
from context_plane.retrieval.shards import near
from tests.retrieval.oracle import DIMENSION, Hashed
from tests.retrieval.test_fold import erase

MODES = ("bm25", "vector", "hybrid", "auto")
EVENTS = 40
EVERYTHING = (0, 1 << 20)
ROOT = Path(__file__).parents[2]
TEXTS = {
    "empty": "",
    "blank": " \n\t\u3000",
    "long": "needle " + "x" * 1_000_000 + " haystack",
    "many words": " ".join(f"straw{number % 5_000}" for number in range(120_000)) + " pin",
    "japanese": "東京都庁の展望台から富士山が見えた",
    "katakana": "ｻｰﾊﾞｰがダウンした",
    "chinese": "生产环境的数据库连接失败了",
    "thai": "การประชุมประจำปีของบริษัท",
    "lao": "ປະເທດລາວສວຍງາມ",
    "khmer": "ភាសាខ្មែរពិរោះណាស់",
    "burmese": "မြန်မာနိုင်ငံ",
    "korean": "서버가 다운되었습니다",
    "mixed": "ログにOutOfMemoryErrorが出た",
    "emoji": "🎉🎉 👩‍👩‍👧 release 🚀",
    "signs": "... --- ??? !!!",
    "direction": "\u202eevil\u202c \u200bhidden\ufeff word",
}
PARTS = {
    "long": "needle haystack",
    "many words": "pin straw4999",
    "japanese": "展望台",
    "katakana": "サーバー",
    "chinese": "数据库连接",
    "thai": "ประชุม",
    "lao": "ລາວ",
    "khmer": "ខ្មែរ",
    "burmese": "နိုင်",
    "korean": "서버가",
    "mixed": "OutOfMemoryError",
    "emoji": "release",
    "direction": "evil",
}


class Quick(Hashed):
    """The same for texts of a million words."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, np.ndarray] = {}

    def _vector(self, text: str) -> np.ndarray:
        total = np.zeros(DIMENSION)
        for word, count in Counter(re.findall(r"\w+", text.lower())).items():
            if word not in self._known:
                self._known[word] = super()._vector(word).astype(np.float64)
            total += count * self._known[word]
        length = np.linalg.norm(total)
        return (total / length if length else total).astype(np.float32)


def event(id_: str, text: str, second: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": id_, "source": "crm", "type": "crm.note", "subject": "customer/a",
        "time": f"2026-03-0{1 + second % 3}T10:00:{second % 60:02d}Z", "data": {"text": text}, **changes,
    }  # fmt: skip


def materialize(plane: ContextPlane) -> None:
    builder = plane.builder("acme")
    builder.timeline(EVERYTHING)
    builder.fulltext(EVERYTHING)
    builder.vectors(EVERYTHING)
    builder.publish()


def opened(home: Path, store: str = "", **settings: Any) -> ContextPlane:
    plane = ContextPlane.open(home, store=store or str(home / "store"), embedder="hashed", max_staleness=0, **settings)
    plane._embedders["hashed"] = Quick()
    return plane


def ids(plane: ContextPlane, query: str, **asked: Any) -> list[str]:
    return [hit.event_id for hit in plane.search("acme", query, **asked)]


@pytest.fixture(autouse=True, params=["plain"])
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In numpy, or compiled."""
    monkeypatch.setenv(kernels.VARIABLE, request.param)
    monkeypatch.setattr(kernels, "choice", kernels.Choice())


both_loops = pytest.mark.parametrize("loops", ["plain", "compiled"], indirect=True)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContextPlane]:
    """A plane that is only read: notes and hard texts, every other one materialized, with a graph."""
    notes = [
        event(
            f"n{number}",
            f"alpha note {number}{' beta' * (number % 3)}",
            number,
            subject=f"customer/{number % 4}",
            labels=["vip"] if number % 2 else [],
        )
        for number in range(EVENTS)
    ]
    hard = [event(id_, text, number, type="hard.text") for number, (id_, text) in enumerate(TEXTS.items())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "LEAST", 8)
        with opened(tmp_path_factory.mktemp("acme"), f"memory://{uuid4().hex}") as plane:
            plane.ingest("acme", [*notes[::2], *hard[::2]])
            materialize(plane)
            plane.ingest("acme", [*notes[1::2], *hard[1::2]])
            yield plane


# --- hard texts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", PARTS)
def test_a_hard_text_is_found_by_a_part_of_it(acme: ContextPlane, id_: str) -> None:
    """By its words it is the only hit; and it is returned whole."""
    (hit,) = acme.search("acme", PARTS[id_], mode="bm25")
    assert (hit.event_id, hit.text) == (id_, TEXTS[id_])
    assert id_ in ids(acme, PARTS[id_], k=5)


def test_a_single_character_of_a_script_without_spaces_is_found(acme: ContextPlane) -> None:
    """Many words of Japanese and Chinese have one."""
    assert ids(acme, "庁", mode="bm25") == ["japanese"]


@pytest.mark.parametrize("id_", ["empty", "blank", "signs"])
def test_an_event_without_words_is_found_by_none(acme: ContextPlane, id_: str) -> None:
    """It is there for filters, in the modes that return whatever is nearest."""
    assert id_ not in ids(acme, f"alpha {TEXTS[id_]}", mode="bm25", k=1_000)
    (hit,) = [hit for hit in acme.search("acme", "alpha", mode="vector", k=1_000) if hit.event_id == id_]
    assert (hit.text, hit.score) == (TEXTS[id_], 0)


# --- long and empty questions ----------------------------------------------------------------------------------------


@both_loops
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("filters", [{}, {"entity": "customer/1"}, {"type": "crm.*", "labels": "vip"}])
def test_a_question_of_ten_thousand_words(acme: ContextPlane, mode: Any, filters: dict[str, Any]) -> None:
    """Is answered as any other: what shares its rare words comes first."""
    long = " ".join(["alpha", "29", *(f"straw{number}" for number in range(10_000))])
    hits = acme.search("acme", long, mode=mode, k=1_000, **filters)
    assert hits == sorted(hits, key=lambda hit: -hit.score)
    if filters and mode == "bm25":
        assert hits[0].event_id == "n29"
    if not filters and mode != "vector":
        assert hits[0].event_id == "many words"


@pytest.mark.parametrize("unit", ["alpha ", "x", "東", "é", "🎉", "a-", "\u0301"])
def test_a_question_of_a_million_characters(acme: ContextPlane, unit: str) -> None:
    """Whatever it is made of."""
    hits = acme.search("acme", unit * (1_000_000 // len(unit)))
    if unit == "alpha ":
        assert all("alpha" in hit.text for hit in hits)
        assert len(hits) == 10


@pytest.mark.parametrize(
    "query", ["", " ", "\n\t", "...", "?!*()[]{}\"'", "🎉", "👩‍👩‍👧", "\ud800", "\0", "\u202e", "the of and"]
)
@pytest.mark.parametrize("mode", ["bm25", "hybrid", "auto"])
def test_a_question_without_words_finds_nothing(acme: ContextPlane, query: str, mode: Any) -> None:
    """Unless it has a meaning for the model."""
    hits = acme.search("acme", query, mode=mode, k=1_000)
    assert hits == [] or (query == "the of and" and mode != "bm25")


@both_loops
@pytest.mark.parametrize("query", ["", "...", "🎉", "\ud800"])
def test_a_question_without_meaning_finds_nothing_by_meaning(acme: ContextPlane, query: str) -> None:
    """Everything would be as near."""
    assert acme.search("acme", query, mode="vector", k=1_000) == []
    assert acme.search("acme", query, mode="vector", entity=["thing/0", "thing/1"]) == []
    assert acme.search("acme", query, vector=np.zeros(DIMENSION), mode="vector") == []


# --- how many hits ---------------------------------------------------------------------------------------------------


@both_loops
@pytest.mark.parametrize("mode", MODES)
def test_as_many_hits_as_asked_for(acme: ContextPlane, mode: Any) -> None:
    """None for 0, all there are for more than there are, and always the best of them."""
    everything = acme.search("acme", "alpha note 7", mode=mode, k=10_000)
    assert len(everything) == (EVENTS if mode == "bm25" else EVENTS + len(TEXTS))
    assert len({hit.event_id for hit in everything}) == len(everything)
    for k in (0, 1, 7, EVENTS, EVENTS + len(TEXTS) + 1):
        assert acme.search("acme", "alpha note 7", mode=mode, k=k) == everything[:k]


@pytest.mark.parametrize("k", [-1, 10_001, 1 << 70, True, False, 2.0, "3", None, [1]])
def test_an_impossible_number_of_hits(acme: ContextPlane, k: Any) -> None:
    """Names the argument, the value and the remedy."""
    with pytest.raises(InputError) as error:
        acme.search("acme", "alpha", k=k)
    assert (error.value.where, repr(k) in error.value.what, "0 to 10,000" in error.value.remedy) == ("k", True, True)


# --- filters ---------------------------------------------------------------------------------------------------------


@both_loops
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "filters",
    [
        {"entity": "customer/nobody"},
        {"entity": ""},
        {"entity": []},
        {"entity": "customer/1\0"},
        {"entity": "\ud800"},
        {"entity": "customer/*"},
        {"type": "billing.*"},
        {"type": "CRM.*"},
        {"type": "crm.[n]ote"},
        {"type": "crm.note\n"},
        {"type": "cortex.*"},
        {"type": ""},
        {"type": []},
        {"labels": "nobody's"},
        {"labels": "VIP"},
        {"labels": []},
        {"labels": "vip", "type": "hard.*"},
        {"since": "2026-03-02", "until": "2026-03-01"},
        {"since": "2026-03-01T10:00:00Z", "until": "2026-03-01T10:00:00Z"},
        {"since": "2030-01-01"},
        {"until": "1900-01-01"},
        {"since": 10**30},
        {"as_of": "2026-02-28"},
        {"as_of": -(10**30)},
    ],
    ids=str,
)
def test_filters_that_match_nothing(acme: ContextPlane, filters: dict[str, Any], mode: Any) -> None:
    """Find nothing: no error, and never the best of the rest."""
    assert acme.search("acme", "alpha note", mode=mode, **filters) == []


@pytest.mark.parametrize(
    "filters",
    [
        {"entity": 3},
        {"entity": ["customer/1", None]},
        {"entity": b"customer/1"},
        {"type": 1.5},
        {"labels": True},
        {"since": "yesterday"},
        {"since": 1.5},
        {"until": "2026-02-30"},
        {"until": datetime(2026, 3, 1)},  # noqa: DTZ001 - the point
        {"as_of": "2026-03-01T10:00:00"},
        {"as_of": ""},
        {"known_at": 0},
        {"known_at": 3},
        {"known_at": -1},
        {"known_at": "1"},
        {"known_at": 1.5},
        {"mode": "fuzzy"},
        {"mode": None},
    ],
    ids=str,
)
def test_impossible_filters(acme: ContextPlane, filters: dict[str, Any]) -> None:
    """Are named, with the remedy."""
    (name,) = filters
    with pytest.raises(InputError) as error:
        acme.search("acme", "alpha", **filters)
    assert name in str(error.value)
    assert error.value.remedy


@pytest.mark.parametrize("query", [None, 3, b"alpha", ["alpha"]])
def test_a_question_that_is_no_text(acme: ContextPlane, query: Any) -> None:
    """Is named, with the remedy."""
    with pytest.raises(InputError, match=r"query.*pass text"):
        acme.search("acme", query)


def test_a_glob_of_many_stars_is_matched_in_no_time(tmp_path: Path) -> None:
    """However long the type that nearly fits."""
    with opened(tmp_path, f"memory://{uuid4().hex}") as plane:
        plane.ingest("acme", [event("1", "alpha", type="a" * 1_000)])
        assert ids(plane, "alpha", type="*a" * 400 + "b", mode="bm25") == []
        assert ids(plane, "alpha", type="*a" * 400 + "*", mode="bm25") == ["1"]


@pytest.mark.parametrize("mode", MODES)
def test_a_tenant_that_does_not_exist(acme: ContextPlane, mode: Any) -> None:
    """Is named, with the remedy, and not made by asking."""
    with pytest.raises(NotFound, match=r"nobody.*ingest"):
        acme.search("nobody", "alpha", mode=mode)
    assert acme.tenants() == ["acme"]


@pytest.mark.parametrize("tenant", ["", "ACME", "../acme", "acme\n", "a" * 64, None, 3])
def test_an_impossible_tenant(acme: ContextPlane, tenant: Any) -> None:
    """Is named, with the rule."""
    with pytest.raises(InputError, match=r"not a valid name.*use 1-63"):
        acme.search(tenant, "alpha")


# --- ready vectors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["vector", "hybrid", "auto"])
@pytest.mark.parametrize(
    "vector",
    [
        [1.0] * (DIMENSION - 1),
        [1.0] * (DIMENSION + 1),
        [[1.0] * DIMENSION],
        [],
        1.0,
        [float("nan")] * DIMENSION,
        [1.0] * (DIMENSION - 1) + [float("inf")],
        [None] * DIMENSION,
    ],
    ids=["short", "long", "two dimensions", "empty", "a number", "NaN", "infinite", "None"],
)
def test_an_impossible_vector(acme: ContextPlane, vector: Any, mode: Any) -> None:
    """Names the dimension and the model."""
    with pytest.raises(InputError) as error:
        acme.search("acme", "alpha", vector=vector, mode=mode)
    assert error.value.where == "vector"
    assert f"{DIMENSION} finite numbers of hashed/a/{DIMENSION}" in error.value.remedy


@pytest.mark.parametrize(
    "vector",
    ["alpha", ["a"] * DIMENSION, [[1.0], [1.0, 2.0]], {"a": 1}, object(), [10**400] * DIMENSION],
    ids=["text", "texts", "ragged", "dict", "object", "huge"],
)
def test_what_is_no_vector_at_all(acme: ContextPlane, vector: Any) -> None:
    """Is named as any other impossible one."""
    with pytest.raises(InputError, match="vector"):
        acme.search("acme", "alpha", vector=vector)


@pytest.mark.parametrize(
    "length",
    [
        1.0,
        1e-6,
        1e12,
        1e-30,
        1e30,
        1e200,
    ],
)
def test_a_vector_counts_by_its_direction(acme: ContextPlane, length: float) -> None:
    """Whatever its length, and whatever the numbers are kept in."""
    own = Quick().embed(["alpha note 8 beta beta"])[0]
    expected = acme.search("acme", "alpha note 8 beta beta", mode="vector")
    hits = acme.search("acme", "", vector=own.astype(np.float64) * length, mode="vector")
    assert [hit.event_id for hit in hits] == [hit.event_id for hit in expected]
    assert hits[0].score == pytest.approx(1, abs=1e-5)


# --- what must, and must not, be found -------------------------------------------------------------------------------


def test_what_was_erased_is_never_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By words, by its own vector, by filter: neither by who has it in memory, nor in a new process, nor materialized
    again. What others say of the same is."""
    monkeypatch.setattr(near, "LEAST", 8)
    store, text = f"memory://{uuid4().hex}", "the secret of gone"
    notes = [event(f"n{n}", f"alpha note {n} secret", n, subject=f"customer/{n % 3}") for n in range(12)]
    gone = [event(f"gone{n}", text, n, subject="customer/gone", labels=["gone"]) for n in range(4)]
    vector = Quick().embed([text])[0]

    def all_ways(plane: ContextPlane) -> set[str]:
        found: set[str] = set()
        for mode in MODES:
            for filters in ({}, {"entity": "customer/gone"}, {"labels": "gone"}, {"as_of": "2026-03-02"}):
                found |= set(ids(plane, text, mode=mode, k=100, **filters))
                found |= set(ids(plane, text, mode=mode, k=3, vector=vector, **filters))
        return found

    with opened(tmp_path / "one", store) as one, opened(tmp_path / "two", store) as two:
        one.ingest("acme", [*notes, *gone[:2]])
        materialize(one)
        one.ingest("acme", gone[2:])
        everything = {each["id"] for each in (*notes, *gone)}
        assert all_ways(one) == all_ways(two) == everything
        erase(one, "customer/gone")
        left = {each["id"] for each in notes}
        assert all_ways(one) == all_ways(two) == left
        with opened(tmp_path / "three", store) as three:
            assert all_ways(three) == left
        materialize(one)
        assert all_ways(one) == all_ways(two) == left
        with opened(tmp_path / "four", store) as four:
            assert all_ways(four) == left
            four.warm("acme")
            assert all_ways(four) == left


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_an_event_is_found_as_soon_as_its_ingest_returned(tmp_path: Path, kind: str) -> None:
    """By a plane that was opened, and had searched, before; materialized or not, of any day."""
    store = f"memory://{uuid4().hex}" if kind == "memory" else str(tmp_path / "store")
    with opened(tmp_path / "one", store) as one, opened(tmp_path / "two", store) as two:
        for number in range(12):
            one.ingest("acme", [event(f"n{number}", f"alpha w{number}", number)])
            for plane in (two, one):
                assert ids(plane, f"w{number}", mode="bm25") == [f"n{number}"]
                assert ids(plane, f"w{number}", k=1) == [f"n{number}"]
            if number % 5 == 4:
                materialize(one)


WAITING = """
import sys
from context_plane import ContextPlane
with ContextPlane.open(sys.argv[1], embedder="none") as plane:
    for query in sys.stdin:
        print(*[hit.event_id for hit in plane.search("acme", query)], flush=True)
"""


def test_another_process_finds_it_too(tmp_path: Path) -> None:
    """One that was running, and had searched, before."""
    with (
        ContextPlane.open(tmp_path, embedder="none") as plane,
        subprocess.Popen(
            [sys.executable, "-c", WAITING, str(tmp_path)],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as other,
    ):  # fmt: skip
        assert other.stdin is not None
        assert other.stdout is not None
        for number in range(4):
            plane.ingest("acme", [event(f"n{number}", f"alpha w{number}", number)])
            other.stdin.write(f"w{number}\n")
            other.stdin.flush()
            assert other.stdout.readline() == f"n{number}\n"
        other.stdin.close()
        assert other.wait(30) == 0
