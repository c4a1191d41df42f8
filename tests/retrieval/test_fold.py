"""The folds of search: what is built when, compacted to what, and that no answer depends on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane import ContextPlane
from context_plane.instants import DAY, SECOND, day_of, format_instant
from context_plane.log.commits import CommitRecord
from context_plane.parts import daily
from context_plane.parts.daily import chosen, compaction, period
from context_plane.parts.part import FULLTEXT, MONTHS, TIMELINE, VECTOR, YEARS, Catalog, Part, by_day, day_number
from context_plane.retrieval.scoring import kernels
from context_plane.store import keys
from tests.retrieval.oracle import Asked, Hashed, Note, Oracle
from tests.retrieval.test_brute_force import REACH, check, event, indexed, materialize, plane_of

HOUR = 3_600 * SECOND
JANUARY = day_number("2026-01-01")
FIRST, LAST = day_number("2026-01-10"), day_number("2026-02-18")
EVERYTHING = (0, 1 << 20)


# --- which shards are read -------------------------------------------------------------------------------------------


def made(parts: Sequence[Part], level: Literal["month", "year"]) -> Part:
    """The compacted part of some parts."""
    first, last = period(parts[0].day, level)
    inputs = compaction(parts)
    return Part(first, f"{level} of {inputs}", 1, 1, 1, inputs, last=last)


def catalog(days: Sequence[Part], months: Sequence[Part] = (), years: Sequence[Part] = ()) -> Catalog:
    return Catalog({FULLTEXT: by_day(days), FULLTEXT + MONTHS: by_day(months), FULLTEXT + YEARS: by_day(years)})


def days_of(*texts: str) -> list[Part]:
    return [Part(day_number(text), f"version of {text}", 1, 1, 1) for text in texts]


JAN, FEB = days_of("2026-01-05", "2026-01-06", "2026-01-31"), days_of("2026-02-01", "2026-02-28")
MAR = days_of("2026-03-09")
JANUARYS, FEBRUARYS = made(JAN, "month"), made(FEB, "month")


def test_the_fewest_shards_that_hold_everything_are_read() -> None:
    """A month for its days, a year for its months and the days that no month holds."""
    assert chosen(FULLTEXT, catalog([*JAN, *FEB, *MAR])) == [*JAN, *FEB, *MAR]
    assert chosen(FULLTEXT, catalog([*JAN, *FEB, *MAR], [JANUARYS])) == [JANUARYS, *FEB, *MAR]
    year = made([JANUARYS, FEBRUARYS, *MAR], "year")
    assert chosen(FULLTEXT, catalog([*JAN, *FEB, *MAR], [JANUARYS, FEBRUARYS], [year])) == [year]
    assert chosen(FULLTEXT, Catalog()) == []


@pytest.mark.parametrize("day", range(3))
def test_a_rebuilt_day_puts_its_month_and_year_aside(day: int) -> None:
    """Until these are compacted anew, the days are read; the other months stay."""
    year = made([JANUARYS, FEBRUARYS], "year")
    days = [replace(part, version="another") if at == day else part for at, part in enumerate(JAN)]
    assert chosen(FULLTEXT, catalog([*days, *FEB], [JANUARYS, FEBRUARYS], [year])) == [*days, FEBRUARYS]
    month = made(days, "month")
    assert chosen(FULLTEXT, catalog([*days, *FEB], [month, FEBRUARYS], [year])) == [month, FEBRUARYS]


def test_a_day_that_came_later_or_is_gone_puts_the_month_aside() -> None:
    """The month was made of other days than there are."""
    assert chosen(FULLTEXT, catalog(JAN, [made(JAN[:2], "month")])) == JAN
    assert chosen(FULLTEXT, catalog(JAN[:2], [JANUARYS])) == JAN[:2]


def test_outdated_days_are_in_no_shard_that_is_read() -> None:
    """Something was taken away from them: neither they nor what was made of them may be read."""
    year = made([JANUARYS, FEBRUARYS], "year")
    everything = catalog([*JAN, *FEB], [JANUARYS, FEBRUARYS], [year])
    assert chosen(FULLTEXT, everything, [JAN[1].day]) == [JAN[0], JAN[2], FEBRUARYS]
    assert chosen(FULLTEXT, everything, [part.day for part in (*JAN, *FEB)]) == []


@given(data=st.data())
def test_each_day_is_read_once(data: st.DataObject) -> None:
    """Whatever was compacted of what, and whatever has changed since."""
    days = [
        Part(JANUARY + at, f"v{at}", 1, 1, 1) for at in sorted(data.draw(st.sets(st.integers(0, 800), max_size=12)))
    ]
    outdated = data.draw(st.sets(st.sampled_from([part.day for part in days]))) if days else set[int]()
    months = _compacted(data, days, "month")
    inside = {part.version: held for part, held in months}
    covered = {part.day for _, held in months for part in held}
    below = by_day([*(part for part, _ in months), *(part for part in days if part.day not in covered)])
    years = _compacted(data, list(below.values()), "year")
    changed = data.draw(st.sets(st.sampled_from([part.day for part in days]))) if days else set[int]()
    held_now = [replace(part, version="new") if part.day in changed else part for part in days]
    for year, parts in years:
        inside[year.version] = [day for part in parts for day in inside.get(part.version, [part])]
    found = chosen(FULLTEXT, catalog(held_now, [part for part, _ in months], [part for part, _ in years]), outdated)
    read = [day for part in found for day in inside.get(part.version, [part])]
    assert read == [part for part in held_now if part.day not in outdated]


def _compacted(
    data: st.DataObject, parts: Sequence[Part], level: Literal["month", "year"]
) -> list[tuple[Part, list[Part]]]:
    """Some of the months (years) of these parts, each with what it was made of."""
    groups: dict[int, list[Part]] = {}
    for part in parts:
        groups.setdefault(period(part.day, level)[0], []).append(part)
    return [(made(group, level), group) for group in groups.values() if data.draw(st.booleans())]


@given(day=st.integers(day_number("1900-01-01"), day_number("2100-01-01")))
def test_months_and_years_follow_each_other(day: int) -> None:
    """Each day lies in one of each; the next begins the day after the last."""
    for level, shown in (("month", 7), ("year", 4)):
        first, last = period(day, level)  # type: ignore[arg-type]
        texts = [day_of(each * DAY).isoformat()[:shown] for each in (first - 1, first, day, last, last + 1)]
        assert texts[1] == texts[2] == texts[3]
        assert texts[0] < texts[1] < texts[4]
        assert day_of(first * DAY).day == 1


# --- what is built ---------------------------------------------------------------------------------------------------


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContextPlane]:
    monkeypatch.setenv(kernels.VARIABLE, "plain")
    monkeypatch.setattr(kernels, "choice", kernels.Choice())
    with plane_of(tmp_path, Hashed()) as plane:
        yield plane


def story(seed: int, days: Sequence[int], per_day: int = 3) -> list[Note]:
    """Events of every day: turns of long conversations, some just before and after midnight, and notes beside them."""
    chance = Random(seed)
    found: list[Note] = []
    for day in days:
        for at in [0, *(chance.randrange(24) * HOUR for _ in range(per_day - 2)), DAY - 1]:
            source = chance.choice(["chat", "chat", "call", "crm"])
            chained = source != "crm"
            found.append(
                Note(
                    id=f"{seed}-{len(found)}",
                    source=source,
                    entity=f"customer/{chance.choice('ab')}",
                    at=day * DAY + at,
                    type=chance.choice(["crm.note", "chat.turn"]),
                    words=tuple(chance.choices("alpha beta gamma delta kappa sigma".split(), k=chance.randint(1, 4))),
                    chain="s" if chained else None,
                    reach=REACH[source],
                )
            )
    return found


QUESTIONS = [
    Asked(("alpha", "sigma"), k=30),
    Asked(("beta",), mode="bm25", k=500),
    Asked(("gamma", "gamma", "none"), mode="vector", k=500),
    Asked(("delta",), entities=("customer/b",), types=("chat.*",), k=20),
    Asked(("kappa", "alpha"), since=(JANUARY + 30) * DAY, until=(JANUARY + 33) * DAY, k=50),
    Asked(("alpha",), cut=(JANUARY + 31) * DAY, k=500),
    Asked(("beta", "delta"), mode="bm25", cut=(JANUARY + 31) * DAY - 1, k=500),
]


def ask(plane: ContextPlane, notes: Sequence[Note], embedder: Hashed) -> None:
    """All questions, compared with brute force."""
    oracle = Oracle(list(notes), embedder)
    for asked in QUESTIONS:
        check(plane, oracle, asked)


def parts(plane: ContextPlane, name: str) -> Mapping[int, Part]:
    """Published parts of a kind."""
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    return snapshot.catalog.of(name)


def read(plane: ContextPlane, kind: str) -> list[int | None]:
    """Of the shards that a reader reads: the last day of compacted ones, `None` for a day's."""
    snapshot = plane.snapshot("acme")
    assert snapshot is not None
    return [part.last for part in chosen(kind, snapshot.catalog)]


