"""WordLlama: the library's own vectors, from its wheel, the same bytes in any batch and on any thread."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from context_plane.errors import NotFound
from context_plane.retrieval.embedders import open_embedder, wordllama
from tests.retrieval.embedders.properties import check

EMBEDDER = open_embedder("wordllama")
SAID = [
    "The export to CSV stops at 10,000 rows.",
    "Asked about SSO",
    "Überraschung: 日本語のテキスト, 中文文本 и русский",
    "party 🎉👩‍👩‍👧‍👦 time",
    "line one\nline two\ttabbed \x07\x1b[0m",
    "a",
    "src/main.py:42 raised KeyError('id') " * 20,
]
texts = st.lists(st.text(max_size=60) | st.sampled_from(["", "  ", "\n\t\u3000", *SAID]), max_size=8)


@given(texts)
@example(["", " ", "\u2028", *SAID])
@example(["lone \ud800 surrogate", "İstanbul", "ﬁne"])
@example([])
def test_vectors_hold_what_the_protocol_says(found: list[str]) -> None:
    """Any text, any batch."""
    check(EMBEDDER, found)


def test_one_long_text_does_not_change_its_neighbours() -> None:
    """A text of 1 MB is tokenized in pieces, and nothing is padded to it."""
    long = ("the customer asked about the renewal " * 30_000)[: 1 << 20]
    found = EMBEDDER.embed([SAID[0], long, SAID[1]])
    assert found[[0, 2]].tobytes() == EMBEDDER.embed(SAID[:2]).tobytes()
    assert found[1].tobytes() == EMBEDDER.embed([long]).tobytes()
    assert float(np.linalg.norm(found[1])) == pytest.approx(1)
    assert float(found[1] @ EMBEDDER.embed(["the customer asked about the renewal"])[0]) > 0.999


def test_batches_are_bounded_by_texts_and_by_characters() -> None:
    """A thousand texts of a megabyte are not tokenized at once: their tokens would take 30 GB."""
    lengths = [70_000, 10, 3_000_000, *[400_000] * 7, *[5] * 2_500, 0, 2]
    batches = list(wordllama._batches([("word " * (length // 5 + 1))[:length] for length in lengths]))
    assert max(len(pieces) for _, pieces in batches) == wordllama._TEXTS
    assert max(sum(map(len, pieces)) for _, pieces in batches) < wordllama._CHARACTERS + wordllama._LONGEST
    sizes = dict.fromkeys(range(len(lengths)), 0)
    for owners, pieces in batches:
        for owner, piece in zip(owners, pieces, strict=True):
            sizes[owner] += len(piece)
    assert list(sizes.values()) == lengths


LIBRARY = """
import json, os, sys
import numpy as np, wordllama
model = wordllama.WordLlama.load(cache_dir=os.path.dirname(wordllama.__file__), disable_download=True)
found = model.embed([text.lower() for text in json.load(sys.stdin)], norm=True)
sys.stdout.buffer.write(found.astype(np.float32).tobytes())
"""


def test_the_vectors_are_the_librarys() -> None:
    """Of lower-case text: the model was made for that. A process of its own, for the library sets up logging."""
    done = subprocess.run([sys.executable, "-c", LIBRARY], input=json.dumps(SAID).encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    theirs = np.frombuffer(done.stdout, np.float32).reshape(len(SAID), 256)
    assert np.abs(EMBEDDER.embed(SAID) - theirs).max() < 1e-5


def test_case_makes_no_difference() -> None:
    """The model is case-sensitive; we are not."""
    assert EMBEDDER.embed(["EXPORT Stops"]).tobytes() == EMBEDDER.embed(["export stops"]).tobytes()


def test_what_means_alike_is_near() -> None:
    """The weights are the model's and not just any."""
    csv, near, far = EMBEDDER.embed(["csv export fails", "downloading a spreadsheet breaks", "lunch with grandmother"])
    assert csv @ near > csv @ far + 0.1


def test_fewer_numbers_are_the_first_ones() -> None:
    """`dim` cuts, then brings back to length 1."""
    short, whole = open_embedder("wordllama?dim=64").embed(SAID), EMBEDDER.embed(SAID)[:, :64]
    assert np.allclose(short, whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-6)


def test_the_vectors_are_those_that_stores_hold() -> None:
    """Vectors are recorded: a model that makes others needs another id."""
    recorded = [-0.11178734, -0.02959919, -0.10596349, -0.03692163]
    assert np.allclose(EMBEDDER.embed(SAID[:1])[0, :4], recorded, atol=1e-7)


def test_threads_share_an_embedder_from_the_first_text_on() -> None:
    """Weights are loaded once, and each thread gets the bytes that one alone would get."""
    embedder, expected = wordllama.WordLlama(), EMBEDDER.embed(SAID).tobytes()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: (embedder.embed(SAID).tobytes(), id(embedder._loaded)), range(64)))
    assert {each for each, _ in found} == {expected}
    assert len({loaded for _, loaded in found}) == 1


def test_a_missing_or_damaged_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At opening where it is missing, at the first text where its files do not read."""
    monkeypatch.setattr(wordllama, "find_spec", lambda name: None)
    with pytest.raises(NotFound, match="pip install wordllama"):
        open_embedder("wordllama")
    (tmp_path / "wordllama").mkdir()
    (tmp_path / "wordllama" / "__init__.py").touch()
    monkeypatch.undo()
    monkeypatch.setattr(wordllama, "find_spec", lambda name: Spec(str(tmp_path / "wordllama" / "__init__.py")))
    with pytest.raises(NotFound, match=r"no l2_supercat_tokenizer_config\.json"):
        open_embedder("wordllama")
    for file in wordllama_files(tmp_path / "wordllama"):
        file.parent.mkdir()
        file.write_bytes(b"\x00" * 16)
    with pytest.raises(NotFound, match=r"do not read.*force-reinstall"):
        open_embedder("wordllama").embed(["text"])


class Spec:
    """Where a package would be."""

    def __init__(self, origin: str) -> None:
        self.origin = origin


def wordllama_files(folder: Path) -> tuple[Path, Path]:
    return folder / "tokenizers/l2_supercat_tokenizer_config.json", folder / "weights/l2_supercat_256.safetensors"
