"""Names of embedders: how they are taken apart, what each opens, what plugins add, and what is imported when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from context_plane.errors import InputError, NotFound
from context_plane.retrieval.embedders import GROUP, open_embedder, parse


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("wordllama", ("wordllama", None, None, {})),
        ("wordllama?dim=128&weight=0.3", ("wordllama", None, None, {"dim": "128", "weight": "0.3"})),
        ("model2vec:models/mine", ("model2vec", "models/mine", None, {})),
        ("openai:bge-m3:567m@http://host:1/v1?dim=8", ("openai", "bge-m3:567m", "http://host:1/v1", {"dim": "8"})),
        ("my_plugin.v2:x", ("my_plugin.v2", "x", None, {})),
    ],
)
def test_a_name_has_up_to_four_parts(name: str, parts: tuple[object, ...]) -> None:
    """Provider, model, URL, options."""
    choice = parse(name)
    assert (choice.provider, choice.model, choice.url, choice.options) == parts


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "does not name an embedder"),
        ("Word Llama", "does not name an embedder"),
        ("word2vec", "known are model2vec, openai, sentence-transformers, wordllama, and none"),
        ("none", "none is not an embedder"),
        ("wordllama?size=3", "known are dim, weight"),
        ("wordllama?dim", "write ?dim=128&weight=0.5"),
        ("wordllama?dim=", "give a number from 16 to 256"),
        ("wordllama?dim=512", "give a number from 16 to 256"),
        ("wordllama?dim=nan", "give a number from 16 to 256"),
        ("wordllama?dim=128.5", "give a whole number"),
        ("wordllama?dim=64&dim=128", "give it once"),
        ("wordllama?weight=1.5", "give a number from 0 to 1"),
        ("wordllama:128", "wordllama?dim=128"),
        ("wordllama@http://host/v1", "its wheel carries l2_supercat"),
        ("model2vec", "write model2vec:FOLDER"),
        ("sentence-transformers:x@http://host", "write sentence-transformers:FOLDER"),
        ("openai:m", "write openai:MODEL@https://host/v1"),
        ("openai:m@ftp://host", "write openai:MODEL@https://host/v1"),
        ("openai:m@http://", "write openai:MODEL@https://host/v1"),
        ("openai:m@http://a b", "write openai:MODEL@https://host/v1"),
        ("openai:m@http://host:port", "write openai:MODEL@https://host/v1"),
        ("openai:m@http://user:secret@host", "write openai:MODEL@https://host/v1"),
        ("openai:m@http://host?dim=0", "give a number from 1 to 65536"),
    ],
)
def test_a_wrong_name_says_what_is_right(name: str, says: str) -> None:
    """Every mistake is an `InputError` with place and remedy."""
    with pytest.raises(InputError) as caught:
        open_embedder(name)
    assert says in str(caught.value)
    assert caught.value.where
    assert caught.value.remedy


def test_options_set_weight_and_dimension() -> None:
    """The weight is not part of the identity: it does not change the vectors."""
    plain, set_ = open_embedder("wordllama"), open_embedder("wordllama?dim=64&weight=0.75")
    assert (plain.id, plain.dimension, plain.weight) == ("wordllama/l2_supercat/256", 256, 0.2)
    assert (set_.id, set_.dimension, set_.weight) == ("wordllama/l2_supercat/64", 64, 0.75)


PLUGIN = """
class Upside:
    id, dimension = "upside/1", 2
    def __init__(self, choice):
        self.model, self.weight = choice.model, choice.number("weight", 0.4, 0, 1)
def broken(choice):
    raise RuntimeError("no luck")
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution, as pip would install it."""
    folder = tmp_path / "upside_down-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: upside-down\nVersion: 1.0\n")
    points = ("upside = upside_down:Upside", "broken = upside_down:broken", "absent = not_there:Absent")
    (folder / "entry_points.txt").write_text("\n".join((f"[{GROUP}]", *points, "")))
    (tmp_path / "upside_down.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "upside_down", raising=False)


@pytest.mark.usefixtures("plugin")
def test_a_plugin_adds_a_provider() -> None:
    """It is found by its entry point, is handed the name taken apart, and is listed among the known ones."""
    embedder = open_embedder("upside:big?weight=0.6")
    assert (embedder.id, embedder.dimension, embedder.weight) == ("upside/1", 2, 0.6)
    assert embedder.model == "big"  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="openai, sentence-transformers, upside, wordllama"):
        open_embedder("downside")


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(("name", "says"), [("broken", "no luck"), ("absent", "not_there")])
def test_a_plugin_that_fails_is_named(name: str, says: str) -> None:
    """Foreign errors are translated, and a plugin's own `InputError` is left as it is."""
    with pytest.raises(NotFound, match=says) as caught:
        open_embedder(name)
    assert name in caught.value.where
    with pytest.raises(InputError, match="give a number from 0 to 1"):
        open_embedder("upside?weight=2")


LAZY = """
import sys
from context_plane.retrieval.embedders import open_embedder
embedder = open_embedder("wordllama")
open_embedder("openai:m@http://host/v1?dim=8")
heavy = {"numpy", "tokenizers", "safetensors", "wordllama", "model2vec", "sentence_transformers", "torch", "requests"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
embedder.embed(["a text"])
assert not (heavy - {"numpy", "tokenizers", "safetensors"}) & set(sys.modules)
"""


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    """Opening costs no library, and WordLlama's own package, which sets up logging, is never imported."""
    done = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_option_of_another_provider_is_refused() -> None:
    """Rather than ignored: it would change nothing."""
    with pytest.raises(InputError, match="wordllama has no option chars") as error:
        open_embedder("wordllama?chars=100")
    assert error.value.remedy == "it has dim, weight"
