"""What CTX looks like: each layout and codec, as a reader sees it, and back."""

from __future__ import annotations

import re
from typing import Any

import pytest

from context_plane.ctx.data.decoding import decode
from context_plane.ctx.data.encoding import encode
from context_plane.ctx.data.equality import difference
from context_plane.ctx.data.tables import table

ORDERS: list[dict[str, Any]] = [
    {
        "id": f"ORD-{n:04}",
        "at": f"2025-01-{n % 28 + 1:02}T09:30:00Z",
        "state": ("shipped", "waiting", "lost")[n * n % 7 % 3],
        "zip": f"{n * 27_371 % 99_999:05}",
        "buyer": {"name": f"Customer {n * 7 % 13}", "plan": ("free", "pro")[n % 2], "price": (0, 40)[n % 2]},
        "items": [{"sku": f"A{n}{i}", "price": 2.5 * (i + 1)} for i in range(n % 3)],
        "tags": ["new", "gift"][: n % 3],
        "currency": "EUR",
    }
    for n in range(40)
]


def shown(value: Any, mode: Any = "verbatim") -> list[str]:
    """The lines of a value's CTX, after it was decoded again."""
    text = encode(value, mode)
    assert difference(decode(text), value) is None
    return text.split("\n")


def test_a_table_says_its_columns_once() -> None:
    """Groups for objects within, lists and records within cells, what all rows share in the head."""
    head, first, second, *rest = shown({"orders": ORDERS})
    assert head == ("orders[40]{id,at,state,zip:s,buyer{name,plan,price},items[]{sku;price},tags[],currency=EUR}:")
    assert first == "ORD-0000,2025-01-01T09:30:00Z,shipped,00000,Customer 0,free,0,[],[]"
    assert second == "ORD-0001,2025-01-02T09:30:00Z,waiting,27371,Customer 7,pro,40,A10;2.5,new"
    assert rest[0] == "ORD-0002,2025-01-03T09:30:00Z,waiting,54742,Customer 1,free,0,A20;2.5|A21;5.0,new|gift"


def test_compact_says_in_the_head_what_cells_begin_with() -> None:
    """Days and instants, templates, and columns that another decides."""
    head, first, *_ = shown({"orders": ORDERS}, "compact")
    assert 'id<"ORD-{}">' in head
    assert "at<202501DDThhmmssZ>" in head
    assert "plan" in head
    assert "price@buyer.plan(free=0 pro=40)" in head
    assert first.replace("\t", ",").replace("|", ",").startswith("0000,01T093000,shipped,00000,0,free,")


def test_instants_of_one_day_share_all_of_it() -> None:
    """And days of one month, and days of any."""
    rows = [
        {"at": f"2025-01-31T10:{n:02}:00.250Z", "day": f"2025-02-{n + 1:02}", "any": f"{1990 + n}-03-04"}
        for n in range(20)
    ]
    head, first, *_ = shown(rows, "compact")
    assert re.fullmatch(r"\[20[\t|]?\]\{at<20250131Thhmmss\.sssZ>.day<202502DD>.any<YYYYMMDD>\}:", head)
    assert re.fullmatch(r"T100000\.250.01.19900304", first)


def test_dense_has_codes_and_counts() -> None:
    """Each with its meaning in the head."""
    rows = [{"n": n + 1, "state": ("in progress", "waiting for parts")[n % 3 % 2], "x": n * 31 % 17} for n in range(60)]
    head, first, *_ = shown(rows, "dense")
    assert "n#1" in head
    assert 'state(I="in progress" W="waiting for parts")' in head
    assert first in ("I,0", "I\t0", "I|0")


def test_rows_of_several_kinds_have_heads_of_their_own() -> None:
    """By the column that says which kind a row is."""
    rows: list[dict[str, Any]] = []
    for n in range(12):
        rows.append({"type": "opened", "at": n, "title": f"Title {n}", "by": "ann", "milestone": n * 3})
        rows.append({"type": "closed", "at": n, "reason": f"done {n}"})
        rows.append({"type": "labelled", "at": n, "label": f"l{n}", "colour": f"c{n}", "was": None})
    lines = shown({"events": rows})
    assert lines[0] == "events[36]<type>"
    assert lines[1:4] == [
        "opened{at,title,by=ann,milestone}", "closed{at,reason}", "labelled{at,label,colour,was=null}:",
    ]  # fmt: skip
    assert lines[4:7] == ["opened,0,Title 0,0", "closed,0,done 0", "labelled,0,l0,c0"]


