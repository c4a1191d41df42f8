"""Reading context specs: what may be written, what it is normalised to, and where each mistake is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from context_plane.bundles.fields import Field
from context_plane.bundles.folder import load_specs
from context_plane.bundles.spec import ContextSpec, Summary, parse_spec
from context_plane.errors import InputError
from context_plane.instants import DAY

FULL = """\
context: customer_context_v0
entity: customer
window: 30d
fields:
  plan:        {latest: plan, of: billing.subscription}
  tickets:     {count: true, of: "support.*"}
  mrr:         {sum: amount, of: billing.invoice_paid}
  seats:       {max: seats}
  active_days: {count_distinct: day, of: "usage.*"}
  last_seen:   {latest: time}
  recent:      {list: [time, type, text], last: 5}
  at_risk:     {expr: "tickets >= 3 AND active_days < 5"}
summary: {max_tokens: 120}
"""


def spec(field: str, *more: str) -> str:
    """A spec whose field `f` is on line 4."""
    return "\n".join(["context: x", "entity: c", "fields:", f"  f: {field}", *more])


def test_the_contract_reads() -> None:
    """The example of the public contract is a spec, with its windows and targets normalised."""
    found = parse_spec(FULL)
    assert (found.name, found.entity, found.window) == ("customer_context_v0", "customer", 30 * DAY)
    assert (found.windows, found.longest) == ((30 * DAY,), 30 * DAY)
    assert found.summary == Summary(120)
    fields = {field.name: field for field in found.fields}
    assert fields["plan"] == Field("plan", "latest", "data.plan", ("billing.subscription",), window=30 * DAY)
    assert fields["recent"].target == ("time", "type", "text")
    assert (fields["recent"].limit, fields["recent"].newest) == (5, True)
    assert fields["tickets"].target is None
    assert fields["at_risk"] == Field("at_risk", "expr", "tickets >= 3 AND active_days < 5")


def test_meaning_decides_the_hash() -> None:
    """Order, comments, quotes and defaults do not show in a spec's hash; anything that changes a bundle does."""
    lines = FULL.splitlines()
    fields = lines[4:12]
    same = "\n".join(["# a comment", *lines[:4], *reversed(fields), "summary:", "  max_tokens: 120"])
    same = (
        same.replace("last: 5", "last:  5")
        .replace("window: 30d", 'window: "720h"')
        .replace("latest: plan", "latest: data.plan")
    )
    assert parse_spec(same) == parse_spec(FULL)
    assert parse_spec(same).hash == parse_spec(FULL).hash
    for old, new in [
        ("last: 5", "first: 5"),
        ("30d", "31d"),
        ("120", "121"),
        ("support.*", "support.?"),
        ("max:", "min:"),
    ]:
        assert parse_spec(FULL.replace(old, new)).hash != parse_spec(FULL).hash


def test_json_keeps_the_spec() -> None:
    """A spec survives the JSON in which snapshots store it."""
    found = parse_spec(FULL)
    assert ContextSpec.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert ContextSpec.from_json(found.to_json()).hash == found.hash


