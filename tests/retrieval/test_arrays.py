"""The container of index parts: what is written is read, and what is damaged says so."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from context_plane.canonical import canonical
from context_plane.errors import Corrupt
from context_plane.retrieval.shards import fulltext, vectors
from context_plane.retrieval.shards.arrays import ALIGN, BLOCK, MAGIC, Arrays, encode, read_head, strings
from context_plane.retrieval.shards.fulltext import decode

KIND = "test"
DTYPES = st.sampled_from(
    [f"{order}{kind}" for kind in ("u1", "u2", "i4", "u4", "f4", "i8", "u8", "f8") for order in "<>"]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**50), 2**50), st.text()), st.lists, max_leaves=4
)
NAMES = st.text("abc_é", min_size=1, max_size=6).filter(lambda name: name != "blocks")
FIELDS = st.dictionaries(
    NAMES, DTYPES.flatmap(lambda d: arrays_of.arrays(d, arrays_of.array_shapes(min_dims=1, max_dims=2, min_side=0)))
)


def opened(body: bytes, kind: str = KIND) -> Arrays:
    return Arrays(memoryview(body), kind, "some/key")


def small() -> bytes:
    """An object with a bit of everything."""
    return encode(
        KIND,
        {"day": "2026-03-01", "types": ["é"]},
        {
            "rows": np.arange(7, dtype=np.int64),
            "flat": np.zeros((0, 3), np.float32),
            "wide": np.ones((2, 3), np.uint16),
        },
    )


def refused(body: bytes, kind: str = KIND) -> Corrupt:
    """The error, which names the object and what to do."""
    with pytest.raises(Corrupt) as error:
        opened(body, kind)
    assert error.value.where == "some/key"
    assert "materialize" in error.value.remedy
    return error.value


@given(meta=st.dictionaries(st.text(), JSON), fields=FIELDS)
def test_arrays_and_meta_come_back(meta: dict[str, Any], fields: dict[str, Any]) -> None:
    """Names, shapes, values and JSON; little-endian, aligned, without a copy; the same bytes for the same input."""
    body = encode(KIND, meta, fields)
    found = opened(body)
    assert found.meta == meta
    assert found.nbytes == len(body)
    assert set(found) == {*fields, "blocks"}
    for name, array in fields.items():
        assert found[name].dtype == array.dtype.newbyteorder("<")
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()
        assert found[name].base is not None
    assert encode(KIND, dict(reversed(meta.items())), fields) == body


@given(fields=FIELDS)
def test_every_array_begins_at_a_multiple_of_64_bytes(fields: dict[str, Any]) -> None:
    """In the file, as a mapped file begins at a page."""
    body = encode(KIND, {}, fields)
    head, start = read_head(body, "")
    assert start % ALIGN == 0
    assert all(offset % ALIGN == 0 for _, _, offset in head["arrays"].values())
    assert len(body) % ALIGN == 0


@pytest.mark.parametrize("size", [0, 1, BLOCK // 8 - 8, BLOCK // 8, BLOCK // 8 + 1, 3 * BLOCK // 8 + 5])
def test_blocks_hold_the_checksums_of_what_lies_behind_them(size: int) -> None:
    """CRC-32 of every 64 KiB, padding and all: who fetches a range can check it."""
    body = encode(KIND, {}, {"a": np.arange(size, dtype=np.int64), "b": np.arange(3, dtype=np.uint8)})
    found = opened(body)
    head, start = read_head(body, "")
    first = min(offset for name, (_, _, offset) in head["arrays"].items() if name != "blocks")
    behind = body[start + first :]
    wanted = [zlib.crc32(behind[at : at + BLOCK]) for at in range(0, len(behind), BLOCK)]
    assert found["blocks"].tolist() == wanted
    assert len(wanted) == -(-len(behind) // BLOCK)


def test_an_object_that_ends_too_early_is_corrupt_wherever_it_ends() -> None:
    """In magic, length, head, padding, checksums, arrays: only padding at the end may be missing."""
    body = small()
    end = len(body.rstrip(b"\0"))
    for length in range(end):
        refused(body[:length])


def test_bytes_of_another_kind_are_corrupt() -> None:
    """A vector shard is no full-text shard, a file of something else neither."""
    body = vectors.Vectors(np.zeros(1, np.uint64), np.zeros((1, 2), np.float32)).encode({})
    assert "'vector', not 'fulltext'" in refused(body, fulltext.KIND).what
    with pytest.raises(Corrupt):
        decode(memoryview(body), "some/key")
    for other in (b"", b"PAR1" + body, MAGIC, MAGIC + b"\xff" * 8, b"\0" * 100, MAGIC + (2**63).to_bytes(8, "little")):
        refused(other)


def test_no_bit_of_magic_and_length_may_differ() -> None:
    """Whatever it makes of the length."""
    body = small()
    for bit in range(128):
        damaged = bytearray(body)
        damaged[bit // 8] ^= 1 << bit % 8
        refused(bytes(damaged))


def test_a_damaged_head_is_corrupt() -> None:
    """Whoever reads a range has no SHA-256 of the whole."""
    body = small()
    length = int.from_bytes(body[8:12], "little")
    for bit in range(128, 8 * (16 + length)):
        damaged = bytearray(body)
        damaged[bit // 8] ^= 1 << bit % 8
        refused(bytes(damaged))


def test_a_damaged_head_of_old_is_corrupt_or_means_the_same() -> None:
    """It has no checksum: a bit of it must not raise anything else."""
    body = small()
    length = int.from_bytes(body[8:12], "little")
    body = body[:12] + bytes(4) + body[16:]
    raised = set()
    for bit in range(128, 8 * (16 + length)):
        damaged = bytearray(body)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            opened(bytes(damaged))
        except Corrupt:
            continue
        except Exception as error:  # noqa: BLE001 - these are what the test is for
            raised.add(type(error).__name__)
    assert raised == set()


def head_of(**changes: Any) -> bytes:
    """An object with this head and 64 bytes of arrays."""
    head = canonical({"arrays": {"a": ["<i4", [4], 0]}, "kind": KIND, "meta": {}} | changes)
    start = MAGIC + len(head).to_bytes(8, "little") + head
    return start + b"\0" * (-len(start) % ALIGN + ALIGN)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": None},
        {"kind": "other"},
        {"arrays": {"a": ["<i4", [17], 0]}},
        {"arrays": {"a": ["<i4", [4], 56]}},
        {"arrays": {"a": ["<i4", [2**40, 2**20], 0]}},
        {"arrays": {"a": ["<i4", [4], -8]}},
        {"arrays": {"a": ["<i4", [-4], 0]}},
        {"arrays": {"a": ["<i4", [2**32, 2**32], 0]}},
        {"arrays": {"a": ["|O", [1], 0]}},
        {"arrays": {"a": ["nonsense", [1], 0]}},
        {"arrays": {"a": ["<i4", ["4"], 0]}},
        {"arrays": {"a": ["<i4"]}},
        {"arrays": []},
    ],
)
def test_a_head_that_does_not_fit_its_arrays_is_corrupt(changes: dict[str, Any]) -> None:
    """Never an array over other bytes, nor numpy's own error."""
    assert opened(head_of())["a"].tolist() == [0] * 4
    refused(head_of(**changes))


@pytest.mark.parametrize("head", [b"{}", b"[]", b"1", b'{"kind":"test","meta":{}}'])
def test_a_head_without_its_fields_is_corrupt(head: bytes) -> None:
    """JSON that reads and is none of ours."""
    json.loads(head)
    refused(MAGIC + len(head).to_bytes(8, "little") + head + b"\0" * 64)


@pytest.mark.parametrize("head", [b"", b"{", b"\xff\xfe{}", b'{"kind":'])
def test_a_head_that_is_no_json_is_corrupt(head: bytes) -> None:
    """Cut off, or not UTF-8."""
    refused(MAGIC + len(head).to_bytes(8, "little") + head + b"\0" * 64)


@given(st.lists(st.binary(max_size=9)))
def test_strings_are_bytes_and_the_offsets_between_them(texts: list[bytes]) -> None:
    """Empty ones too; one offset more than there are strings."""
    blob, offsets = strings(texts)
    assert [blob[a:b].tobytes() for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)] == texts
    assert len(offsets) == len(texts) + 1


def test_arrays_of_an_object_cannot_be_written_to() -> None:
    """They lie over a mapped file that others read."""
    with pytest.raises(ValueError, match="read-only"):
        opened(small())["rows"][0] = 1