def test_members_that_are_alike_are_rows_under_their_keys() -> None:
    """The key comes first and needs no name."""
    flags = {f"flag {n}": {"on": n % 3 == 0, "share": n * 7 % 100, "owner": f"Owner {n}"} for n in range(9)}
    head, first, *_ = shown({"flags": flags})
    assert head == "flags[9:]{on,share,owner}:"
    assert first == "flag 0,true,0,Owner 0"
    assert shown({"flags": flags}, "compact")[0].startswith('flags[9:<"flag {}">')


def test_a_document_may_be_such_an_object() -> None:
    """Without a name."""
    flags = {f"flag {n}": {"on": n % 3 == 0, "owner": f"Owner {n}"} for n in range(60)}
    assert shown(flags)[:2] == ["[60:]{on,owner}:", "flag 0,true,Owner 0"]


def test_objects_with_keys_of_their_own_are_no_table() -> None:
    """It would be a thousand columns wide and nearly empty."""
    rows = [{f"key {n}-{k}": k for k in range(20)} for n in range(60)]
    text = "\n".join(shown(rows))
    assert "]{" not in text
    assert len(text) < 20 * 60 * 16
    assert table(rows, "verbatim") is None  # not even made, to be found too long


def test_what_a_row_lacks_is_empty_and_an_empty_text_is_not() -> None:
    """Absent, null, empty text, empty list and empty object are five things."""
    rows = [
        {"a": 1, "b": ""},
        {"a": 2, "b": None},
        {"a": 3},
        {"a": 4, "b": []},
        {"a": 5, "b": {}},
        {"a": 6, "b": "null"},
    ]
    assert shown(rows)[1:] == ['1,""', "2,null", "3,", "4,[]", "5,{}", '6,"null"']


def test_objects_are_lines_and_deeper_ones_are_indented() -> None:
    """Scalars of one object share a line."""
    value = {
        "name": "payments", "port": 8080, "limits": {"rate": 10, "burst": 20},
        "stages": {"build": {"steps": ["a", "b"], "image": "x:1"}, "test": {"steps": [], "deep": {"a": [1]}}},
        "hosts": [{"name": f"host-{n}.example.org", "port": 5432, "zone": f"z{n}"} for n in range(4)],
    }  # fmt: skip
    lines = shown(value)
    assert lines[0] == "name:payments,port:8080,limits:{rate:10,burst:20}"
    assert "hosts[4]{name,port=5432,zone}:" in lines
    assert "host-0.example.org,z0" in lines


def rules(chapter: int, section: int) -> list[dict[str, str]]:
    """Rules of a section."""
    return [{"id": f"{chapter}.{section}.{n}", "text": f"Rule {n}, of {section}; all | none"} for n in range(3)]


def test_items_that_hold_lists_of_objects_have_lines_of_their_own() -> None:
    """Each begins with a dash, and tables within stand below it."""
    chapters = [
        {"title": f"Chapter {c}", "sections": [{"title": f"Section {c}.{s}", "rules": rules(c, s)} for s in range(3)]}
        for c in range(3)
    ]
    lines = shown({"chapters": chapters})
    assert lines[0] == "chapters[3]:"
    assert lines[1] == "-title:Chapter 0"
    assert lines[2] == " sections[3]{title,rules[]{id;text}}:"
    assert lines[3].startswith('Section 0.0,0.0.0;"Rule 0, of 0; all | none"|0.0.1;')


def test_what_comes_again_and_again_is_said_once_before_the_document() -> None:
    """In compact and dense, where the string is long enough for it."""
    answer = "The flight HAT083 leaves San Francisco at 08:00 and has 14 seats in economy left."
    steps = [{"step": n, "tool": "search", "answer": answer if n % 2 else f"step {n}", "note": "*1"} for n in range(12)]
    lines = shown({"steps": steps}, "compact")
    assert lines[0] == f'&1:"{answer}"'
    assert lines[1] == 'steps[12]{step,tool=search,answer,note="*1"}:'
    assert lines[3] == "1,*1"
    assert answer in "".join(shown({"steps": steps})[1:])
    assert len([line for line in shown(steps, "dense") if answer in line]) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (0, "0"), (-0.0, "-0.0"), (1e21, "1e+21"), ("", '""'), ("a", "a"), ("1", '"1"'),
        ("true", '"true"'), ("a,b", '"a,b"'), ({}, "{}"), ([], "[]"), ([1, "1", "x"], '[1,"1",x]'),
        ({"a": 1}, "a:1"), ({"": 1}, '"":1'), ({"a b": [1]}, "a b:[1]"), ({"a": "b:c"}, 'a:"b:c"'),
    ],
)  # fmt: skip
def test_small_values(value: Any, text: str) -> None:
    """As they stand, wherever JSON would not be as short."""
    assert difference(decode(text), value) is None
    assert difference(decode(encode(value)), value) is None
