"""Declarations for CloudEvents: what they may hold, what they refuse, and that events are read as without one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from context_plane.errors import InputError
from context_plane.log.declaration import Declaration, load_source
from context_plane.log.mapping import Mapping, load_mapping
from context_plane.log.readers import Bad, read_events

DOCS = Path(__file__).parents[2] / "docs" / "source-mappings.md"
BASE = "source: https://chat.example.org\nformat: cloudevents\n"
INDEX = "index: {text: '{title}: {body}', with: [speaker, time], neighbours: {before: 1, after: 2, within: session}}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file goes: its name is not the source."""
    return tmp_path / "chat.yaml"


def test_a_declaration_is_a_source_and_what_is_indexed_of_it(path: Path) -> None:
    """The key `source` says whose events they are; everything under `index` means what it means in a mapping."""
    path.write_text(BASE + INDEX)
    found = load_source(path)
    assert isinstance(found, Declaration)
    assert found.source == "https://chat.example.org"
    index = found.file.index
    assert (index.text, index.with_) == ("{title}: {body}", ["speaker", "time"])
    assert (index.neighbours.before, index.neighbours.after, index.neighbours.within) == (1, 2, "session")


def test_a_file_of_any_other_format_is_a_mapping(path: Path) -> None:
    """What is read of it is the same by either way."""
    path.write_text("source: s\nformat: csv\nsubject: a/{b}\ntype: t\ntime: at\nindex: {with: [c]}")
    found = load_source(path)
    assert isinstance(found, Mapping)
    assert found.file == load_mapping(path).file


def test_the_declaration_of_the_documentation_works(path: Path) -> None:
    """The example of docs/source-mappings.md."""
    (text,) = [part for part in DOCS.read_text().split("```")[1::2] if "format: cloudevents" in part]
    path.write_text(text.removeprefix("yaml\n"))
    assert isinstance(load_source(path), Declaration)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "n"), ("subject", "a/{b}"), ("type", "t"), ("time", "at"), ("timezone", "UTC"), ("text", "body"),
        ("data", "[a]"), ("where", "a > 1"), ("json", "[a]"), ("types", "{a: text}"),
        ("delimiter", "';'"),
    ],
)  # fmt: skip
def test_keys_of_row_mapping_are_refused(path: Path, key: str, value: str) -> None:
    """Each names file, line and key, and says what to do: a CloudEvent has all of that already."""
    path.write_text(f"{BASE}{INDEX}{key}: {value}\n")
    with pytest.raises(InputError) as refused:
        load_source(path)
    assert refused.value.where == f"{path}:4: {key}"
    assert refused.value.what == f"{key} is for files whose rows become events, and these are CloudEvents"
    assert refused.value.remedy == f"leave {key} out, or write the format of the rows: jsonl, csv, parquet"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format: cloudevents\nindex: {}", r"key 'source' is missing \(.*chat.yaml:1\): add source"),
        ("source: ''\nformat: cloudevents\nindex: {}", r"source: String should have at least 1 character \(.*:1: sour"),
        (BASE, r"it declares nothing \(.*chat.yaml:2: format\): write index, links, references or texts"),
        ("{base}index: [a]", r"index: .* \(.*chat.yaml:3: index\)"),
        ("{base}indx: {}", r"unknown key 'indx' \(.*chat.yaml:3: indx\): did you mean index\?"),
        ("{base}index: {whith: [a]}", r"unknown key 'whith' \(.*chat.yaml:3: index.whith\): did you mean with\?"),
        ("{base}index: {text: '{title'}", r"a brace without its partner .* \(.*chat.yaml:3: index.text\)"),
        ("{base}index: {text: '{title|upper}'}", r"there is no filter 'upper' \(.*chat.yaml:3: index.text\)"),
        ("{base}index: {text: '{data.title}'}", r"'data.title' would be .*: index.text\): write title: names are"),
        ("{base}index:\n  with: [a, data.b]", r"'data.b' would be .*chat.yaml:4: index.with.1\): write b"),
        ("{base}index: {with: ['']}", r"at least 1 character \(.*chat.yaml:3: index.with.0\)"),
        ("{base}index: {with: [1]}", r"Input should be a valid string \(.*chat.yaml:3: index.with.0\)"),
        ("{base}index: {neighbours: {before: 21}}", r"less than or equal to 20 \(.*: index.neighbours.before\)"),
        ("{base}index: {neighbours: {within: ''}}", r"at least 1 character \(.*: index.neighbours.within\)"),
        ("{base}index: {neighbours: {within: data.s}}", r"\(.*: index.neighbours.within\): write s: names"),
        ("source: s\nformat: cloudevent", r"no format 'cloudevent' \(.*chat.yaml:2: format\): did you mean cloudevent"),
        ("source: s\nformat: xml", r"no format 'xml' \(.*chat.yaml:2: format\): .*: jsonl, csv, parquet, cloudevents"),
        ("source: s\nformat: 3", r"\(.*chat.yaml:2: format\)"),
        ("source: s", r"key 'format' is missing"),
    ],
    ids=lambda text: text[-40:],
)  # fmt: skip
def test_a_mistake_is_named_by_line_and_key(path: Path, text: str, message: str) -> None:
    """As in a mapping."""
    path.write_text(text.replace("{base}", BASE))
    with pytest.raises(InputError, match=message) as refused:
        load_source(path)
    assert refused.value.remedy


def test_events_are_read_as_without_a_declaration(path: Path, tmp_path: Path) -> None:
    """From a path, a stream and a list, with the same lines and the same bad ones; a large event by the same limit."""
    path.write_text(BASE + INDEX)
    declaration = load_source(path)
    assert isinstance(declaration, Declaration)
    raw = b'{"id": "1"}\n\n{oops\n' + json.dumps({"id": "x" * 200}).encode()
    file = tmp_path / "events.jsonl"
    file.write_bytes(raw)
    expected = list(read_events(file, max_event_bytes=100))
    assert [isinstance(item, Bad) for _, item in expected] == [False, True, True]
    for source in (file, io.BytesIO(raw)):
        assert list(declaration.events(source, max_event_bytes=100)) == expected
    assert list(declaration.events([{"id": "1"}])) == [(1, {"id": "1"})]
