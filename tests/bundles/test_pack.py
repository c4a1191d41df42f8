"""The pack format: what goes in comes out, lookups find exactly what is there, damage is noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.bundles import pack as pack_module
from context_plane.bundles.pack import Entry, Pack, encode_pack
from context_plane.errors import Corrupt

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
contents = st.dictionaries(names, st.tuples(st.binary(max_size=60), st.integers(-(2**63), 2**63 - 1)), max_size=40)


def entries(content: dict[str, tuple[bytes, int]]) -> list[Entry]:
    return [Entry(name, body, valid) for name, (body, valid) in sorted(content.items())]


def opened(content: dict[str, tuple[bytes, int]]) -> Pack:
    return Pack(memoryview(encode_pack({"spec": "x"}, entries(content))[1]), "test")


@given(contents, names)
def test_round_trip(content: dict[str, tuple[bytes, int]], other: str) -> None:
    """Every bundle is found under its entity, in entity order, and nothing else is."""
    pack = opened(content)
    assert pack.count == len(content)
    assert pack.meta == {"spec": "x"}
    assert [pack.entity(row) for row in range(pack.count)] == sorted(content)
    for name, (body, valid) in content.items():
        row = pack.find(name, pack_module.entity_hash(name))
        assert row is not None
        assert (pack.body(row), pack.valid_through[row]) == (body, valid)
    if other not in content:
        assert pack.find(other, pack_module.entity_hash(other)) is None


def test_entities_with_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name decides, not the hash."""
    monkeypatch.setattr(pack_module, "entity_hash", lambda entity: 7)
    content = {name: (name.encode(), 0) for name in ("a", "b", "c")}
    pack = opened(content)
    for name in content:
        row = pack.find(name, 7)
        assert row is not None
        assert pack.body(row) == name.encode()
    assert pack.find("d", 7) is None


@given(contents)
def test_the_same_bundles_give_the_same_bytes(content: dict[str, tuple[bytes, int]]) -> None:
    """The format has no room for anything else."""
    assert encode_pack({}, entries(content)) == encode_pack({}, entries(dict(reversed(content.items()))))


@pytest.mark.parametrize("body", [b"", b"short", b"X" * 100, encode_pack({}, entries({"a": (b"b", 0)}))[1][:40]])
def test_what_is_no_pack_is_refused(body: bytes) -> None:
    """Empty, foreign and cut files."""
    with pytest.raises(Corrupt):
        Pack(memoryview(body), "test")
