"""Reading events: every line that can be read, the place of every one that cannot, and never a part for the whole."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import InputError
from context_plane.log.compressed import Expansion
from context_plane.log.readers import Bad, read_events

EVENT = {"id": "1", "source": "s", "type": "t", "subject": "a/b", "time": "2026-03-01T00:00:00Z", "data": {"n": 1.5}}


class _Pieces(io.RawIOBase):
    """A stream that gives its bytes a few at a time, as pipes do."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = io.BytesIO(data)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._data.read(self._size)


def _stream(data: bytes, size: int = 1 << 20) -> IO[bytes]:
    return _Pieces(data, size)  # type: ignore[return-value]


def _read(data: bytes, size: int = 1 << 20, **options: Any) -> list[tuple[int, Any]]:
    return list(read_events(_stream(data, size), **options))


def _bad(data: bytes, **options: Any) -> Bad:
    found = [item for _, item in _read(data, **options) if isinstance(item, Bad)]
    assert len(found) == 1
    return found[0]


def test_lines_come_with_their_numbers() -> None:
    """Blank lines, CRLF, a byte order mark and a missing end of line do not move the count."""
    data = b'\xef\xbb\xbf{"a":1}\r\n\r\n  \n {"b":"\xc3\xa9\xe2\x80\xa8"} \n\n[1]\n"x"'
    assert _read(data) == [(1, {"a": 1}), (4, {"b": "é\u2028"}), (6, [1]), (7, "x")]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_one_event_may_span_lines(size: int) -> None:
    """As an editor or `jq` writes it; its number is that of its first line."""
    event = {"id": "é", "data": {"text": "a\nb", "list": [1, {}]}}
    text = json.dumps(event, indent=2, ensure_ascii=False)
    assert _read(text.encode(), size) == [(1, event)]
    assert _read(f"\n \r\n{text}\n\n".encode(), size) == [(3, event)]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_one_event_over_lines_is_checked_as_one_in_a_line(size: int) -> None:
    """What follows it, what is no JSON, what is not UTF-8 and what is too long is bad, and is not taken for a part."""
    (_, twice), *_rest = _read(b'{\n"a": 1,\n"a": 2\n}', size)
    assert isinstance(twice, Bad)
    assert "a" in twice.reason
    for text in (b'{\n"a": 1\n}\n{\n"b": 2\n}', b'{\n"a": NaN1\n}', b'{\n"a": "\xff"\n}'):
        found = _read(text, size)
        assert found[0][0] == 1
        assert isinstance(found[0][1], Bad)
    long = json.dumps({"a": "b" * 100, "c": 1}, indent=0).encode()
    assert isinstance(_read(long, size, max_event_bytes=50)[0][1], Bad)


def test_a_bad_first_line_costs_one_line() -> None:
    """Lines behind one that was cut off are events all the same."""
    found = _read(b'{"a":\n{"b":1}\n{"c":2}\n')
    assert isinstance(found[0][1], Bad)
    assert found[1:] == [(2, {"b": 1}), (3, {"c": 2})]


