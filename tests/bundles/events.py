"""Events for tests of evaluation: timeline tables from Python values, and strategies that look for trouble."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from context_plane.canonical import canonical
from tests.bundles.oracle import Event

SECOND = 1_000_000
SCHEMA = pa.schema(
    [
        pa.field("entity", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("labels", pa.list_(pa.string()), nullable=False),
        pa.field("data", pa.string()),
        pa.field("attributes", pa.string()),
        pa.field("digest", pa.binary(16), nullable=False),
    ]
)


def table(events: Iterable[Event]) -> pa.Table:
    """The events as rows of a timeline, in the order given."""
    rows = [(e.entity, e.time, e.source, e.id, e.type, e.text, [], _data(e.data), None, e.digest) for e in events]
    columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def _data(value: Any) -> str | None:
    return None if value is None else canonical(value).decode()


def event(entity: str, at: int, data: Any = None, *, type: str = "a", text: str | None = None, name: str = "") -> Event:
    """An event `at` seconds after 1970."""
    return Event(entity, at * SECOND, "test", name or f"{at:06d}", type, text, data)


numbers = st.one_of(
    st.integers(-5, 5),
    st.sampled_from([0.1, 0.2, 0.3, -0.0, 1e21, -1e21, 1e-7, 1.5e-7, 1e-10, 1e-11, 5e-324, 1e300, 12.5, 0.000001]),
    st.sampled_from([2**53, 2**53 + 1, 2**63, 10**18, 10**18 - 1, 10**30 + 1, -(10**30), 10**40, 10**40 + 1]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-1000, 1000, places=2).map(float),
)
strings = st.one_of(
    st.sampled_from(
        ["pro", "free", "", "7", "0", " 12.50 ", "-3", "1e3", "1e999", "007", "true", " False ", "null", "é", "￮", "😀"]
    ),
    st.sampled_from(
        ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.1234567+01:30", "0001-01-01T00:00:00+01:00", "2026-01-02"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
scalars = st.one_of(numbers, strings, st.booleans(), st.none())
values = st.one_of(
    scalars, st.lists(scalars, max_size=3), st.dictionaries(st.sampled_from(["b", "c", "é😀"]), scalars, max_size=3)
)
data = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from(["amount", "plan", "flag", "a", "a.b", "time", "ключ"]), values, max_size=5),
    st.dictionaries(st.sampled_from(["amount", "plan"]), scalars, min_size=1),
    values,
)
texts = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text("ab \n", min_size=235, max_size=260),
    st.sampled_from(["It works. Thanks!", "See the log: it fails.\n\n- one\n- two", "Price 12.50 e.g. for two."]),
)


@st.composite
def histories(draw: Any, max_size: int = 25) -> list[Event]:
    """Events of a few entities within 40 seconds, many at equal times, each (source, id) once."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["c/1", "c/2", "c/é", "c/😀", "d/1"]),
                st.one_of(st.integers(-3, 40).map(lambda s: s * SECOND), st.integers(-SECOND, 40 * SECOND)),
                st.sampled_from(["s", "t"]),
                st.sampled_from(["1", "2", "3", "10", "é"]) | st.text("abc", min_size=1, max_size=6),
                st.sampled_from(["a", "b", "a.x", "A", "cortex.run", "cortexlike", "a_b%"]),
                texts,
                data,
            ),
            max_size=max_size,
        )
    )
    return [Event(*row) for row in {row[2:4]: row for row in drawn}.values()]
