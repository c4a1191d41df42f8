"""Keys: every name has a safe, stable place, and two names never share one."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import InputError
from context_plane.store import keys
from context_plane.store.base import check_key

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=keys.MAX_ID_CHARS)


@given(names, names)
def test_parts_are_safe_and_distinct(one: str, other: str) -> None:
    """One level of a path, never hidden, at most 200 bytes, and different for different names."""
    part = keys.part(one)
    assert check_key(part) == part
    assert "/" not in part
    assert len(part) <= 200
    assert one == other or part != keys.part(other)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("customer/acme", "customer%2Facme"),
        ("..", "%2E."),
        (".git", "%2Egit"),
        ("a~b", "a%7Eb"),
        ("a b%|,", "a%20b%25%7C%2C"),
        ("é", "%C3%A9"),
    ],
)
def test_parts_are_percent_encoded(name: str, part: str) -> None:
    """What the specification of the log says."""
    assert keys.part(name) == part


def test_long_names_keep_a_prefix_and_a_hash() -> None:
    """Two names that agree in their first thousand characters have two places."""
    one, other = "x" * 1_000 + "1", "x" * 1_000 + "2"
    assert keys.part(one) != keys.part(other)
    assert keys.part(one).startswith("x" * 120 + "~")


@pytest.mark.parametrize("name", ["", "x" * 1_025])
def test_impossible_names_are_refused(name: str) -> None:
    """Nothing, and more than 1,024 characters."""
    with pytest.raises(InputError):
        keys.part(name)


def test_keyed_paths_hide_the_entity() -> None:
    """With a key the folder is an HMAC: destroying the key unlinks the name."""
    day = date(2026, 3, 1)
    plain, keyed = keys.segment("acme", "customer/a", day, "f"), keys.segment("acme", "customer/a", day, "f", b"key")
    assert "customer" in plain
    assert "customer" not in keyed
    assert check_key(keyed) == keyed
    assert keyed != keys.segment("acme", "customer/a", day, "f", b"other")
    assert keyed == keys.segment("acme", "customer/a", day, "f", b"key")


@pytest.mark.parametrize("tenant", ["", "Acme", "a/b", "..", "-a", "a" * 64, "é"])
def test_tenants_have_plain_names(tenant: str) -> None:
    """So that they can be folders, partition keys and labels."""
    with pytest.raises(InputError, match="not a valid name"):
        keys.tenant_prefix(tenant)
