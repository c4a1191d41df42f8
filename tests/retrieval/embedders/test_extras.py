"""Models of optional libraries, with stand-ins for the libraries; `test_extras_real` has the real ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from context_plane.errors import ContextPlaneError, InputError, NotFound
from context_plane.retrieval.embedders import open_embedder
from context_plane.retrieval.embedders.extras import content, revision
from tests.retrieval.embedders.properties import check

TEXTS = ["the export stops", "", "rows", " \n", "seats of a customer " * 9, "lone \ud800", "the"]


class Tokenizer:
    """As much of one as is asked for."""

    def to_str(self) -> str:
        return "{}"


class Static:
    """Stands in for `model2vec.StaticModel`: the same calls, vectors from lengths of words."""

    embedding: Any = np.arange(12, dtype=np.float32).reshape(2, 6)
    weights: Any = None
    token_mapping: Any = None
    dim = 6
    tokenizer = Tokenizer()
    loaded: list[tuple[str, bool]] = []  # noqa: RUF012 - shared, as the library's class is what is patched

    @classmethod
    def from_pretrained(cls, path: str, *, force_download: bool = True) -> Static:
        cls.loaded.append((path, force_download))
        if "damaged" in path:
            raise ArithmeticError("header\nis invalid")
        return cls()

    def encode(self, texts: Sequence[str], *, use_multiprocessing: bool = True) -> Any:
        assert texts, "the library fails on an empty list"
        assert not use_multiprocessing
        return np.array([[len(text), 1, text.count(" "), 0, 2, 0] for text in texts], np.float32)


class Encoder:
    """Stands in for `sentence_transformers.SentenceTransformer` 5: its batches move the last bits."""

    loaded: list[tuple[str, bool, str]] = []  # noqa: RUF012

    def __init__(self, name: str, *, local_files_only: bool, device: str) -> None:
        self.loaded.append((name, local_files_only, device))
        if "damaged" in name:
            raise OSError("")

    def get_sentence_embedding_dimension(self) -> int:
        return 5

    def encode(self, texts: Sequence[str], *, batch_size: int, show_progress_bar: bool, convert_to_numpy: bool) -> Any:
        assert not show_progress_bar
        assert convert_to_numpy
        jitter = 0 if batch_size == 1 else len(texts) * 1e-6
        return np.array([[len(text), 1 + jitter, text.count(" "), 3, 2] for text in texts], np.float32)


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins, whether the real ones are installed or not."""
    for name, attribute, stand_in in (
        ("model2vec", "StaticModel", Static),
        ("sentence_transformers", "SentenceTransformer", Encoder),
    ):
        module = ModuleType(name)
        setattr(module, attribute, stand_in)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(stand_in, "loaded", [])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder, as far as its identity goes."""
    found = tmp_path / "mine"
    (found / "1_Pooling").mkdir(parents=True)
    (found / "model.safetensors").write_bytes(b"weights")
    (found / "1_Pooling" / "config.json").write_text("{}")
    return found


@pytest.mark.parametrize("provider", ["model2vec", "sentence-transformers"])
def test_absent_libraries_are_named_with_the_command(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, provider.replace("-", "_"), None)
    with pytest.raises(NotFound, match=rf"{provider} is not installed.*pip install 'context-plane\[{provider}\]'"):
        open_embedder(f"{provider}:some-model")


@pytest.mark.parametrize("provider", ["model2vec", "sentence-transformers"])
def test_vectors_hold_what_the_protocol_says(provider: str, folder: Path) -> None:
    """Also cut, and with no text at all."""
    for options in ("", "?dim=3&weight=0.9"):
        embedder = open_embedder(f"{provider}:{folder}{options}")
        check(embedder, TEXTS)
        check(embedder, [])
        check(embedder, ["", " "])
    assert (embedder.dimension, embedder.weight) == (3, 0.9)
    with pytest.raises(InputError, match="give a number from 1 to"):
        open_embedder(f"{provider}:{folder}?dim=7")


def test_weights_are_those_of_the_kind(folder: Path) -> None:
    """Static embeddings say less than words do, encoders as much."""
    assert open_embedder(f"model2vec:{folder}").weight == 0.2
    assert open_embedder(f"sentence-transformers:{folder}").weight == 0.3


def test_folders_never_ask_a_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is loaded offline; a hub's name may be downloaded, but not again each time."""
    monkeypatch.chdir(folder.parent)
    for name in (str(folder), "mine", "./mine", "owner/name"):
        open_embedder(f"sentence-transformers:{name}")
        open_embedder(f"model2vec:{name}")
    assert Encoder.loaded == [*[(str(folder), True, "cpu")] * 3, ("owner/name", False, "cpu")]
    assert Static.loaded == [*[(str(folder), False)] * 3, ("owner/name", False)]


