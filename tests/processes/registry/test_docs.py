"""docs/actions.md says what there is: its tables are those of the registry, its code runs."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from context_plane import yamls
from context_plane.processes.models.gateway import Reply
from context_plane.processes.registry.handler import Action, Gate, StepFailure, Verdict
from context_plane.processes.registry.registry import Registry, open_registry
from tests.processes.registry.world import built_in, gate_call, settings, step

DOCUMENT = Path(__file__).parents[3] / "docs" / "actions.md"


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)[number]


def table(kind: str) -> str:
    found = re.search(rf"<!-- {kind} -->\n(.*?)<!-- /{kind} -->", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert found
    return found.group(1)


def inputs_of(each: Action | Gate) -> str:
    if each.inputs is None:
        return "any"
    return ", ".join(f"`{name}`" + ("" if given.required else "?") for name, given in each.inputs.items())


def expected(kind: str) -> str:
    """The table as it has to be; what a failing test shows can be copied into the document."""
    if kind == "gates":
        rows = [f"| `{e.name}` | {inputs_of(e)} | {e.description} |" for _, e in sorted(built_in().gates.items())]
        return "\n".join(["", "| gate | inputs | passes |", "|---|---|---|", *rows, "", ""])
    actions = [each for name, each in sorted(built_in().actions.items()) if name != "run"]
    rows = [f"| `{e.name}` | {inputs_of(e)} | {'yes' if e.keyed else 'no'} | {e.description} |" for e in actions]
    return "\n".join(["", "| action | inputs | keyed | does |", "|---|---|---|---|", *rows, "", ""])


@pytest.mark.parametrize("kind", ["actions", "gates"])
def test_the_tables_are_those_of_the_registry(kind: str) -> None:
    """Each built-in one, its inputs, whether it is keyed, what it does."""
    assert table(kind) == expected(kind)


def test_every_built_in_one_is_described_and_declares_its_inputs() -> None:
    """So that compiling checks them; only a draft takes anything."""
    registry = built_in()
    for each in (*registry.actions.values(), *registry.gates.values()):
        assert each.description
        assert each.origin == "built in"
        assert each.inputs is not None or each.name in ("note", "run")
        for given in (each.inputs or {}).values():
            assert given.description


@pytest.fixture
def example(tmp_path: Path) -> Registry:
    """The Python of the page, as a file of a home."""
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "crm.py").write_text(block("python"))
    found = open_registry(settings(tmp_path))
    assert found.problems == ()
    return found


def test_the_python_of_the_page_works(example: Registry, tmp_path: Path) -> None:
    """Its actions, its gate, its failure."""
    close, sum_up = example.action("crm.close_ticket").handler, example.action("crm.sum_up").handler
    assert close(step(tmp_path, {"ticket": "T-1"})) == {"ticket": "T-1", "status": "closed"}
    with pytest.raises(StepFailure, match="that is no ticket"):
        close(step(tmp_path, {"ticket": "1"}))
    assert sum_up(step(tmp_path, {"notes": ["a", "b"]})) == {"text": "a"}
    reply = Reply("both", "m", 1, 1, None, "", 0.1)
    assert sum_up(step(tmp_path, {"notes": ["a", "b"]}, ask=lambda prompt, data: reply)) == {"text": "both"}
    is_open = example.gate("crm.is_open").handler
    outputs: dict[str, Any] = {"close": {"ticket": "T-1", "status": "closed"}}
    assert is_open(gate_call(tmp_path, {"ticket": "T-1"}, outputs=outputs)) == Verdict(
        False, "it is closed already", {"looked_at": 1}
    )
    assert is_open(gate_call(tmp_path, {"ticket": "T-2"}, outputs=outputs)).passed  # type: ignore[union-attr]


def test_what_the_page_says_a_command_sees_is_what_it_sees() -> None:
    """No more."""
    from context_plane.processes.registry.running import _PASSED_ON

    told = DOCUMENT.read_text("utf-8").partition("Of the environment a command sees")[2].partition("\n\n")[0]
    assert {name for name in _PASSED_ON if not name.startswith("GIT_")} <= set(re.findall(r"`(\w+)`", told))
    assert set(re.findall(r"`([A-Z_]+)`", told)) - {"CORTEX_EXECUTION", "CORTEX_STEP", "CORTEX_KEY"} <= _PASSED_ON


def test_what_steps_and_calls_hold_is_told() -> None:
    """Every field of both."""
    text = DOCUMENT.read_text("utf-8")
    for given in (step(Path()), gate_call(Path())):
        for name in vars(given):
            if name not in ("settings", "run", "prompt", "step"):  # these are the built-in ones' own
                assert f"`{name}`" in text or f"step.{name}" in text or f"call.{name}" in text, name


def test_the_yaml_of_the_page_reads() -> None:
    """Each document by itself; what it means is tested with the language."""
    for text in block("yaml").split("---\n"):
        data = yamls.load(text).data
        assert {"action", "gate"} & data.keys()
        assert SimpleNamespace(**data)
