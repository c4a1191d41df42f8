"""`open_store`: URLs to stores, without touching anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from context_plane.errors import InputError
from context_plane.store.open import open_store


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_a_folder_opens_in_every_form(tmp_path: Path, form: str) -> None:
    """A path and a file URL are the same store, and opening makes nothing."""
    folder = tmp_path / "with space" / "store"
    store = open_store(form.format(str(folder).replace(" ", "%20") if "file" in form else folder))
    assert store.local
    assert store.url == f"file://{folder}"
    assert not folder.parent.exists()
    store.create("a", b"x")
    assert (folder / "a").read_bytes() == b"x"
    assert open_store(folder).get("a") == b"x"


def test_a_relative_folder_is_fixed_at_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changing the working folder later does not move the store."""
    monkeypatch.chdir(tmp_path)
    store = open_store("store")
    monkeypatch.chdir("/")
    store.create("a", b"x")
    assert (tmp_path / "store" / "a").exists()


def test_memory_is_shared_by_name() -> None:
    """Two openings of one name see the same objects; other names do not."""
    name = uuid4().hex
    assert open_store(f"memory://{name}").create("a", b"x")
    assert open_store(f"memory://{name}").get("a") == b"x"
    assert open_store(f"memory://{name}-other").head("a") is None


@pytest.mark.parametrize(
    "url",
    ["", "gs://bucket", "s3://", "s3:///prefix", "s3://bucket/../x", "file://host/x", "file://", "http://x", "\0"],
)
def test_anything_else_is_refused_with_the_forms_that_work(url: str) -> None:
    """An unknown scheme, a missing bucket or folder, a climbing prefix: InputError with a remedy."""
    with pytest.raises(InputError) as error:
        open_store(url)
    assert error.value.remedy


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    """A URL with a secret is refused; the message does not show it."""
    with pytest.raises(InputError) as error:
        open_store("s3://key:hunter2@bucket/prefix?token=hunter2")
    assert "hunter2" not in str(error.value)


def test_opening_a_local_store_imports_nothing_heavy() -> None:
    """The object-store client is imported only when an object store is opened."""
    code = (
        "import sys; from context_plane.store.open import open_store; open_store('/x'); print('obstore' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
