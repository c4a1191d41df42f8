"""The one client for JSON over HTTP; what embedders and models make of it is tested with them."""

from __future__ import annotations

import pytest

from context_plane.errors import Denied
from context_plane.web import is_address, is_busy, key_in


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://host/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000", True),
        ("https://name:password@host/v1", False),
        ("https://name@host/v1", False),
        ("ftp://host", False),
        ("host/v1", False),
        ("https://", False),
        ("https://host:0/", False),
        ("https://host:port/", False),
        ("https://[::1", False),
        ("https://host/a b", False),
        ("https://host/\n", False),
        ("https://hösť/", False),
    ],
)
def test_addresses(url: str, good: bool) -> None:
    """Of HTTP, without what would be printed with errors."""
    assert is_address(url) == good


def test_who_is_busy() -> None:
    """Is worth another try."""
    assert [status for status in (200, 301, 400, 401, 404, 408, 409, 425, 429, 500, 503, 599) if is_busy(status)] == [
        408, 409, 425, 429, 500, 503, 599,
    ]  # fmt: skip


def test_the_first_key_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without white space around it; one that is none is not repeated in the error."""
    monkeypatch.setenv("ONE", "  ")
    monkeypatch.setenv("TWO", " key\n")
    assert key_in(("ZERO", "ONE", "TWO")) == "key"
    assert key_in(("ZERO", "ONE")) is None
    monkeypatch.setenv("ONE", "ключ")
    with pytest.raises(Denied) as caught:
        key_in(("ONE", "TWO"))
    assert (caught.value.where, "ключ" in str(caught.value)) == ("ONE", False)
