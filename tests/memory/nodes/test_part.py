"""The part of memory: the fold of events, its merge, its bytes, and what happens to them."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.canonical import canonical
from context_plane.errors import Corrupt
from context_plane.log.events import Normaliser, row
from context_plane.memory.nodes.node import Edge, Kept, link_event
from context_plane.memory.nodes.part import RECEIPT, Rows, decode, encode, fold, merge, rows_of
from context_plane.parts.timeline import table
from tests.memory.nodes.world import anything, edges, kept, link

HEAD = {"tenant": "acme", "day": "2026-03-01"}


def receipt(number: int, *ids: str) -> dict[str, Any]:
    """A receipt whose answer had these nodes."""
    items = [{"kind": "memory", "id": id_} for id_ in ids]
    return {
        "specversion": "1.0", "id": f"r-{number}", "source": "cortex/receipts", "type": RECEIPT,
        "subject": f"receipt/{number}", "time": "2026-03-01T00:00:00Z",
        "data": {"items": [{"kind": "event", "id": "e"}, *items]},
    }  # fmt: skip


def lines(*events: dict[str, Any]) -> list[bytes]:
    return [Normaliser(internal=True)(event).line for event in events]


def folded(stored: list[bytes]) -> Rows:
    """By way of a timeline, as builders fold, and row by row, as the tail is."""
    rows = [row(line) for line in stored]
    found = rows_of(table(rows))
    assert found == fold((each[0], each[1], each[2], each[3], each[4], each[7]) for each in rows)
    return found


some = st.lists(
    st.one_of(
        anything().map(Kept.event),
        edges().map(lambda edge: link_event(edge, "customer/a", 0)),
        st.builds(receipt, st.integers(0, 99), st.sampled_from("abc"), st.sampled_from("abc")),
    ),
    max_size=8,
    unique_by=lambda event: (event["source"], event["id"]),
)


@given(events=some, seed=st.integers(0, 99), cut=st.integers(0, 8))
def test_the_fold_does_not_depend_on_order_or_batches(events: list[dict[str, Any]], seed: int, cut: int) -> None:
    """Two halves merged are the whole, and the bytes are the same."""
    stored = lines(*events)
    whole = folded(stored)
    Random(seed).shuffle(stored)
    halves = [folded(stored[:cut]), folded(stored[cut:])]
    assert merge(halves) == merge(halves[::-1]) == whole
    assert encode(merge(halves), HEAD) == encode(whole, HEAD)


@given(events=some)
def test_bytes_come_back(events: list[dict[str, Any]]) -> None:
    """To the microsecond, whatever the words."""
    rows = folded(lines(*events))
    assert decode(encode(rows, HEAD), "key") == rows


def test_only_the_planes_own_events_are_memory() -> None:
    """A source that calls itself so, or a type, is not enough; what a receipt holds beside nodes does not count."""
    users = {**kept("a").event(), "type": "crm.note"}
    strange = {**kept("b").event(), "source": "crm", "id": "b"}
    told = folded(lines(users, strange, kept("c").event(), receipt(1, "c", "c"), receipt(2, "c", "gone")))
    assert [node.id for node in told.nodes] == ["c"]
    assert told.accessed == {"c": 3, "gone": 1}
    assert len(told) == 1


ROWS = Rows(
    (kept("a", 1), kept("b", 2, ("supersedes", "a"), about=("customer/b",), confidence=0.25)),
    (link("b", "contradicts", "a", 3),),
    {"a": 2},
)


def test_a_damaged_byte_is_noticed_or_changes_nothing() -> None:
    """Each byte, turned over, zeroed and with one bit changed. Another length is noticed, whatever it holds."""
    body = encode(ROWS, HEAD)
    for each in (*(body[:at] for at in range(len(body))), body + b"\0", body + body):
        with pytest.raises(Corrupt):
            decode(each, "memory/key")
    damaged = list[bytes]()
    for at, byte in enumerate(body):
        others = {byte ^ 0xFF, 0, *(byte ^ 1 << bit for bit in range(8))} - {byte}
        damaged += [body[:at] + bytes([other]) + body[at + 1 :] for other in others]
    for each in damaged:
        try:
            found = decode(each, "memory/key")
        except Corrupt as error:
            assert error.where == "memory/key"  # noqa: PT017 - either is right
        else:
            assert found == ROWS


@pytest.mark.parametrize(
    "plain",
    [
        [],
        [{"format": 2}, {"accessed": {}}],
        [{}, {"accessed": {}}],
        [[], {"accessed": {}}],
        [{"format": 1}, {"node": {"id": "a"}}, {"accessed": {}}],
        [{"format": 1}, {"node": "a"}, {"accessed": {}}],
        [{"format": 1}, {"link": {"at": 1}}, {"accessed": {}}],
        [{"format": 1}, {"link": {"at": 1, "actor": "a", "kind": "b", "target": "c", "more": 1}}, {"accessed": {}}],
        [{"format": 1}, {"nodes": 1}],
    ],
)
def test_what_is_no_part_is_refused(plain: list[Any]) -> None:
    """Of another version, or of another kind altogether."""
    import zstandard

    body = zstandard.ZstdCompressor(write_checksum=True).compress(b"\n".join(map(canonical, plain)))
    with pytest.raises(Corrupt, match="does not read") as error:
        decode(body, "memory/key")
    assert error.value.where == "memory/key"
    assert "materialize" in error.value.remedy


def test_edges_are_in_order_of_time() -> None:
    """Whoever states them."""
    told = [link("b", "refines", "a", 5), link("a", "led_to", "c", 3), link("c", "contradicts", "b", 3)]
    found = fold(("customer/a", e.at, "cortex/memory", e.event, "cortex.memory.link", _data(e)) for e in told)
    assert [edge.at for edge in found.links] == [3, 3, 5]
    assert found.links == tuple(sorted(told))


def _data(edge: Edge) -> str:
    return canonical(link_event(edge, "customer/a", 0)["data"]).decode()