def test_windows_are_those_that_something_uses() -> None:
    """The spec's window counts only where a field or the summary takes it; `all` is the whole history."""
    text = "context: x\nentity: c\nwindow: 30d\nfields:\n  a: {count: true, window: 7d}\n"
    assert parse_spec(text).windows == (7 * DAY,)
    assert parse_spec(text + "  b: {count: true, window: all}\n").windows == (7 * DAY, None)
    assert parse_spec(text + "summary: {max_tokens: 9}\n").windows == (7 * DAY, 30 * DAY)
    assert parse_spec("context: x\nentity: c\nsummary: {max_tokens: 9}\n").windows == (None,)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("entity: c\nfields: {f: {count: true}}", "x.yaml:1", "'context' is missing"),
        ("context: a-b\nentity: c\nfields: {f: {count: true}}", "x.yaml:1: context", "is not a name"),
        ("context: x\nentity: c/d\nfields: {f: {count: true}}", "x.yaml:2: entity", "is not a name"),
        ("context: x\nentity: c", "x.yaml:1", "neither fields nor a summary"),
        ("context: x\nentity: c\nfeilds: {}", "x.yaml:3: feilds", "did you mean fields"),
        ("context: x\nentity: c\nfields: [a]", "x.yaml:3: fields", "not a mapping"),
        ("context: x\ncontext: y\nentity: c", "x.yaml:2", "there twice"),
        ("context: x\nentity: c\nwindow: 30\nfields: {f: {count: true}}", "x.yaml:3: window", "not a duration"),
        ("context: x\nentity: c\nwindow: 0d\nfields: {f: {count: true}}", "x.yaml:3: window", "or all"),
        ("context: x\nentity: c\nsummary: {max_tokens: 10001}", "x.yaml:3: summary.max_tokens", "1 to 10000"),
        ("context: x\nentity: c\nsummary: {tokens: 1}", "x.yaml:3: summary", "max_tokens: 120"),
        ("context: x\nentity: c\nsummary: {max_tokens: 9, off: a}", "x.yaml:3: summary.off", "did you mean of"),
        (spec("{lattest: plan}"), "x.yaml:4: fields.f.lattest", "did you mean latest"),
        (spec("{of: a}"), "x.yaml:4: fields.f", "no operator"),
        (spec("plan"), "x.yaml:4: fields.f", "a field is a mapping"),
        (spec("{latest: plan, count: true}"), "x.yaml:4: fields.f", "latest and count are both operators"),
        (spec("{latest: plan, off: a}"), "x.yaml:4: fields.f.off", "did you mean of"),
        (spec("{latest: plan, last: 3}"), "x.yaml:4: fields.f.last", "latest takes no last"),
        (spec("{count: true, type: number}"), "x.yaml:4: fields.f.type", "count takes no type"),
        (spec("{latest: true}"), "x.yaml:4: fields.f.latest", "name a data field"),
        (spec("{count: 3}"), "x.yaml:4: fields.f.count", "write true"),
        (spec("{sum: time}"), "x.yaml:4: fields.f.sum", "data.time if it is one"),
        (spec("{latest: time, type: number}"), "x.yaml:4: fields.f.type", "has its type already"),
        (spec("{sum: a, type: text}"), "x.yaml:4: fields.f.type", "use number"),
        (spec("{latest: a, type: int}"), "x.yaml:4: fields.f.type", "no type 'int'"),
        (spec("{latest: a..b}"), "x.yaml:4: fields.f.latest", "not a path"),
        (spec("{latest: 'a\"b'}"), "x.yaml:4: fields.f.latest", "cannot be read"),
        (spec("{latest: 'a*'}"), "x.yaml:4: fields.f.latest", "cannot be read"),
        (spec('{latest: "\\ud83d"}'), "x.yaml:4: fields.f.latest", "not a path"),
        (spec(f"{{latest: {'a' * 300}}}"), "x.yaml:4: fields.f.latest", "not a path"),
        (spec("{count: true, of: []}"), "x.yaml:4: fields.f.of", "0 globs"),
        (spec("{count: true, of: [a, 3]}"), "x.yaml:4: fields.f.of", "'3' is not a glob"),
        (spec("{list: [time, time]}"), "x.yaml:4: fields.f.list", "twice"),
        (spec("{list: []}"), "x.yaml:4: fields.f.list", "1 to 20"),
        (spec("{list: [time], last: 1001}"), "x.yaml:4: fields.f.last", "1 to 1000"),
        (spec("{list: [time], last: true}"), "x.yaml:4: fields.f.last", "1 to 1000"),
        (spec("{list: [time], last: 1, first: 1}"), "x.yaml:4: fields.f.first", "remove one"),
        (spec("{count: true, where: 3}"), "x.yaml:4: fields.f.where", "SQL text is missing"),
        (spec("{count: true, where: 'a >'}"), "x.yaml:4: fields.f.where", "ends too early"),
        (spec("{count: true, where: 'a > now()'}"), "x.yaml:4: fields.f.where, column 5", "now"),
        (spec("{count: true, where: 'random() > 0.5'}"), "x.yaml:4: fields.f.where", "random"),
        (spec("{count: true, where: \"a = (SELECT 1 FROM read_csv('/x'))\"}"), "x.yaml:4: fields.f.where", "subquery"),
        (spec("{count: true, where: \"getenv('HOME') = a\"}"), "x.yaml:4: fields.f.where", "getenv"),
        (spec("{count: true, where: 'upper(a) + 1 > 2'}"), "x.yaml:4: fields.f.where", "does not fit"),
        (spec("{expr: 'g + 1'}"), "x.yaml:4: fields.f.expr", "no field 'g'"),
        (spec("{expr: 'tickts > 1'}", "  tickets: {count: true}"), "x.yaml:4: fields.f.expr", "did you mean tickets"),
        (spec("{expr: 'f + 1'}"), "x.yaml:4: fields.f.expr", "f → f"),
        (spec("{expr: 'g + 1'}", "  g: {expr: 'h + 1'}", "  h: {expr: f}"), "fields.f.expr", "f → g → h → f"),
        (spec("{expr: 'now()'}"), "x.yaml:4: fields.f.expr", "now"),
        (spec("{expr: 'count(*)'}"), "x.yaml:4: fields.f.expr", "count"),
        (spec("{expr: 'p + 1'}", "  p: {latest: plan}"), "x.yaml:4: fields.f.expr", "type: number"),
        (spec("{expr: 'p = 1'}", "  p: {list: [time]}"), "x.yaml:4: fields.f.expr", "p is a list"),
        (spec("{expr: '1', of: a}"), "x.yaml:4: fields.f.of", "put it on the fields"),
        (spec("&a [*a]"), "x.yaml:4", "alias"),
        (spec("!!python/object/apply:os.system [ls]"), "x.yaml:4", "tag"),
        (spec("{latest: " + "[" * 100 + "]" * 100 + "}"), "x.yaml:4", "nesting"),
    ],
)  # fmt: skip
def test_mistakes_name_place_and_remedy(text: str, place: str, says: str) -> None:
    """Whatever is wrong with a spec is reported with file, line and key, and with what to write instead."""
    with pytest.raises(InputError) as caught:
        parse_spec(text, "x.yaml")
    assert place in caught.value.where
    assert says in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ['a"b', "a.b", "a b", "1a", "", "a-b", "\u0301", "x" * 65, "a'b", "$a"])
