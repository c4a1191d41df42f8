"""Decorators: what a function becomes, and what is refused."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from context_plane.errors import InputError
from context_plane.processes import CancelledStep, Declared, ModelNeeds, Step, Verdict, action, gate
from context_plane.processes.registry.decorators import declared_by
from context_plane.processes.registry.handler import Action, Gate
from tests.processes.registry.world import gate_call, step


def test_a_decorated_function_is_an_action_and_stays_a_function(tmp_path: Path) -> None:
    """Its docstring describes it, its inputs are declared by type or in full."""

    @action("crm.note", inputs={"text": "text", "count": Declared("integer", False, 3)}, keyed=True, timeout=5)
    def note(step: Step) -> dict[str, Any]:
        """Makes a note
        of something.

        And more than that.
        """
        return {"said": step.inputs["text"]}

    (made,) = declared_by(note)
    assert isinstance(made, Action)
    assert (made.name, made.description, made.keyed, made.timeout) == (
        "crm.note",
        "Makes a note of something.",
        True,
        5,
    )
    assert made.inputs == {"text": Declared("text"), "count": Declared("integer", False, 3)}
    assert made.origin.startswith(f"{__file__}:")
    given = step(tmp_path, {"text": "x"})
    assert made.handler(given) == note(given) == {"said": "x"}


def test_a_function_can_be_both_and_more(tmp_path: Path) -> None:
    """Each decoration is a name of its own; a model that is asked is said with it."""

    @gate("is_it", description="Given")
    @action("one", model=ModelNeeds(("reasoning",)), model_optional=True)
    @action("two")
    def both(call: Any) -> bool:
        return True

    two, one, is_it = declared_by(both)
    assert isinstance(one, Action)
    assert (one.name, one.model, one.model_optional) == ("one", ModelNeeds(("reasoning",)), True)
    assert (two.name, two.inputs, two.description) == ("two", None, "")
    assert isinstance(is_it, Gate)
    assert (is_it.name, is_it.description) == ("is_it", "Given")


def test_coroutine_functions_are_run(tmp_path: Path) -> None:
    """Actions and gates, in a loop of their own."""

    @action("later")
    async def later(step: Step) -> int:
        await asyncio.sleep(0)
        return 7

    @gate("late")
    async def late(call: Any) -> Verdict:
        await asyncio.sleep(0)
        return Verdict(False, "too late")

    assert declared_by(later)[0].handler(step(tmp_path)) == 7  # type: ignore[arg-type]
    assert declared_by(late)[0].handler(gate_call(tmp_path)) == Verdict(False, "too late")  # type: ignore[arg-type]


def test_a_coroutine_ends_when_its_step_is_cancelled(tmp_path: Path) -> None:
    """It is cancelled itself, so that it can tidy up."""
    ended, given = threading.Event(), step(tmp_path)

    @action("for_ever")
    async def for_ever(step: Step) -> None:
        try:
            given.cancelled.set()
            await asyncio.sleep(60)
        finally:
            ended.set()

    with pytest.raises(CancelledStep):
        declared_by(for_ever)[0].handler(given)  # type: ignore[arg-type]
    assert ended.is_set()


@pytest.mark.parametrize("name", ["", "Note", "a-b", "a..b", ".a", "a.", "1a", "ä", "a" * 64, None, "a\n"])
def test_a_bad_name_is_refused_with_its_place(name: Any) -> None:
    """At the decoration, so that whoever wrote it sees it first."""
    with pytest.raises(InputError, match="is no name") as caught:
        action(name)(lambda step: None)
    assert caught.value.where.startswith(f"{__file__}:")


@pytest.mark.parametrize("inputs", [{"text": "string"}, {"text": 3}, {3: "text"}, "text", {"x": Declared("txt")}])
def test_bad_inputs_are_refused(inputs: Any) -> None:
    """With the types that there are."""
    with pytest.raises(InputError, match="text, number, integer"):
        gate("good", inputs=inputs)(lambda call: True)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sensitivity": "Restricted"}, "public, internal, restricted"),
        ({"sensitivity": None}, "public, internal, restricted"),
        ({"sensitivity": []}, "public, internal, restricted"),
        ({"speed": "slow"}, "fast, normal"),
        ({"capabilities": "code"}, "a tuple of words"),
        ({"capabilities": ["code"]}, "a tuple of words"),
        ({"capabilities": ("code", 7)}, "a tuple of words"),
        ({"max_cost": -1}, "US dollars"),
        ({"max_cost": "1"}, "US dollars"),
        ({"max_cost": float("nan")}, "US dollars"),
        ({"max_cost": True}, "US dollars"),
    ],
)
def test_a_model_that_cannot_be_meant_is_refused(given: dict[str, Any], says: str) -> None:
    """What is misspelt is not taken for what is free to leave."""
    with pytest.raises(InputError, match=says) as caught:
        action("good", model=ModelNeeds(**given))(lambda step: None)
    assert caught.value.where.startswith(f"{__file__}:")


@pytest.mark.parametrize("timeout", [0, -1, "5", True, float("inf"), float("nan")])
def test_a_time_that_cannot_be_meant_is_refused(timeout: Any) -> None:
    """Nor a model that is none."""
    with pytest.raises(InputError, match="seconds as a number above 0"):
        action("good", timeout=timeout)(lambda step: None)
    with pytest.raises(InputError, match="give ModelNeeds"):
        action("good", model={"speed": timeout})(lambda step: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "declared",
    [
        Declared("any", False, {1, 2}),
        Declared("any", False, float("nan")),
        Declared("any", False, "\ud800"),
        Declared("any", False, {1: 2}),
        Declared("text", False, 3),
        Declared("integer", False, True),
        Declared("list", False, {}),
    ],
)
def test_a_default_that_cannot_be_meant_is_refused(declared: Declared) -> None:
    """It has to be JSON, and of the type."""
    with pytest.raises(InputError, match="the default of input 'x'") as caught:
        action("good", inputs={"x": declared})(lambda step: None)
    assert caught.value.where.startswith(f"{__file__}:")


def test_names_are_exported_lazily() -> None:
    """Importing the package loads neither the registry nor anything heavy."""
    code = (
        "import sys, context_plane.processes as p\n"
        "assert 'context_plane.processes.registry.decorators' not in sys.modules\n"
        "from context_plane.processes import action, gate, Step, GateCall, Verdict, StepFailure, Declared\n"
        "import context_plane.processes.registry.registry, context_plane.processes.models.gateway\n"
        "print(sorted({'pydantic', 'yaml', 'numpy', 'duckdb', 'pyarrow', 'sqlalchemy'} & set(sys.modules)))\n"
        "assert set(p.__all__) <= set(dir(p))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
