"""YAML that users write: every value as its author meant it, every key with its line, and no bombs."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from context_plane import yamls
from context_plane.errors import InputError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int
    unit: str = "cm"


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    where_: str | None = Field(None, alias="where")
    parts: dict[str, _Part] = {}
    tags: str | list[str] = []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.50", 1.5),
        ("-1e3", -1000.0),
        ("123456789012345678901", 123456789012345678901),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("NO", "NO"),
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T09:30:00Z", "2026-03-01T09:30:00Z"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.2.3", "1.2.3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("a b # comment", "a b"),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    """Only true and false are booleans; dates, sexagesimals and numbers with leading zeros stay text."""
    found = yamls.load(f"key: {text}").data["key"]
    assert (found, type(found)) == (value, type(value))


def test_every_key_and_item_has_its_line() -> None:
    """Lines are those of the keys; an absent key has its parent's."""
    document = yamls.load("\n# comment\na:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "f.yaml")
    assert document.data == {"a": {"b": 1, "c": ["x", {"d": 2}]}}
    assert [document.line(path) for path in ("a", "a.b", "a.c", "a.c.0", "a.c.1", "a.c.1.d")] == [3, 4, 5, 6, 7, 7]
    assert document.line(("a", "c", 1, "d")) == 7
    assert document.line("a.zzz") == 3
    assert document.place("a.b") == "f.yaml:4: a.b"
    assert str(document.error("no", "yes", "a.b")) == "no (f.yaml:4: a.b): yes"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", r"'a' is there twice, first in line 1 \(f.yaml:3:1\)"),
        ("a: {b: 1, b: 2}", r"'b' is there twice, first in line 1"),
        ("a: &x 1\nb: *x", r"alias \*x \(f.yaml:2:4\): write the value out"),
        ("a: &a [*a]", r"alias \*a"),
        ("a: {<<: *x}", r"alias \*x"),
        ("a: !!python/object/apply:os.system [ls]", r"tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !!str 1", r"tag tag:yaml.org,2002:str"),
        ("a: !x {b: 1}", r"tag !x"),
        ("1: a", r"key 1 is not text \(f.yaml:1:1\): put it in quotes"),
        ("true: a", r"key true is not text"),
        ("null: a", r"key null is not text"),
        ("[a]: b", r"a key is not text"),
        ("? {a: 1}\n: b", r"a key is not text"),
        ("- a\n- b", r"not a mapping"),
        ("text", r"not a mapping"),
        ("", r"the file is empty"),
        ("# only a comment", r"the file is empty"),
        ("a: 1\n---\nb: 2", r"a second document begins \(f.yaml:2:1\)"),
        ("a: [1, 2", r"not YAML: .* \(f.yaml:1:9\)"),
        ("a: b: c", r"not YAML: .* \(f.yaml:1:5\)"),
        ("a:\n\t- b", r"not YAML: .* \(f.yaml:2:1\)"),
        ("a: 'x", r"not YAML"),
        ("a: 1\nb: x\0y", r"U\+0000 is not allowed in YAML \(f.yaml:2\)"),
        ("a: \x1b[0m", r"U\+001B is not allowed"),
        ("a: \ud800", r"U\+D800 is not allowed"),
        ("a: 1e999", r"number 1e999 is too large"),
        ("a: " + "[" * 100 + "]" * 100, r"nesting deeper than 40"),
        ("a: " + "[" * 100_000, r"nesting deeper than 40"),
        ("a: [" + "1," * 60_000 + "1]", r"more than 50000 values"),
        ("a: " + "x" * (1 << 20), r"larger than 1 MiB"),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_not_plain_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    """Bombs, objects, duplicate and odd keys, several documents and nonsense name line and remedy."""
    with pytest.raises(InputError, match=message) as refused:
        yamls.load(text, "f.yaml")
    assert refused.value.where.startswith("f.yaml")
    assert refused.value.remedy


def test_a_billion_laughs_costs_nothing() -> None:
    """The bomb is refused at its first alias, before anything is multiplied."""
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20))
    with pytest.raises(InputError, match=r"alias \*a0"):
        yamls.load("a0: &a0 lol\n" + levels)


def test_a_file_is_read_as_utf8(tmp_path: Path) -> None:
    """With or without a byte order mark; other encodings and missing files are named."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\nb: 2\r\n")
    assert yamls.load(path).data == {"a": "é", "b": 2}
    assert yamls.load(path).where == str(path)
    path.write_bytes(b"a: 1\nb: \xe9")
    with pytest.raises(InputError, match=r"not UTF-8 .*x.yaml:2"):
        yamls.load(path)
    with pytest.raises(InputError, match="No such file"):
        yamls.load(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        yamls.load(tmp_path)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    """A file over the limit is refused, whatever is in it."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: " + b"x" * (2 << 20))
    with pytest.raises(InputError, match="larger than 1 MiB"):
        yamls.load(path)


def test_a_document_becomes_a_model() -> None:
    """Aliases of fields are the keys of the file."""
    spec = yamls.load("name: a\nwhere: b > 1\nparts: {x: {size: 2}}").into(_Spec)
    assert (spec.name, spec.where_, spec.parts["x"].size) == ("a", "b > 1", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nwhen: b", r"unknown key 'when' \(f.yaml:2: when\): did you mean where\?"),
        ("name: a\nzzz: b", r"unknown key 'zzz' .*: the keys are: name, where, parts, tags"),
        ("name: a\nparts:\n  x:\n    sise: 2", r"unknown key 'sise' \(f.yaml:4: parts.x.sise\): did you mean size\?"),
        ("where: a", r"key 'name' is missing \(f.yaml:1\): add name: …"),
        ("name: a\nparts:\n  x: {unit: mm}", r"key 'size' is missing \(f.yaml:3: parts.x\)"),
        ("name: 3", r"name: Input should be a valid string \(f.yaml:1: name\)"),
        ("name: a\nparts:\n  x: {size: big}", r"size: Input should be a valid integer.* \(f.yaml:3: parts.x.size\)"),
        ("name: a\ntags:\n  - b\n  - 3", r"\(f.yaml:[24]: tags"),
    ],
)
def test_what_does_not_fit_the_model_is_named_by_line_and_key(text: str, message: str) -> None:
    """An unknown key names the nearest known one."""
    with pytest.raises(InputError, match=message):
        yamls.load(text, "f.yaml").into(_Spec)


@given(st.text(max_size=60))
def test_any_text_is_a_document_or_an_input_error(text: str) -> None:
    """Whatever is written, nothing else is raised."""
    try:
        document = yamls.load(text)
    except InputError:
        return
    assert all(isinstance(key, str) for key in document.data)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_document_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """The same for files."""
    path = tmp_path_factory.mktemp("yaml") / "x.yaml"
    path.write_bytes(raw)
    with contextlib.suppress(InputError):
        yamls.load(path)