def test_an_array_comes_by_item() -> None:
    """However it is laid out; items are numbered from 1."""
    for text in ("[1,{},[2]]", " \n[\n 1 ,\n\t{} , [2]\r\n]\n\n", "[1\n,\n{}\n,[2]]"):
        assert _read(text.encode()) == [(1, 1), (2, {}), (3, [2])]
    assert _read(b"[]") == _read(b" [ ] ") == _read(b"") == _read(b"\n\n  \n") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{'a': 1}", "not JSON: Expecting property name enclosed in double quotes, column 2"),
        (b'{"a": }', "not JSON: Expecting value, column 7"),
        (b"hello", "not JSON: Expecting value, column 1"),
        (b'  "a" x', "not JSON: more text behind the value, column 7"),
        (b'{"a":1}{"b":2}', "not JSON: more text behind the value, column 8"),
        (b'{"a": "tab\there"}', "not JSON: Invalid control character at, column 11"),
        (b'{"a": "\0"}', "not JSON: Invalid control character at, column 8"),
        (b'{"a": 1', "not JSON: Expecting ',' delimiter, column 8"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "number 1e999 is too large"),
        (b'{"a": -1e400}', "number -1e400 is too large"),
        (b'{"a": ' + b"9" * 310 + b".0}", "is too large for a double"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "an integer has 5000 digits"),
        (b'{"a": 1, "b": {"c": 1, "c": 1}}', "key 'c' is there twice in one object"),
        (b'{"a": "\\ud83d"}', "a lone surrogate"),
        (b'{"\\uDC00": 1}', "a lone surrogate"),
        (b'{"a": "\xff"}', "not UTF-8, byte 8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8, byte 8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested too deeply"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_line_is_named_and_costs_one_line(line: bytes, reason: str) -> None:
    """Its neighbours are read; reason, place and the line itself are kept."""
    found = _read(b'{"n":1}\n' + line + b'\n{"n":3}\n')
    assert [found[0], found[2]] == [(1, {"n": 1}), (3, {"n": 3})]
    number, bad = found[1]
    assert isinstance(bad, Bad)
    assert (number, bad.line) == (2, 2)
    assert reason in bad.reason
    assert bad.raw == line.decode(errors="replace")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\ud83d\\ude00"}',
        '{"a": "\\\\ud83d"}',
        '{"a": 1e308, "b": -0.0, "c": 1E-400}',
        '{"a": 12345678901234567890123456789}',
        '{"a": {"a": {"a": 1}}, "b": {"a": 1}}',
        '{"": null}',
    ],
)
def test_what_only_looks_bad_is_read(text: str) -> None:
    """Surrogate pairs, escaped backslashes, big integers, equal keys at different places."""
    assert _read(text.encode()) == [(1, json.loads(text))]


