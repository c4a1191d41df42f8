"""Writing features: a module of its own and the test that its specification's examples are.

Without a model one kind of feature is written, a price that is looked up in a table. With a model (models.yaml) the
model writes the module. Either way the tests decide: the step after this one runs them, and the gate `tests_pass`
stands before the commit.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from context_plane.processes import Declared, ModelNeeds, Step, StepFailure, action
from context_plane.processes.registry.builtin.files import write
from context_plane.processes.registry.builtin.paths import inside


@action(
    "write_feature",
    keyed=True,
    model=ModelNeeds(("code",)),
    model_optional=True,
    inputs={"spec": Declared("mapping", description="as read_feature_spec tells it")},
)
def write_feature(step: Step) -> dict[str, Any]:
    """Writes the module that a specification asks for, and its test: {files, cause}. Without a model the function looks
    prices up in the table of the specification."""
    spec = step.inputs["spec"]
    module, test = str(spec["module"]), spec["test"]
    files = [module, str(test["path"])]
    there = [name for name in files if inside(step.workspace, name).exists()]
    if len(there) == 1:  # both of them: an attempt before this one was cut off after it had written them
        remedy = "a feature is a module of its own: name another, or have a person do it"
        raise StepFailure(f"{there[0]} is there already", where=spec["document"], remedy=remedy, retryable=False)
    if not there:
        write(replace(step, inputs={"path": module, "text": _of_model(step, spec) or _of_table(step, spec)}))
        write(replace(step, inputs=test))
    return {"files": files, "cause": spec["summary"]}


def _of_model(step: Step, spec: Mapping[str, Any]) -> str | None:
    """The module as a model writes it, if there is one and it writes Python."""
    if step.ask is None:
        return None
    asked = f"Write the Python module {spec['module']} that this asks for. Answer with the module and nothing else."
    reply = step.ask(asked, data=spec["text"])
    text = reply.text.strip().removeprefix("```python").removeprefix("```").removesuffix("```").strip() + "\n"
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        step.log(f"{reply.model} did not answer with a module")
        return None
    return text


def _of_table(step: Step, spec: Mapping[str, Any]) -> str:
    """A module with a function that looks up what it gives in a table."""
    function, free, other = spec["function"], spec["free_from"], spec["other"]
    if not spec["rates"]:
        remedy = "configure a model in models.yaml, or have a person write it"
        raise StepFailure("the specification has no table of prices", where=step.id, remedy=remedy, retryable=False)
    (amount, amount_type), (key, key_type) = function["takes"]
    constants = [f"RATES = {json.dumps(spec['rates'])}"]
    constants += [] if other is None else [f"OTHER = {other}"]
    constants += [] if free is None else [f"FREE_FROM = {free:_}"]
    looked_up = f"RATES[{key}]" if other is None else f"RATES.get({key}, OTHER)"
    returned = looked_up if free is None else f"0 if {amount} >= FREE_FROM else {looked_up}"
    head = f"def {function['name']}({amount}: {amount_type}, {key}: {key_type}) -> {function['returns']}:"
    about = _docstring(f"{spec['title']} ({spec['document']}).")
    body = [f"    {_docstring(function['does'] or spec['title'])}", f"    return {returned}"]
    return "\n".join([about, "", *constants, "", "", head, *body, ""])


def _docstring(text: str) -> str:
    """A text as a docstring, which nothing in it ends."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{escaped}"""'
