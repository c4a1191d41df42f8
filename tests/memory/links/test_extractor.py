"""Extractors by name: the rules, and plugins found by entry point."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.demo.build import build
from context_plane.errors import InputError, NotFound
from context_plane.memory.links.declared import Linking
from context_plane.memory.links.extractor import GROUP, open_extractor
from context_plane.memory.links.fold import fold
from context_plane.memory.links.rules import Rules

PLUGIN = """
from context_plane.memory.links.link import Evidence, Found, Target

class Guess:
    id = "guess/7"
    def extract(self, said):
        text = said.data["text"]
        yield Found(Evidence("text", 0, len(text)), "led_to", Target(text, entity="idea/x"), rule="closes")

class Wrong:
    id = "wrong"
    def extract(self, said):
        field, start, end, kind = eval(said.data["text"])
        yield Found(Evidence(field, start, end), kind, Target("x"))

def broken():
    raise RuntimeError("no luck")
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution, as pip would install it."""
    folder = tmp_path / "link_guess-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: link-guess\nVersion: 1.0\n")
    points = ("guess = link_guess:Guess", "wrong = link_guess:Wrong", "broken = link_guess:broken", "gone = gone:Gone")
    (folder / "entry_points.txt").write_text("\n".join((f"[{GROUP}]", *points, "")))
    (tmp_path / "link_guess.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "link_guess", raising=False)


def row(text: str) -> dict[str, Any]:
    return {"entity": "note/n", "time": 0, "source": "s", "id": "1", "type": "t", "data": {"text": text, "n": 1}}


def test_the_rules_are_the_default() -> None:
    """Their identity names their version."""
    assert isinstance(open_extractor(), Rules)
    assert open_extractor("rules").id == "rules/1"


@pytest.mark.usefixtures("plugin")
def test_what_a_plugin_finds_carries_its_name() -> None:
    """Whatever rule it names, so that a guess is never taken for what a text says."""
    (link,) = fold([row("a thought")], Linking("guess"))
    assert (link.kind, link.rule, link.edge) == ("led_to", "guess", ("note/n", "led_to", "idea/x"))
    assert open_extractor("guess").id == "guess:guess/7"


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("found", "says"),
    [
        (("text", 0, 99, "k"), "evidence from 0 to 99 in 'text'"),
        (("text", 3, 3, "k"), "evidence from 3 to 3"),
        (("n", 0, 1, "k"), "evidence from 0 to 1 in 'n'"),
        (("absent", -1, -1, "k"), "evidence in 'absent', which the event lacks"),
        (("text", 0, 1, ""), "a link without kind or target"),
    ],
)
def test_a_plugin_that_returns_nonsense_is_named(found: tuple[Any, ...], says: str) -> None:
    """With the event that it was about."""
    with pytest.raises(InputError, match=says) as caught:
        fold([row(repr(found))], Linking("wrong"))
    assert caught.value.where == "link extractor 'wrong', event s 1"


@pytest.mark.usefixtures("plugin")
def test_a_plugin_that_cannot_be_opened_is_named() -> None:
    """And one that is not installed gets the names of those that are."""
    with pytest.raises(NotFound, match="no luck"):
        open_extractor("broken")
    with pytest.raises(NotFound, match="gone"):
        open_extractor("gone")
    with pytest.raises(NotFound, match="known are broken, gone, guess, rules, wrong"):
        open_extractor("none")


@pytest.mark.usefixtures("plugin")
def test_a_plugin_is_imported_only_when_chosen() -> None:
    """The rules load nothing of it."""
    fold([row("#5")])
    assert "link_guess" not in sys.modules


def test_folding_rows_loads_nothing_heavy() -> None:
    """Arrow is loaded for tables alone."""
    code = (
        "import sys; from context_plane.memory.links.fold import fold; fold([]);"
        "assert not {'pyarrow', 'pydantic', 'duckdb', 'numpy', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("plugin")
def test_a_home_names_its_extractor(tmp_path: Path) -> None:
    """In `plane.toml`; what it finds is walked at once and materialized, and a name that is not installed is told."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "plane.toml").write_text('link_extractor = "guess"\nembedder = "none"\n')
    with ContextPlane.open(home) as plane:
        event = {"id": "1", "source": "s", "type": "t", "subject": "note/n", "time": "2026-03-01T00:00:00Z"}
        plane.ingest("acme", [{**event, "data": {"text": "a thought"}}])
        before = plane.chain("acme", "note/n", direction="forward")
        assert [step.thing.id for step in before.steps] == ["idea/x"]
        build(plane, "acme", lambda *_: None)
        assert plane.chain("acme", "note/n", direction="forward") == before
    (home / "plane.toml").write_text('link_extractor = "nobodys"\nembedder = "none"\n')
    with ContextPlane.open(home) as plane, pytest.raises(NotFound, match="no link extractor 'nobodys'"):
        plane.chain("acme", "note/n")