@pytest.mark.parametrize("provider", ["model2vec", "sentence-transformers"])
@pytest.mark.parametrize("name", ["./mine", "../mine", "~/no/such/model", "/no/model", "a/b/c"])
def test_a_folder_that_is_none_is_not_looked_for_on_a_hub(provider: str, name: str) -> None:
    """A typing error must not become a request."""
    with pytest.raises(NotFound, match="there is no folder"):
        open_embedder(f"{provider}:{name}")
    assert (Static.loaded, Encoder.loaded) == ([], [])


@pytest.mark.parametrize(
    ("provider", "says"), [("model2vec", "does not load: header \\("), ("sentence-transformers", "load: OSError")]
)
def test_whatever_a_library_raises_is_translated(provider: str, says: str) -> None:
    """With place and remedy."""
    with pytest.raises(NotFound, match=says) as caught:
        open_embedder(f"{provider}:damaged/model")
    assert isinstance(caught.value, ContextPlaneError)
    assert (caught.value.where, bool(caught.value.remedy)) == (f"embedder '{provider}:damaged/model'", True)


def test_folders_of_one_name_are_told_apart_by_content(folder: Path, tmp_path: Path) -> None:
    """A retrained model is another; one that moved, or whose card was edited, is the same."""
    first = open_embedder(f"sentence-transformers:{folder}").id
    assert first == f"sentence-transformers/mine@{content(folder)}/5"
    (folder / "README.md").write_text("A card.")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "lock").touch()
    moved = folder.rename(tmp_path / "x").rename(tmp_path / "mine")
    assert open_embedder(f"sentence-transformers:{moved}").id == first
    (moved / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    assert open_embedder(f"sentence-transformers:{moved}").id != first


def test_static_models_of_one_name_are_told_apart_by_content(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what was loaded, so that a model has one identity from a folder and from a hub."""
    first = open_embedder(f"model2vec:{folder}").id
    assert first == open_embedder("model2vec:owner/mine").id
    assert first.startswith("model2vec/mine@")
    monkeypatch.setattr(Static, "embedding", Static.embedding + 1)
    assert open_embedder(f"model2vec:{folder}").id != first


def test_a_hubs_models_are_told_apart_by_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the hub's library records it in its cache; unknown elsewhere."""
    import huggingface_hub

    commit = "0123456789abcdef0123456789abcdef01234567"
    for name in ("owner--encoder", "sentence-transformers--mini"):
        snapshot = tmp_path / f"models--{name}" / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").touch()
        (tmp_path / f"models--{name}" / "refs").mkdir()
        (tmp_path / f"models--{name}" / "refs" / "main").write_text(commit)
    real = huggingface_hub.try_to_load_from_cache
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *a: real(*a, cache_dir=tmp_path))
    assert (revision("owner/encoder"), revision("mini"), revision("owner/other")) == (f"@{commit[:12]}",) * 2 + ("",)
    found = open_embedder("sentence-transformers:owner/encoder")
    assert found.id == f"sentence-transformers/owner/encoder@{commit[:12]}/5"
