"""Prompts: actions that ask a model one thing, as YAML declares them."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from context_plane.processes.registry.handler import Step, StepFailure
from context_plane.processes.registry.printed import clean

_FENCED: Final = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL | re.IGNORECASE)


def ask(step: Step) -> dict[str, Any]:
    """What a model answers to the step's prompt, with the step's context: ``{text}``, with ``json`` where the text is
    one JSON object, and ``cut`` where the model's limit ended the answer.

    Raises `StepFailure` where there is no model or nothing to ask, and what the gateway raises.
    """
    if step.prompt is None or not step.prompt.strip():
        raise StepFailure("there is nothing to ask", where=step.id, remedy="give the action a prompt", retryable=False)
    if step.ask is None:
        remedy = "declare a model in models.yaml in the plane's home (docs/models.md), then run it again"
        raise StepFailure("no model is configured", where=step.id, remedy=remedy, retryable=False)
    reply = step.ask(step.prompt, timeout=step.timeout, cancelled=step.cancelled)
    said = clean(reply.text)
    output: dict[str, Any] = {"text": said}
    if (found := object_in(said)) is not None:
        output["json"] = clean(found)
    return {**output, "cut": True} if reply.cut else output


def object_in(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, bare or in a fenced block; `None` where it is anything else."""
    bare = text.strip()
    match = _FENCED.fullmatch(bare)
    try:
        found = json.loads(match[1] if match else bare, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _refused(name: str) -> None:
    """NaN and infinities are no JSON, whatever Python's reader thinks."""
    raise ValueError(name)
