"""Gates about what the steps before gave back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard

from context_plane.errors import InputError
from context_plane.processes.linked import Declared
from context_plane.processes.registry.builtin.given import named, text
from context_plane.processes.registry.decorators import gate
from context_plane.processes.registry.handler import GateCall, Verdict

_PASSED: Final = "passed"
_MISSING: Final = object()
_STEP: Final = Declared("text", description="a step before")


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A comparison of two numbers or two texts; of anything else it does not hold."""

    def holds(found: Any, value: Any) -> bool:
        numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (found, value))
        return (numbers or (isinstance(found, str) and isinstance(value, str))) and compare(found, value)

    return holds


COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "equal": lambda found, value: _same(found, value),
    "unequal": lambda found, value: not _same(found, value),
    "less": _ordered(lambda found, value: found < value),
    "at_most": _ordered(lambda found, value: found <= value),
    "greater": _ordered(lambda found, value: found > value),
    "at_least": _ordered(lambda found, value: found >= value),
    "contains": lambda found, value: _contains(found, value),
}
"""How `output_is` compares what is found with the value."""


@gate("tests_pass", inputs={"step": Declared("text", False, "", "which step; by default the last that says so")})
def tests_pass(call: GateCall) -> Verdict:
    """Whether tests passed: the field `passed` of the newest output that has one, or of a step that is named. Closed
    where no step said."""
    name = text(call, "step", "")
    if not name:
        name = next((id_ for id_, output in reversed(list(call.outputs.items())) if _says(output)), "")
    if not name:
        return Verdict(False, "no step before says whether tests passed: run them in a step")
    output = call.outputs.get(name)
    if not _says(output):
        return Verdict(False, f"step {name!r:.80} does not say whether tests passed", {"step": name})
    passed: bool = output[_PASSED]
    return Verdict(passed, "" if passed else f"the tests of step {name} fail", {"step": name, _PASSED: passed})


@gate(
    "output_is",
    inputs={
        "step": _STEP,
        "path": Declared("text", False, "", "a field of its output, such as files.0.path; empty for all of it"),
        "value": Declared("any", description="what to compare with"),
        "compare": Declared("text", False, "equal", f"one of {', '.join(COMPARISONS)}"),
    },
)
def output_is(call: GateCall) -> Verdict:
    """Whether the output of a step before, or a field of it, is a value."""
    step, path, compare = named(call, "step"), text(call, "path", ""), text(call, "compare", "equal")
    if compare not in COMPARISONS:
        what = f"compare is {compare!r:.60}"
        raise InputError(what, where="inputs.compare", remedy=f"use one of {', '.join(COMPARISONS)}")
    if step not in call.outputs:
        return Verdict(False, f"step {step!r:.80} has no output", {"step": step})
    found, value = _at(call.outputs[step], path), call.inputs.get("value")
    if found is _MISSING:
        return Verdict(False, f"the output of {step} has no {path}", {"step": step, "path": path})
    passed = COMPARISONS[compare](found, value)
    reason = "" if passed else f"{path or 'the output'} of {step} is {found!r:.120}, not {compare} {value!r:.120}"
    return Verdict(passed, reason, {"step": step, "path": path, "found": found, "compare": compare, "value": value})


def _says(output: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(output, Mapping) and isinstance(output.get(_PASSED), bool)


def _at(output: Any, path: str) -> Any:
    found = output
    for part in path.split(".") if path else ():
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, (list, tuple)) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return _MISSING
    return found


def _same(found: Any, value: Any) -> bool:
    """Equal as JSON is: true is not 1."""
    return found == value and isinstance(found, bool) == isinstance(value, bool)


def _contains(found: Any, value: Any) -> bool:
    if isinstance(found, str):
        return isinstance(value, str) and value in found
    return isinstance(found, (list, tuple, Mapping)) and any(_same(each, value) for each in found)