def test_answers_are_brute_force_before_and_after_compaction(plane: ContextPlane) -> None:
    """Forty days over two months, with conversations across midnights and the end of the month; then a late event."""
    embedder = Hashed()
    notes = story(1, range(FIRST, LAST + 1))
    plane.ingest("acme", [event(note) for note in notes])
    ask(plane, notes, embedder)
    materialize(plane)
    end_of_january = period(FIRST, "month")[1]
    for kind in (FULLTEXT, VECTOR):
        assert read(plane, kind) == [end_of_january, LAST - 1, None]
        assert len(parts(plane, kind)) == 40
    ask(plane, notes, embedder)

    late = replace(story(2, [FIRST + 5])[0], id="late", source="chat", chain="s", reach=REACH["chat"])
    plane.ingest("acme", [event(late)])
    notes.append(late)
    ask(plane, notes, embedder)  # from the tail, and its neighbours with it
    materialize(plane)
    assert read(plane, FULLTEXT) == [end_of_january, LAST - 1, None]
    ask(plane, notes, embedder)


def test_a_large_running_month_is_compacted_once_a_day(plane: ContextPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a late event its days are read until the next day begins."""
    monkeypatch.setattr(daily, "_EVERY_RUN", 2)
    notes = story(1, range(FIRST, FIRST + 4))
    plane.ingest("acme", [event(note) for note in notes])
    materialize(plane)
    assert read(plane, FULLTEXT) == read(plane, VECTOR) == [FIRST + 2, None]
    late = replace(notes[0], id="late")
    plane.ingest("acme", [event(late)])
    materialize(plane)
    assert read(plane, FULLTEXT) == read(plane, VECTOR) == [None] * 4
    ask(plane, [*notes, late], Hashed())
    new = replace(notes[0], id="new", at=(FIRST + 4) * DAY)
    plane.ingest("acme", [event(new)])
    materialize(plane)
    assert read(plane, FULLTEXT) == read(plane, VECTOR) == [FIRST + 3, None]
    ask(plane, [*notes, late, new], Hashed())


def test_a_late_event_is_read_from_its_day_until_the_month_is_compacted_anew(
    plane: ContextPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A builder that dies, or fails, before it compacts leaves the days."""
    notes = story(1, [*range(FIRST, FIRST + 6), LAST])
    plane.ingest("acme", [event(note) for note in notes])
    materialize(plane)
    assert len(read(plane, FULLTEXT)) == 2
    late = replace(notes[4], id="late")
    plane.ingest("acme", [event(late)])
    with monkeypatch.context() as patch:
        patch.setattr(daily.Fold, "_compact", lambda *_: {})
        materialize(plane)
    assert read(plane, FULLTEXT) == read(plane, VECTOR) == [None] * 7
    ask(plane, [*notes, late], Hashed())


def test_a_year_that_is_over_is_one_shard(plane: ContextPlane) -> None:
    """Made of months, and of the days of months with one day alone."""
    days = [JANUARY - 40, JANUARY - 39, JANUARY - 3, JANUARY - 2, JANUARY - 400, JANUARY + 1]
    notes = story(3, days)
    plane.ingest("acme", [event(note) for note in notes])
    materialize(plane)
    assert read(plane, FULLTEXT) == read(plane, VECTOR) == [None, JANUARY - 1, None]
    ask(plane, notes, Hashed())
    late = replace(notes[0], id="late", at=(JANUARY - 41) * DAY)
    plane.ingest("acme", [event(late)])
    materialize(plane)
    assert read(plane, FULLTEXT) == [None, JANUARY - 1, None]
    ask(plane, [*notes, late], Hashed())


def test_bytes_do_not_depend_on_how_it_came_about(plane: ContextPlane, tmp_path: Path) -> None:
    """All at once, or day by day in another order and materialized in between: the same shards."""
    notes = story(4, range(JANUARY + 25, JANUARY + 36))
    plane.ingest("acme", [event(note) for note in notes])
    materialize(plane)
    with plane_of(tmp_path / "other", Hashed()) as other:
        for at in (2, 0, 1):
            other.ingest("acme", [event(note) for note in reversed(notes[at::3])])
            materialize(other)
        for name in (FULLTEXT, FULLTEXT + MONTHS, VECTOR, VECTOR + MONTHS):
            mine, others = parts(plane, name), parts(other, name)
            assert [part.version for part in mine.values()] == [part.version for part in others.values()]
            assert mine.keys() == others.keys()


def test_nothing_is_built_where_nothing_is_new(plane: ContextPlane) -> None:
    """Neither a part nor a note nor a snapshot; nor a text embedded again."""
    embedder = plane.embedder("hashed")
    assert isinstance(embedder, Hashed)
    plane.ingest("acme", [event(note) for note in story(5, range(FIRST, FIRST + 30))])
    materialize(plane)
    stored, embedded = list(plane.store.list("tenants/acme/")), len(embedder.embedded)
    builder = plane.builder("acme")
    for built in (builder.timeline(EVERYTHING), builder.fulltext(EVERYTHING), builder.vectors(EVERYTHING)):
        assert (built.parts, built.unchanged) == ((), 30)
    assert builder.publish() is None
    assert list(plane.store.list("tenants/acme/")) == stored
    assert len(embedder.embedded) == embedded


def test_one_event_rebuilds_one_day(plane: ContextPlane) -> None:
    """Its day and its month, and no other."""
    notes = story(6, range(FIRST, LAST + 1))
    plane.ingest("acme", [event(note) for note in notes])
    materialize(plane)
    before = {name: dict(parts(plane, name)) for name in (FULLTEXT, VECTOR)}
    months = parts(plane, FULLTEXT + MONTHS)
    plane.ingest("acme", [event(replace(notes[0], id="late"))])
    builder = plane.builder("acme")
    builder.timeline(EVERYTHING)
    assert [part.day for part in builder.fulltext(EVERYTHING).parts] == [FIRST]
    assert [part.day for part in builder.vectors(EVERYTHING).parts] == [FIRST]
    builder.publish()
    for name, held in before.items():
        assert [day for day, part in parts(plane, name).items() if part.version != held[day].version] == [FIRST]
    assert parts(plane, FULLTEXT + MONTHS)[JANUARY].version != months[JANUARY].version


def test_another_analysis_is_built_anew_and_the_old_one_serves_meanwhile(
    plane: ContextPlane,
) -> None:
    """Shards of two analyses never mix; vectors have nothing to do with it."""
    running = [Note(f"{n}", "crm", "customer/a", day * DAY, words=("running",)) for n, day in enumerate((0, 1, 60))]
    plane.ingest("acme", [event(note) for note in running])
    materialize(plane)
    old = {name: dict(parts(plane, name)) for name in (FULLTEXT, FULLTEXT + MONTHS, VECTOR)}
    with ContextPlane(replace(plane.settings, analyzer="english")) as english:
        english._embedders = plane._embedders
        assert english.search("acme", "runs", mode="bm25") == []  # the index decides, not the home
        builder = english.builder("acme")
        assert builder.stale().indexes == {FULLTEXT: (0, 1, 60), VECTOR: ()}
        builder.fulltext((0, 30))
        builder.publish()
        assert parts(english, FULLTEXT) == old[FULLTEXT]
        assert len(english.search("acme", "running", mode="bm25")) == 3
        english.builder("acme").fulltext(EVERYTHING)
        english.builder("acme").publish()
        new = {name: dict(parts(english, name)) for name in old}
        for name in (FULLTEXT, FULLTEXT + MONTHS):
            assert new[name].keys() == old[name].keys()
            assert all(new[name][day].version != part.version for day, part in old[name].items())
        assert new[VECTOR] == old[VECTOR]
        assert indexed(english)
    # The plane that searched before may answer from the old index while the new one is loaded.
    with ContextPlane(english.settings) as english:
        english._embedders = plane._embedders
        assert len(english.search("acme", "runs", mode="bm25")) == 3


def erase(plane: ContextPlane, entity: str) -> None:
    """A tombstone, as the log records it."""
    history = plane.builder("acme").history
    number = history.refresh() + 1
    record = CommitRecord(
        number=number, kind="tombstone", put_id=f"erase {number}", prev=history.tip, time=format_instant(0), events=0,
        ranges=(), first_day=None, last_day=None, segments=(), ids=(), entities=(entity,),
    )  # fmt: skip
    assert plane.store.create(keys.commit("acme", number), record.encode())


def test_an_erased_entity_leaves_the_shards_of_its_days_only(plane: ContextPlane) -> None:
    """Other days keep their versions; what is left is answered as if the entity had never been, compacted too."""
    notes = story(7, range(FIRST, FIRST + 6)) + story(8, [LAST])
    gone = Note("gone", "chat", "customer/gone", (FIRST + 2) * DAY, words=("alpha",), chain="s", reach=REACH["chat"])
    alone = Note("alone", "crm", "customer/gone", (FIRST + 10) * DAY, words=("alpha",))
    plane.ingest("acme", [event(note) for note in (*notes, gone, alone)])
    materialize(plane)
    before = dict(parts(plane, FULLTEXT))
    erase(plane, "customer/gone")
    ask(plane, notes, Hashed())
    materialize(plane)
    changed = [day for day, part in parts(plane, FULLTEXT).items() if part.version != before[day].version]
    assert changed == [FIRST + 2, FIRST + 10]
    assert parts(plane, FULLTEXT)[FIRST + 10].rows == 0
    ask(plane, notes, Hashed())


def test_a_month_is_compacted_when_the_next_begins(plane: ContextPlane) -> None:
    """As a plane lives: every day is materialized when it comes, by windows of what is stale."""
    for day in (JANUARY + 29, JANUARY + 30, JANUARY + 31):
        plane.ingest("acme", [event(note) for note in story(day, [day])])
        builder = plane.builder("acme")
        for window in builder.stale().windows("day"):
            builder.timeline(window)
            builder.search(window)
        builder.publish()
        assert indexed(plane)
    assert read(plane, FULLTEXT) == [JANUARY + 30, None]


def test_a_month_built_in_two_halves_is_compacted(plane: ContextPlane) -> None:
    """By the run that finds the rest of it built: it sees the notes of the one before."""
    plane.ingest("acme", [event(note) for note in story(9, [JANUARY + 1, JANUARY + 20, JANUARY + 40])])
    builder = plane.builder("acme")
    builder.timeline(EVERYTHING)
    for first, last in pairwise((JANUARY, JANUARY + 15, JANUARY + 31, JANUARY + 60)):
        builder.search((first, last - 1))
    builder.publish()
    assert read(plane, FULLTEXT) == [JANUARY + 30, None]


def test_a_failed_check_keeps_a_shard_out(plane: ContextPlane) -> None:
    """Vectors that are not of length 1 are not published; the words are."""

    class Long(Hashed):
        def embed(self, texts: Sequence[str]) -> object:  # type: ignore[override]
            return super().embed(texts) * 2

    plane._embedders["hashed"] = Long()  # type: ignore[assignment]
    plane.ingest("acme", [event(note) for note in story(10, [FIRST])])
    builder = plane.builder("acme")
    builder.timeline(EVERYTHING)
    assert builder.fulltext(EVERYTHING).parts[0].passed
    assert not builder.vectors(EVERYTHING).parts[0].passed
    builder.publish()
    assert parts(plane, TIMELINE).keys() == parts(plane, FULLTEXT).keys() == {FIRST}
    assert parts(plane, VECTOR) == {}


def test_dates_name_the_folder_of_a_shard() -> None:
    """A day's, a month's and a year's shard lie apart."""
    year = made([JANUARYS, FEBRUARYS], "year")
    found = [daily.part_key("acme", FULLTEXT, part).split("/")[4:-1] for part in (JAN[1], FEBRUARYS, year)]
    assert found == [["2026", "01", "06"], ["2026", "02"], ["2026"]]
    assert JAN[1].date == date(2026, 1, 6)
