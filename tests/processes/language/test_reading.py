"""Reading: every value with its exact place, whatever is written around it, and nothing of YAML that is dangerous."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from context_plane.processes.language.diagnostic import Place
from context_plane.processes.language.marks import Marks, mark_of
from context_plane.processes.language.reading import Reading, fetch, located, read

SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
# What libyaml refuses, and the three characters that only some readers take for line breaks, are faults of their own.
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x85\u2028\u2029\ufeff\ufffe\uffff"), max_size=12
)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def reading(text: str) -> Reading:
    return read(text.encode(), "f.yaml")


def only(text: str) -> Any:
    """The one document of a text that is all right."""
    found = reading(text)
    assert not found.findings
    (document,) = found.documents
    return document


def places(data: Any, spot: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Line and column of every value, and of every key below ``key``."""
    mark = mark_of(spot)
    found = {path: (mark.line + 1, mark.column + 1)}
    if isinstance(data, dict) and isinstance(spot, Marks):
        for key, each in data.items():
            found[(*path, key, "key")] = (spot.keys[key].line + 1, spot.keys[key].column + 1)  # type: ignore[index]
            found |= places(each, spot.values[key], (*path, key))
    elif isinstance(data, list):
        for number, each in enumerate(data):
            found |= places(each, spot.values[number], (*path, number))
    return found


