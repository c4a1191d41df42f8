"""What an address leads to, also where another one is written into it."""

from __future__ import annotations

import socket

import pytest

from context_plane.web.addresses import is_loopback, is_metadata, is_private, is_public, is_special, look_up


@pytest.mark.parametrize(
    ("inner", "public", "special"),
    [
        ("8.8.8.8", True, False),
        ("10.0.0.5", False, False),
        ("127.0.0.1", False, False),
        ("169.254.169.254", False, True),
    ],
)
def test_what_is_written_into_an_address_counts(inner: str, public: bool, special: bool) -> None:
    """Mapped, compatible, NAT64 in both of its ranges, 6to4, Teredo (whose client is written inverted)."""
    a, b, c, d = map(int, inner.split("."))
    wide = f"{a:02x}{b:02x}:{c:02x}{d:02x}"
    inverted = f"{a ^ 255:02x}{b ^ 255:02x}:{c ^ 255:02x}{d ^ 255:02x}"
    forms = [
        inner, f"::ffff:{inner}", f"::{inner}", f"64:ff9b::{inner}", f"64:ff9b:1::{inner}", f"2002:{wide}::1",
        f"2001:0:{wide}::{inverted}",
    ]  # fmt: skip
    for form in forms:
        assert (is_public(form), is_private(form), is_special(form)) == (public, not public, special), form


def test_one_bad_address_of_two_is_enough() -> None:
    """A Teredo address holds two."""
    assert is_private("2001:0:808:808::f5ff:fffa")
    assert is_public("2001:0:808:808::f5ff:fffa")


@pytest.mark.parametrize(
    ("address", "metadata", "loopback"),
    [
        ("fd00:ec2::254", True, False),
        ("100.100.100.200", True, False),
        ("::ffff:100.100.100.200", True, False),
        ("64:ff9b::6464:64c8", True, False),
        ("100.100.100.201", False, False),
        ("::1", False, True),
        ("127.8.8.8", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("fe80::1%1", False, False),
        ("::", False, False),
    ],
)
def test_metadata_and_this_machine(address: str, metadata: bool, loopback: bool) -> None:
    """In every form."""
    assert (is_metadata(address), is_loopback(address)) == (metadata, loopback)


def test_nothing_found_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never an empty list, which would look as if every address had been checked."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with pytest.raises(OSError, match="no address"):
        look_up("x.example", 80)
    monkeypatch.undo()
    with pytest.raises(OSError, match=r"\S"):
        look_up("x" * 70 + ".example", 80)