def test_names_that_are_no_words_are_refused(name: str) -> None:
    """A field's name is one word, so that it can be written in an expression."""
    with pytest.raises(InputError, match="not a name for a field"):
        parse_spec(json.dumps({"context": "x", "entity": "c", "fields": {name: {"count": True}}}, ensure_ascii=False))


def test_names_may_be_keywords_and_unicode() -> None:
    """SQL keywords and letters of any script are names; expressions quote the former."""
    fields = {"select": {"count": True}, "größe": {"max": "a"}, "f": {"expr": '"select" > 1 AND größe > 2'}}
    found = parse_spec(json.dumps({"context": "x", "entity": "c", "fields": fields}, ensure_ascii=False))
    assert [field.name for field in found.fields] == ["f", "größe", "select"]


def test_sizes_are_limited() -> None:
    """More than 100 fields and files beyond 1 MiB are refused."""
    fields = {f"f{index}": {"count": True} for index in range(101)}
    with pytest.raises(InputError, match="101 fields"):
        parse_spec(json.dumps({"context": "x", "entity": "c", "fields": fields}))
    with pytest.raises(InputError, match="1 MiB"):
        parse_spec(spec("{count: true}", "#" * (1 << 20)))


def test_a_folder_is_read_by_name(tmp_path: Path) -> None:
    """All specs of a folder come sorted by their names; a name may be used once, and errors name the file."""
    assert load_specs(tmp_path / "absent") == {}
    (tmp_path / "1.yaml").write_text(FULL.replace("customer_context_v0", "b"))
    (tmp_path / "2.yml").write_text(FULL.replace("customer_context_v0", "a"))
    (tmp_path / "notes.txt").write_text("not a spec")
    assert list(load_specs(tmp_path)) == ["a", "b"]
    (tmp_path / "3.yaml").write_text(FULL.replace("customer_context_v0", "B"))
    with pytest.raises(InputError, match=r"context B is there twice, first in 1\.yaml") as caught:
        load_specs(tmp_path)
    assert caught.value.where.endswith("3.yaml")
    (tmp_path / "3.yaml").write_text("context: [")
    with pytest.raises(InputError) as caught:
        load_specs(tmp_path)
    assert f"{tmp_path / '3.yaml'}:1" in caught.value.where
