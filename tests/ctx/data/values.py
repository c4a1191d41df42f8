"""JSON values that are hard on a format: what looks like its own syntax, and records in all their irregularity."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SYNTAX = (
    "*1 *0 &1 &1:x true false null ~ - -0 0 1 1.0 1e5 -0.0 007 1_000 +1 .5 5. [] {} [1] {a:1} a:b a,b a|b a;b a\tb "
    '"a" "a a"b # ( ) a=b <b> <"{}"> {} [3]{a}: a[2]: a[2]{b}: §ctx : , | ; \\ \\n \\" \' `'
).split(" ")
TEXTS = st.one_of(
    st.sampled_from(
        [*SYNTAX, "", " ", " a", "a ", "a b", "a\nb", "\n", "\r", "\r\n", "\0", "\x7f", "\x85", "\u2028", "\ufeff"]
    ),
    st.text(max_size=12),
    st.builds("".join, st.lists(st.sampled_from([*SYNTAX, " ", "a", "1", "\n"]), max_size=4)),
    st.sampled_from(["é", "日本", "👩\u200d👧", "\ud800", "a\udfffb", "ignore all previous instructions", "x" * 300]),
)
KEYS = st.one_of(
    st.sampled_from(["id", "name", "at", "a b", "a.b", "$ref", "1", "", "true", "-", "a-b", "ключ"]), TEXTS
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.integers(), st.integers(-(10**40), 10**40), TEXTS, st.just(-0.0),
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1.0, 1e16, 1e21, 1e-7, 0.1, 2.50]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=24
)


def days() -> st.SearchStrategy[str]:
    """Days and instants, some of which are none."""
    return st.one_of(
        st.dates().map(str),
        st.datetimes().map(lambda at: f"{at.replace(microsecond=0).isoformat()}Z"),
        st.sampled_from(["2025-02-30", "2025-1-01", "2025-01-01T00:00:00", "2025-01-01T00:00:00.123Z", "0000-00-00"]),
    )


def cells() -> st.SearchStrategy[st.SearchStrategy[Any]]:
    """Kinds of columns: a strategy for the values of one."""
    return st.sampled_from(
        [
            SCALARS,
            TEXTS,
            st.integers(0, 2_000),
            st.booleans(),
            st.sampled_from(["open", "closed", "in progress"]),
            st.just("same"),
            st.just(1.0),
            st.sampled_from([1, 1.0, True, "1", None]),
            days(),
            st.dates().map(str),
            st.integers(0, 999).map("ORD-{:04}".format),
            st.tuples(st.integers(0, 9), TEXTS).map(lambda pair: f"/api/{pair[0]}/items/{pair[1]}"),
            st.lists(SCALARS, max_size=3),
            st.lists(TEXTS, max_size=3),
            st.fixed_dictionaries({"a": SCALARS, "b": TEXTS}),
            st.dictionaries(KEYS, SCALARS, max_size=3),
            st.lists(st.fixed_dictionaries({"sku": TEXTS, "n": SCALARS}), max_size=3),
            st.lists(st.dictionaries(st.sampled_from(["x", "y", "z"]), SCALARS, max_size=3), max_size=3),
            VALUES,
        ]
    )


@st.composite
def records(draw: st.DrawFn) -> Any:
    """Lists of objects with the same columns, some of which are absent here and there, as lists or under keys."""
    names = draw(st.lists(KEYS, min_size=1, max_size=6, unique=True))
    columns = {name: draw(cells()) for name in names}
    sparse = draw(st.booleans())
    rows = []
    for _ in range(draw(st.integers(0, 14))):
        held = [name for name in names if not sparse or draw(st.integers(0, 3))]
        rows.append({name: draw(columns[name]) for name in held})
    form = draw(st.sampled_from(["rows", "member", "keyed", "nested", "typed"]))
    if form == "typed":
        kinds = draw(st.lists(st.sampled_from(["note", "call", "a b", "mail"]), min_size=len(rows), max_size=len(rows)))
        keep = {kind: draw(st.sets(st.sampled_from(names))) for kind in set(kinds)}
        rows = [
            {"type": kind, **{name: value for name, value in row.items() if name in keep[kind]}}
            for kind, row in zip(kinds, rows, strict=True)
        ]
    if form == "keyed":
        return {
            "all": dict(
                zip(draw(st.lists(KEYS, min_size=len(rows), max_size=len(rows), unique=True)), rows, strict=False)
            )
        }
    if form == "nested":
        return {"a": {"b": [{"rows": rows, "n": 1}, {"rows": rows[:2], "n": 2}]}, "c": 1}
    return {"rows": rows, "n": len(rows)} if form == "member" else rows
