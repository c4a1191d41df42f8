"""docs/models.md says what there is: its file loads, its keys are all, its error is the error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from context_plane.errors import Infeasible
from context_plane.processes.linked import ModelNeeds
from context_plane.processes.models.catalog import load_models
from context_plane.processes.models.choosing import choose
from context_plane.processes.models.file import ModelEntry

DOCUMENT = (Path(__file__).parents[3] / "docs" / "models.md").read_text("utf-8")


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)[number]


def test_the_file_of_the_page_loads_and_chooses_as_it_says(tmp_path: Path) -> None:
    """The error shown is the error given."""
    file = tmp_path / "models.yaml"
    file.write_text(block("yaml"))
    models = load_models(file)
    assert [model.name for model in models] == ["local-small", "remote-large", "any-vendor"]
    assert choose(models, ModelNeeds(("reasoning",)), 1_000).model.name == "remote-large"
    assert choose(models, ModelNeeds(("code",)), 1_000).model.name == "local-small"
    with pytest.raises(Infeasible) as caught:
        choose(models, ModelNeeds(("reasoning",), "restricted", "fast", 0.05), 1_000)
    assert f"{caught.value}\n" == block("text")


def test_the_table_has_every_key() -> None:
    """And no other."""
    told = re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)
    assert sorted(told) == sorted(ModelEntry.model_fields)
