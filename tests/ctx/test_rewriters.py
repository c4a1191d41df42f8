"""Rewriting: plugins by name, what they return labelled, and never taken for what is certain."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from context_plane.cli.main import main
from context_plane.ctx import documents
from context_plane.ctx.rewriters import GROUP, names
from context_plane.errors import InputError, NotFound, Unavailable

PLUGIN = """
class Short:
    id = "short/1"
    def rewrite(self, text):
        return text.replace("The export is stopped at ", "Export stops at ").replace("that must not be raised", "")

class Faithful:
    id = "faithful/1"
    def rewrite(self, text):
        return text.replace("The export is ", "export ")

class Fails:
    id = "fails/1"
    def rewrite(self, text):
        raise OSError("no route to the model")

class Nothing:
    id = "nothing/1"
    def rewrite(self, text):
        return "  "

class Longer:
    id = "longer/1"
    def rewrite(self, text):
        return text + " And so on." * 40

def broken():
    raise RuntimeError("no luck")
"""
TEXT = "The export is stopped at 10,000 rows, and there is a limit that must not be raised. " * 12


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution, as pip would install it."""
    folder = tmp_path / "short_words-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: short-words\nVersion: 1.0\n")
    points = [f"{name.lower()} = short_words:{name}" for name in ("Short", "Faithful", "Fails", "Nothing", "Longer")]
    (folder / "entry_points.txt").write_text("\n".join((f"[{GROUP}]", *points, "broken = short_words:broken", "")))
    (tmp_path / "short_words.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "short_words", raising=False)


def test_what_a_plugin_leaves_out_is_labelled_lossy() -> None:
    """The head says so, and the check found that facts are missing."""
    made = documents.encode(TEXT, "rewrite", rewriter="short")
    assert (made.mode, made.level) == ("rewrite", "lossy")
    assert made.text.startswith("§text rewrite\n")
    assert made.tokens < made.original_tokens
    assert documents.verify(TEXT, made.text).level is None
    assert documents.decode(made.text) == ("text", made.text.partition("\n")[2])


def test_the_check_says_what_a_plugin_kept() -> None:
    """Its level is what is found, not what the mode is called."""
    assert documents.encode(TEXT, "rewrite", rewriter="faithful").level == "L2"


def test_what_gains_nothing_is_not_taken() -> None:
    """What is certain at the same price is better."""
    made = documents.encode(TEXT, "rewrite", rewriter="longer")
    assert made.text == TEXT
    assert made.level == "L0"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("fails", Unavailable, "no route to the model"),
        ("nothing", InputError, "it returned nothing"),
        ("broken", NotFound, "no luck"),
        ("absent", NotFound, "there is no rewriter 'absent'"),
        (None, InputError, "no rewriter is named"),
    ],
)
def test_a_plugin_that_fails_is_named(name: str | None, error: type[Exception], words: str) -> None:
    """With what it says and what to do."""
    with pytest.raises(error, match=words):
        documents.encode(TEXT, "rewrite", rewriter=name)


def test_the_command_names_the_plugin(tmp_path: Path) -> None:
    """`--rewriter` is needed; what is installed is listed."""
    assert "short" in names()
    file = tmp_path / "page.md"
    file.write_text(TEXT)
    command = ["ctx", "encode", str(file), "--mode", "rewrite"]
    done = CliRunner().invoke(main, [*command, "--rewriter", "short", "--json"])
    assert json.loads(done.stdout)["level"] == "lossy"
    without = CliRunner().invoke(main, command)
    assert (without.exit_code, "faithful" in without.stderr) == (2, True)
