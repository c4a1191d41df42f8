"""Prompts: actions that ask a model one thing, as YAML declares them.

What a prompt says is the process's, what its references refer to is data: a log or an event may be written by anybody,
and must not be taken for instructions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from context_plane.processes.references import fill_text, references
from context_plane.processes.registry.framing import free_tag, told
from context_plane.processes.registry.handler import Step, StepFailure
from context_plane.processes.registry.printed import clean

_DATA: Final = "data"
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:e[+-]?[0-9]{1,4})?")
_FENCED: Final = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL | re.IGNORECASE)


def filled(prompt: str, scope: Mapping[str, Any], context: str = "") -> str:
    """A prompt with its references filled in from a scope, each between tags that nothing in the prompt, in what is
    filled in, or in the step's context can close, and a sentence before it that says so. Numbers and booleans stand as
    they are; a prompt that is one reference and nothing else is the question itself. Raises `InputError` for a
    reference to what is not there."""
    found = list(references(prompt))
    if not found or found[0].written == prompt.strip():
        return fill_text(prompt, scope)
    values = [fill_text(each.written, scope) for each in found]
    tag = free_tag(_DATA, context, prompt, *values)
    parts, end, framed = [], 0, False
    for each, value in zip(found, values, strict=True):
        bare = not value or value in ("true", "false") or bool(_NUMBER.fullmatch(value))
        framed = framed or not bare
        # Literal signs are unescaped in what was written only.
        parts += [prompt[end : each.start].replace("$${", "${"), value if bare else _between(tag, value)]
        end = each.start + len(each.written)
    text = "".join([*parts, prompt[end:].replace("$${", "${")])
    return f"{told(tag)}\n\n{text}" if framed else text


def _between(tag: str, value: str) -> str:
    line = "\n" if "\n" in value else ""
    return f"<{tag}>{line}{value}{line}</{tag}>"


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
