"""The store: versions by hash, numbered heads, and what happens when something of it is gone or damaged."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from context_plane.bundles.packages.stored import Stored
from context_plane.errors import Corrupt, NotFound
from context_plane.store import keys
from context_plane.store.open import open_store
from tests.bundles.packages.world import World, compiled, declared, kept

ONE = compiled(World([kept("n1", "2026-01-01", "one")]), declared("chains: [n1]"))
TWO = compiled(World([kept("n1", "2026-01-01", "two")]), declared("chains: [n1]"))


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(open_store(str(tmp_path / "store")), "acme")


def body_of(tmp_path: Path) -> Path:
    """The one object that is a version."""
    (found,) = [path for path in (tmp_path / "store").rglob("*.json") if len(path.stem) == 64]
    found.chmod(0o644)
    return found


def test_versions_are_kept_and_the_newest_is_found(stored: Stored) -> None:
    """A head says when and at which view; older versions stay to be read."""
    assert stored.latest("team/pay") is None
    assert stored.names() == []
    first = stored.write(ONE, 3, 1_000_000, 2_000_000)
    second = stored.write(TWO, 5, 3_000_000, 4_000_000)
    assert (first.number, second.number) == (1, 2)
    assert stored.latest("team/pay") == second
    assert (second.version, second.log, second.as_of, second.end) == (TWO.version, 5, 3_000_000, 4_000_000)
    assert stored.read("team/pay", ONE.version) == ONE
    assert stored.current("team/pay") == (second, TWO)
    assert stored.names() == ["team/pay"]
    with pytest.raises(NotFound):
        stored.read("team/pay", "sha256:" + "0" * 64)


def test_the_same_twice_is_one_head(stored: Stored) -> None:
    """Two processes that build the same at the same view leave one."""
    with ThreadPoolExecutor(4) as pool:
        heads = list(pool.map(lambda _: stored.write(ONE, 3, 1, 2), range(8)))
    assert {head.version for head in heads} == {ONE.version}
    assert stored.latest("team/pay") in heads
    assert stored.write(ONE, 3, 1, 2) == stored.latest("team/pay")


def test_names_do_not_run_into_each_other(stored: Stored) -> None:
    """`team/pay` is no folder of `team`."""
    stored.write(ONE, 1, 1, 1)
    other = compiled(World([kept("n1", "2026-01-01", "one")]), declared("chains: [n1]", "team"))
    stored.write(other, 1, 1, 1)
    assert stored.names() == ["team", "team/pay"]
    assert stored.current("team")[1].name == "team"  # type: ignore[index]


def test_what_is_damaged_or_gone_is_never_served(stored: Stored, tmp_path: Path) -> None:
    """Asked for by its version it is an error; asked for what there is it is as if nothing was built."""
    stored.write(ONE, 1, 1, 1)
    path = body_of(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"one", b"two"))
    with pytest.raises(Corrupt, match="damaged"):
        stored.read("team/pay", ONE.version)
    assert stored.current("team/pay") is None
    path.unlink()
    assert stored.current("team/pay") is None
    stored.write(ONE, 2, 1, 1)
    assert stored.current("team/pay") is not None


def test_a_head_that_does_not_read_is_an_error(stored: Stored, tmp_path: Path) -> None:
    """It names the object and the remedy."""
    stored.write(ONE, 1, 1, 1)
    head = tmp_path / "store" / keys.package_head("acme", "team/pay", 1)
    head.chmod(0o644)
    head.write_text("{}")
    with pytest.raises(Corrupt, match="head of a package does not read") as error:
        stored.latest("team/pay")
    assert error.value.where == keys.package_head("acme", "team/pay", 1)
