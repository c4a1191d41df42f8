"""What every store guarantees: local disk, memory, moto behind a lock, and a real S3 server where there is one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from context_plane.errors import Corrupt, InputError, NotFound
from context_plane.store import keys
from context_plane.store.base import Store
from context_plane.store.open import open_store
from context_plane.store.probe import probe
from context_plane.store.settled import create_settled

# The order of folders' names differs from the order of keys: `-`, `.` and `%` sort before `/`, `~` after it.
TREE = ["a%2Fb/q", "a-b/x", "a.b/c", "a/x", "a/y/z", "a/y0", "a0", "a~b/1", "b/a/a/a", "b/a/a0"]
WEIRD_IDS = [
    "issue/quicwg/multipath#1",
    "a b",
    "..",
    ".",
    "%2F",
    "a%2Fb",
    "é🦆",
    "x" * 300,
    "a|b,c",
    "\0\x1f",
    "~",
    "-",
]


def put(store: Store, *names: str) -> None:
    """Puts objects that hold their own key."""
    store.put_content((name, name.encode()) for name in names)
    store.sync()


def test_a_missing_object_is_not_found_by_any_door(store: Store) -> None:
    """Reading what is absent raises NotFound with the key in it; head and path say None; nothing is listed."""
    with pytest.raises(NotFound, match="tenants/a/none"):
        store.get("tenants/a/none")
    with pytest.raises(NotFound):
        store.get_range("tenants/a/none", 0, 1)
    with pytest.raises(NotFound):
        store.get_range("tenants/a/none", 0, 0)
    assert store.head("tenants/a/none") is None
    assert store.path("tenants/a/none") is None
    assert list(store.list("tenants/")) == []
    assert list(store.list("")) == []
    assert store.children("tenants/") == []


@pytest.mark.parametrize("body", [b"", b"\0\xff\n", b"x" * 100_000], ids=["empty", "binary", "large"])
def test_create_stores_the_bytes_once(store: Store, body: bytes) -> None:
    """The first create wins; the second says False and changes nothing."""
    assert store.create("log/1.json", body) is True
    assert store.create("log/1.json", b"other") is False
    assert store.get("log/1.json") == body
    assert store.head("log/1.json") == len(body)


def test_a_created_object_is_visible_through_another_handle(store: Store, store_url: str) -> None:
    """Read-after-write and list-after-write hold between two openings of one URL."""
    other = open_store(store_url)
    for number in range(20):
        key = keys.commit("acme", number)
        assert store.create(key, b"%d" % number)
        assert other.get(key) == b"%d" % number
        assert list(other.list(keys.commits("acme")))[-1] == key


def test_ranges_are_exact_or_an_error(store: Store) -> None:
    """A range gives exactly its bytes; one that reaches past the end is Corrupt, a negative one InputError."""
    put(store, "parts/0123456789")
    assert store.get_range("parts/0123456789", 0, 16) == b"parts/0123456789"
    assert store.get_range("parts/0123456789", 6, 3) == b"012"
    assert store.get_range("parts/0123456789", 16, 0) == b""
    for start, length in [(10, 7), (16, 1), (400, 1), (17, 0)]:
        with pytest.raises(Corrupt, match="parts/0123456789"):
            store.get_range("parts/0123456789", start, length)
    for start, length in [(-1, 2), (0, -1)]:
        with pytest.raises(InputError):
            store.get_range("parts/0123456789", start, length)


def test_lists_are_in_byte_order_of_the_whole_key(store: Store) -> None:
    """Folders do not disturb the order, prefixes end at a slash, and `after` need not exist."""
    put(store, *TREE)
    assert list(store.list("")) == sorted(TREE)
    assert list(store.list("a/")) == ["a/x", "a/y/z", "a/y0"]
    assert list(store.list("b/a/")) == ["b/a/a/a", "b/a/a0"]
    assert list(store.list("a/y/z/")) == []
    for after in ["a/x", "a/y", "a/y/", "a/y/a", "a/y/z", "a/y/zz", "a.", "0", "b/a/a/", "zzz"]:
        assert list(store.list("", after)) == [key for key in sorted(TREE) if key > after], after
        assert list(store.list("a/", after)) == [key for key in sorted(TREE) if key > after and key[:2] == "a/"], after


def test_children_are_the_names_directly_below(store: Store) -> None:
    """Folders and objects alike, without slashes, sorted, each once."""
    put(store, *TREE)
    assert store.children("") == ["a", "a%2Fb", "a-b", "a.b", "a0", "a~b", "b"]
    assert store.children("a/") == ["x", "y", "y0"]
    assert store.children("b/a/") == ["a", "a0"]


def test_long_lists_come_whole(store: Store) -> None:
    """More keys than one page of S3 holds are all listed, in order, from the start and from the middle."""
    names = [f"many/{number:05d}" for number in range(1_050)]
    put(store, *reversed(names))
    assert list(store.list("many/")) == names
    assert list(store.list("many/", names[1_000])) == names[1_001:]


def test_keys_made_by_the_plane_survive_the_round_trip(store: Store) -> None:
    """Encoded ids are not encoded again: what is listed is what was put, and reads back."""
    made = [keys.segment("acme", entity, date(2026, 3, 1), "0" * 64) for entity in WEIRD_IDS]
    put(store, *made)
    assert list(store.list("tenants/acme/")) == sorted(made)
    assert sorted(store.children("tenants/acme/entities/")) == sorted(keys.entity_part(entity) for entity in WEIRD_IDS)
    assert [store.get(key).decode() for key in made] == made


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/..", ".a", "a/.b", "a\0", "a b", "é", "a\n"]
)
def test_malformed_keys_are_refused_before_anything_happens(store: Store, key: str) -> None:
    """Hidden, empty, unencoded and climbing parts raise InputError in every operation."""
    for act in (store.get, store.head, store.path, store.delete):
        with pytest.raises(InputError):
            act(key)
    with pytest.raises(InputError):
        store.create(key, b"")
    with pytest.raises(InputError):
        store.put_content([(key, b"")])
    with pytest.raises(InputError):
        store.get_range(key, 0, 1)
    for prefix in {f"{key}/", "a"} - {"a//"}:
        with pytest.raises(InputError):
            store.list(prefix)
        with pytest.raises(InputError):
            store.children(prefix)


def test_putting_content_again_is_harmless(store: Store) -> None:
    """The same items twice in one call and in two calls leave one object each."""
    items = [(f"segments/{number}", b"%d" % number * 1_000) for number in range(150)]
    store.put_content(items + items)
    store.put_content(iter(items))
    store.sync()
    assert list(store.list("segments/")) == sorted(key for key, _ in items)
    assert all(store.get(key) == body for key, body in items)


def test_nothing_to_put_is_fine(store: Store) -> None:
    """An empty batch and a sync of nothing leave nothing behind."""
    store.put_content([])
    store.sync()
    assert list(store.list("")) == []


def test_a_generator_is_taken_only_as_fast_as_it_is_written(store: Store) -> None:
    """Memory stays constant: a bounded number of items has been taken and not yet written."""
    ahead = []

    def items() -> Iterator[tuple[str, bytes]]:
        for number in range(900):
            if number in (500, 899):
                ahead.append(number - sum(1 for _ in store.list("items/")))
            yield f"items/{number:06d}", b"x"

    store.put_content(items())
    assert max(ahead) <= 4 * 128


def test_an_error_in_the_generator_reaches_the_caller(store: Store) -> None:
    """What makes the items may fail; its own error comes out, and what was put before is whole."""

    def items() -> Iterator[tuple[str, bytes]]:
        for number in range(1_000):
            if number == 400:
                raise InputError("line 400 is not JSON")
            yield f"items/{number:06d}", b"whole"

    with pytest.raises(InputError, match="line 400"):
        store.put_content(items())
    assert all(store.get(key) == b"whole" for key in store.list("items/"))


def test_large_content_goes_in_and_out(store: Store) -> None:
    """Content over the size at which S3 uploads go in parts arrives whole."""
    body = hashlib.sha256(b"seed").digest() * (17 << 15)
    store.put_content([("parts/large", body)])
    assert store.head("parts/large") == len(body)
    assert store.get_range("parts/large", len(body) - 32, 32) == body[-32:]
    assert hashlib.sha256(store.get("parts/large")).digest() == hashlib.sha256(body).digest()


def test_deleted_objects_are_gone(store: Store) -> None:
    """Deleting removes the object from every view, is harmless where nothing is, and the name can be used again."""
    put(store, "a/b/c", "a/d")
    store.delete("a/b/c")
    store.delete("a/b/c")
    assert store.head("a/b/c") is None
    assert list(store.list("")) == ["a/d"]
    assert store.children("a/") == ["d"]
    assert store.create("a/b/c", b"again")
    assert store.get("a/b/c") == b"again"


def test_a_path_is_a_file_with_the_bytes(store: Store) -> None:
    """On a local disk an object can be memory-mapped; elsewhere there is no path."""
    put(store, "parts/a")
    path = store.path("parts/a")
    assert (path is not None) == store.local
    assert path is None or path.read_bytes() == b"parts/a"


def test_create_settled_tells_mine_from_theirs(store: Store) -> None:
    """The same body again is still mine; another's is not."""
    assert create_settled(store, "log/1", b"me", b"me".__eq__)
    assert create_settled(store, "log/1", b"me", b"me".__eq__)
    assert not create_settled(store, "log/1", b"you", b"you".__eq__)


def test_the_probe_accepts_the_store_and_leaves_nothing(store: Store) -> None:
    """Every store that we support passes its own probe."""
    probe(store)
    assert list(store.list("")) == []


def test_urls_hold_no_credentials(store: Store) -> None:
    """Neither the URL nor the representation shows a key."""
    assert "testtest" not in store.url + repr(store)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(
    names=st.sets(st.lists(st.sampled_from(["a", "b", "a-", "a.", "a~", "a0"]), min_size=1, max_size=4).map("/".join)),
    after=st.lists(st.sampled_from(["a", "b", "a-", "a.", "a0"]), max_size=4).map("/".join),
    prefix=st.sampled_from(["", "a/", "a/a/", "a./"]),
)
def test_any_listing_equals_the_sorted_filter(
    names: set[str], after: str, prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The local walk, which must order folders among files, agrees with memory and with plain sorting."""
    leaves = [name for name in sorted(names) if not any(other.startswith(f"{name}/") for other in names)]
    expected = [name for name in leaves if name.startswith(prefix) and name > after]
    stores = [open_store(tmp_path_factory.mktemp("store")), open_store(f"memory://{uuid4().hex}")]
    for store in stores:
        put(store, *leaves)
        assert list(store.list(prefix, after)) == expected