def test_integers_are_exact() -> None:
    """No integer passes through a double."""
    assert _read(b'{"a": 9007199254740993}') == [(1, {"a": 9007199254740993})]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b'{"a": NaN}', "item 2, line 2: NaN is not JSON"),
        (b'{"a": 1, "a": 2}', "item 2, line 2: key 'a' is there twice"),
        (b'{"a": "\\ud800"}', "item 2, line 2: a lone surrogate"),
        (b'{"a": 1e999}', "item 2, line 2: number 1e999"),
        (b"1" * 1_000, "item 2, line 2: an integer has 1000 digits"),
        (b'"' + b"x" * 2_000 + b'"', "item 2, line 2: the event has 2,002 bytes, 1,500 are allowed"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("size", [1, 5, 100_000])
def test_a_bad_item_of_an_array_costs_one_item(item: bytes, reason: str, size: int) -> None:
    """What is well-formed can be skipped."""
    found = _read(b'[{"n":1},\n' + item + b', {"n":3}]', size, max_event_bytes=1_500)
    assert [found[0], found[2]] == [(1, {"n": 1}), (3, {"n": 3})]
    assert reason in found[1][1].reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'[{"a":1},\n{"b":2}', r"expected , or \] behind item 2 \(.*line 2\)"),
        (b'[{"a":1} {"b":2}]', r"expected , or \] behind item 1"),
        (b'[{"a":1},]', "item 2: no value"),
        (b"[", "item 1: the file ends here"),
        (b"[1,", "item 2: the file ends here"),
        (b'[{"a":', "item 1: the file ends here"),
        (b'["abc', "item 1: Unterminated string"),
        (b'[1,\n\n{"a" 1}]', r"item 2: Expecting ':' delimiter .*line 3"),
        (b"[1] 2", "something follows the end"),
        (b"[1][2]", "something follows the end"),
        (b"[" * 50_000, "item 1: nested too deeply"),
        (b"[1, tru]", "item 2: no value"),
        (b'["\xff"]', "not UTF-8"),
        (b'["\xc3', "not UTF-8"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("size", [1, 3, 100_000])
def test_a_broken_array_is_refused_whole(text: bytes, message: str, size: int) -> None:
    """Where items cannot be told apart any more, the rest is unknown, and the error says so."""
    with pytest.raises(InputError, match=message):
        _read(text, size if len(text) < 1_000 else 100_000)


def test_an_oversized_line_is_bad_and_never_held() -> None:
    """A line of 40 MB between two good ones costs a few hundred kB; its beginning is shown."""

    def chunks() -> Iterator[bytes]:
        yield b'{"n":1}\n{"text": "'
        for _ in range(400):
            yield b"x" * 100_000
        yield b'"}\n{"n":3}\n'

    class Stream:
        def __init__(self) -> None:
            self._chunks = chunks()

        def read(self, size: int) -> bytes:
            return next(self._chunks, b"")

    tracemalloc.start()
    found = list(read_events(Stream(), max_event_bytes=1_000_000))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [found[0], found[2]] == [(1, {"n": 1}), (3, {"n": 3})]
    assert found[1][1].reason.startswith("the event has 40,000,012 bytes, 1,000,000 are allowed")
    assert found[1][1].raw == '{"text": "' + "x" * 990
    assert peak < 5_000_000


def test_the_limit_counts_bytes_of_a_line() -> None:
    """Exactly the limit passes; at any chunking one byte more does not."""
    line = json.dumps({"a": "x" * 80}).encode()
    for size in (1, 7, 1_000):
        assert _read(line + b"\n" + line, size, max_event_bytes=len(line)) == [(n, json.loads(line)) for n in (1, 2)]
        too_long = _read(line + b"\n" + line + b"\n1", size, max_event_bytes=len(line) - 1)
        assert [isinstance(item, Bad) for _, item in too_long] == [True, True, False]
        assert f"the event has {len(line):,} bytes" in too_long[0][1].reason


def _write_plain(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _write_gzip(path: Path, data: bytes) -> None:
    path.write_bytes(gzip.compress(data))


def _write_zstd(path: Path, data: bytes) -> None:
    path.write_bytes(zstandard.compress(data))


@pytest.mark.parametrize("write", [_write_plain, _write_gzip, _write_zstd])
@pytest.mark.parametrize("name", ["a.jsonl", "a.gz", "a.zst", "a.json.gz.zst", "noname"])
def test_a_file_is_known_by_its_bytes(tmp_path: Path, write: Callable[[Path, bytes], None], name: str) -> None:
    """Whatever it is called, and by path, text path or open file."""
    path = tmp_path / name
    write(path, b'{"n":1}\n{"n":2}\n')
    expected = [(1, {"n": 1}), (2, {"n": 2})]
    assert list(read_events(path)) == list(read_events(str(path))) == expected
    with path.open("rb") as file:
        assert list(read_events(file)) == expected
        assert not file.closed


@pytest.mark.parametrize("write", [_write_gzip, _write_zstd])
def test_a_truncated_file_is_an_error_at_every_byte(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    """Never a silent end: cut anywhere, the file is refused or, within its first bytes, not recognised and bad."""
    path = tmp_path / "x"
    write(path, b"".join(b'{"n":%d}\n' % number for number in range(50)))
    whole = path.read_bytes()
    for end in range(1, len(whole)):
        path.write_bytes(whole[:end])
        try:
            items = [item for _, item in read_events(path)]
        except InputError:
            continue
        assert end < 4
        assert all(isinstance(item, Bad) for item in items)


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    """Ten million blank lines in a small file stop at the limit, with the remedy."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\n" * 10_000_000))
    with pytest.raises(InputError, match=r"grows to more than .* decompress it yourself"):
        list(read_events(path, expansion=Expansion(ratio=100, beyond=1_000_000)))


def test_standard_input_is_a_dash(tmp_path: Path) -> None:
    """Compressed or not, from a real pipe."""
    code = "from context_plane.log.readers import read_events; print(list(read_events('-')))"
    for data in (b'{"n":1}\n', gzip.compress(b'[{"n":1}]')):
        done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
        assert done.stdout.decode().strip() == "[(1, {'n': 1})]"


def test_a_pipe_is_read_as_it_fills() -> None:
    """The first event is there before the writer has finished."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source:
        os.write(writer, b'{"n":1}\n{"n":')
        events = read_events(source)
        assert next(events) == (1, {"n": 1})
        os.write(writer, b"2}\n")
        os.close(writer)
        assert list(events) == [(2, {"n": 2})]


def test_lists_and_iterators_are_numbered() -> None:
    """Objects pass as they are; texts and bytes are parsed; what is neither is left for the check of events."""
    items = [EVENT, json.dumps(EVENT), json.dumps(EVENT).encode(), "{", b"\xff", "\ud800", 3]
    found = list(read_events(iter(items)))
    assert [number for number, _ in found] == list(range(1, 8))
    assert found[0][1] is EVENT
    assert found[1][1] == found[2][1] == EVENT
    assert [isinstance(item, Bad) for _, item in found] == [False, False, False, True, True, True, False]
    assert found[6] == (7, 3)


def test_iterators_are_read_lazily() -> None:
    """Nothing is taken before it is asked for."""
    taken: list[int] = []

    def events() -> Iterator[dict[str, int]]:
        for number in range(3):
            taken.append(number)
            yield {"n": number}

    stream = read_events(events())
    assert taken == []
    next(stream)
    assert taken == [0]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, "int is not a source of events"),
        (b'{"a":1}', "bytes is not a source"),
        ({"a": 1}, "dict is not a source"),
        (None, "NoneType is not a source"),
        ("no/such/file.jsonl", "No such file"),
        (".", "cannot be read: Is a directory"),
        ("a\0b", "cannot be read: embedded null byte"),
        ('{"id": 1}' * 10_000, "cannot be read: File name too long"),
        (io.StringIO("{}"), "open it in binary mode"),
        (io.BytesIO("{}".encode("utf-16")), "UTF-16"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else type(value).__name__,
)
def test_what_is_not_a_source_is_refused(source: Any, message: str) -> None:
    """The error says what to pass instead."""
    with pytest.raises(InputError, match=message) as refused:
        list(read_events(source))
    assert refused.value.remedy


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(_VALUES, max_size=8),
    st.integers(1, 40),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
    st.booleans(),
    st.booleans(),
)
def test_lines_survive_any_chunking(values: list[Any], size: int, end: str, ascii_only: bool, closed: bool) -> None:
    """What was written line by line is read back, wherever the chunks break and whatever ends the lines."""
    text = end.join(json.dumps(value, ensure_ascii=ascii_only) for value in values) + (end if closed else "")
    if text.lstrip().startswith("["):
        text = f"null\n{text}"
        values = [None, *values]
    for data in (text.encode(), gzip.compress(text.encode()), zstandard.compress(text.encode())):
        assert [item for _, item in _read(data, size)] == values


@given(st.lists(_VALUES, max_size=8), st.integers(1, 40), st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_arrays_survive_any_chunking(values: list[Any], size: int, indent: Any, ascii_only: bool) -> None:
    """The same for arrays, pretty-printed or not."""
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    assert _read(text.encode(), size) == list(enumerate(values, 1))


@given(st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=8), st.integers(1, 20))
def test_any_lines_are_read_or_bad_with_their_number(lines: list[bytes], size: int) -> None:
    """The numbers are those of the lines that are not blank, at any chunking."""
    data = b"null\n" + b"\n".join(lines)
    found = _read(data, size)
    expected = [1] + [number for number, line in enumerate(lines, 2) if line and not line.isspace()]
    assert [number for number, _ in found] == expected
    assert found == _read(data)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_end_in_items_or_an_input_error(data: bytes, size: int) -> None:
    """No other exception leaves the reader."""
    with contextlib.suppress(InputError):
        _read(data, size)