@pytest.mark.parametrize("breaks", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_places_are_counted_in_characters(breaks: str, mark: str) -> None:
    """Lines and columns from 1, also after characters of several bytes, a byte order mark, and Windows line ends."""
    text = 'größe: 1\n"日本": {"😀": [a,  "ü" , {b: c}]}\nlast:\n  - |\n    block\n  - x\n'
    document = only(mark + text.replace("\n", breaks))
    assert document.data == {"größe": 1, "日本": {"😀": ["a", "ü", {"b": "c"}]}, "last": ["block\n", "x"]}
    found = places(document.data, document.marks)
    assert found["größe", "key"] == (1, 1)
    assert found["größe",] == (1, 8)
    assert found["日本",] == (2, 7)
    assert found["日本", "😀", "key"] == (2, 8)
    assert found["日本", "😀", 1] == (2, 18)
    assert found["日本", "😀", 2, "b"] == (2, 28)
    assert found["last", 0] == (4, 5)
    assert found["last", 1] == (6, 5)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_was_rendered_is_read(data: dict[str, Any]) -> None:
    """JSON is YAML: numbers, escapes and all, on one line or on many."""
    for indent in (None, 2):
        text = json.dumps(data, indent=indent, ensure_ascii=bool(indent))
        found = reading(text)
        if "\\ud" in text:
            continue  # escapes of surrogate pairs are JSON's alone
        assert not found.findings
        assert found.documents[0].data == data


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_yaml_writes_is_read(data: dict[str, Any]) -> None:
    """Block style, folded and quoted as PyYAML sees fit; keys that it writes as complex ones are refused."""
    text = yaml.safe_dump(data, allow_unicode=True, width=40)
    found = reading(text)
    # Aliases, complex keys and tags are refused; a key such as 0e0 is a text for PyYAML, and a number since YAML 1.2.
    if "&id" in text or "? " in text or "!!" in text or any(_is_float(key) for key in _keys(data)):
        return
    assert [str(each) for each in found.findings] == []
    assert _loose(found.documents[0].data) == _loose(data)


def _keys(value: Any) -> list[str]:
    """The keys of all mappings in a value."""
    if isinstance(value, list):
        return [key for each in value for key in _keys(each)]
    return [*value, *(key for each in value.values() for key in _keys(each))] if isinstance(value, dict) else []


def _loose(value: Any) -> Any:
    """YAML 1.1, which PyYAML writes, knows more numbers than 1.2: those come back as texts."""
    if isinstance(value, dict):
        return {key: _loose(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_loose(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.12g}")
    return float(f"{float(value):.12g}") if isinstance(value, str) and _is_float(value) else value


def _is_float(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def test_a_fault_hides_no_other_document() -> None:
    """After what is no YAML reading goes on at the next document, with places in the whole file."""
    found = reading("a: 1\n---\nb: [1\n---\nc: 3\n---\nd: 'x\n--- \n  e: {f: 5}\n")
    assert [each.data for each in found.documents] == [{"a": 1}, {"c": 3}, {"e": {"f": 5}}]
    assert [each.place for each in found.findings] == [Place("f.yaml", 3, 4), Place("f.yaml", 7, 4)]
    assert places(found.documents[2].data, found.documents[2].marks)["e", "f"] == (9, 10)


def test_all_faults_of_a_document_are_told() -> None:
    """What is refused is left out, and reading goes on."""
    found = reading("a: 1\na: &x 2\nb: *x\n<<: {c: *x}\n3: d\ne: !y f\ng: 1e999\nh: last\n")
    codes = [(each.code.removeprefix("yaml-"), each.place.line) for each in found.findings]
    assert codes == [
        ("duplicate-key", 2), ("alias", 3), ("merge-key", 4), ("key-not-text", 5), ("tag", 6), ("number", 7),
    ]  # fmt: skip
    (document,) = found.documents
    assert not document.whole
    assert document.data.keys() == {"a", "b", "e", "g", "h"}
    assert (document.data["a"], document.data["h"]) == (1, "last")


def test_names_of_what_cannot_be_read_are_known() -> None:
    """Others may refer to them, and must not be told that there is no such thing."""
    found = reading("process: one\nversion: 1\n---\nprocess: 'two'\nx: [\n---\naction: a.b\ny: {\n")
    assert found.lost == {("process", "two"), ("action", "a.b")}
    assert read(b"process: x\nd: \xff", "f.yaml").lost == {("process", "x")}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, "{" * 100_000, "- " * 100_000, "? " * 100_000, "[{" * 50_000, "a: " * 50_000,
        "\n".join(" " * depth + "- -" for depth in range(400)),
        "!" * 100_000, "&a " * 50_000, "'" * 99_999, '"' * 99_999,
        "|" + "\n" * 100_000, "a\n" * 100_000, "--- " * 50_000, "---\n" * 100_000, "%TAG ! x\n" * 10_000, "#" * 100_000,
        "- [\n---\n" * 20_000, ": " * 100_000, "\t" * 100_000, "[" * 30 + "a," * 400_000,
    ],
    ids=lambda text: text[:8].encode().hex(),
)  # fmt: skip
def test_nothing_brings_the_reader_down(text: str) -> None:
    """Deep, long and senseless texts are told of, or are no document; in a thread too, whose stack is small."""
    found: list[Reading] = []
    size = threading.stack_size(256 << 10)
    try:
        thread = threading.Thread(target=lambda: found.append(reading(text)))
        thread.start()
        thread.join(10)
    finally:
        threading.stack_size(size)
    assert found, "it took too long, or the thread died"
    assert len(found[0].findings) <= 101


def test_a_billion_laughs_costs_nothing() -> None:
    """Aliases are not followed."""
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20))
    found = reading("a0: &a0 lol\n" + levels)
    assert {each.code for each in found.findings} == {"yaml-alias", "too-many-findings"}


def test_only_files_are_read(tmp_path: Path) -> None:
    """Pipes, which would hang, folders and links to nothing are not; of a huge file only so much that this is seen."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name in ("pipe", "link", "none", "."):
        with pytest.raises(OSError, match=r"not a file|No such file"):
            fetch(str(tmp_path / name))
    (tmp_path / "huge").write_bytes(b"x" * (3 << 20))
    assert len(fetch(str(tmp_path / "huge"))) == (1 << 20) + 1


@given(st.text(alphabet="ab\n\r", max_size=40), st.integers(0, 40))
def test_a_place_is_where_an_editor_shows_it(text: str, index: int) -> None:
    """Lines end with LF, CR LF or CR alone."""
    index = min(index, len(text))
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    line, column = located(text, index)
    assert line == before.count("\n") + 1
    if "\r" not in text:
        assert column == len(before) - before.rfind("\n")


@pytest.mark.parametrize("escape", ["\\ud800", "\\U0000DFFF"])
def test_half_a_character_is_refused_by_both_parsers(escape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be written down as JSON."""
    text = f'a: "{escape}"\n'
    assert [each.place for each in reading(text).findings] != []
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert [each.code for each in reading(text).findings] == ["yaml-character"]
