"""Models of any vendor through LiteLLM, an optional library that is imported when a model needs it.

Its errors are translated by the status that they carry; a key that one of them repeats is left out.
"""

from __future__ import annotations

import os
import time
from importlib import import_module
from typing import Any

from context_plane.errors import ContextPlaneError, Denied, InputError, NotFound, Unavailable
from context_plane.processes.models.answers import Answer, Question
from context_plane.processes.models.openai import LIMITS
from context_plane.web import is_busy, key_in
from context_plane.web.spellings import hidden


def ask(question: Question) -> Answer:
    """See `Provider`. Once it has begun it cannot be cancelled: LiteLLM knows a timeout only."""
    library, model = _library(question), question.model
    key = key_in((model.key_env,)) if model.key_env else None
    limited = {} if any(name in model.parameters for name in LIMITS) else {"max_tokens": model.max_output}
    given = {"api_base": model.url, "api_key": key}
    try:
        found = library.completion(
            model=model.model,
            messages=[dict(message) for message in question.messages],
            timeout=max(question.until - time.monotonic(), 0.001),
            num_retries=0,
            **limited,
            **{name: value for name, value in given.items() if value},
            **model.parameters,
        )
    except Exception as error:  # noqa: BLE001 - whatever a library raises is translated
        # What it was caused by is shown with it, unless that would show the key.
        raise _translated(error, question, key) from (None if key and hidden(str(error), key) != str(error) else error)
    return _read(found, question)


def _library(question: Question) -> Any:
    # Else importing it fetches a list of prices from the network; what the file says is what counts here.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        library: Any = import_module("litellm")
    except ImportError as error:
        remedy = "pip install 'context-plane[litellm]', or use a model with provider: openai"
        raise NotFound(f"litellm is not installed: {error}", where=_where(question), remedy=remedy) from error
    library.suppress_debug_info = True
    library.telemetry = False
    return library


def _read(found: Any, question: Question) -> Answer:
    try:
        choice, usage = found.choices[0], getattr(found, "usage", None)
        text, reason = choice.message.content, getattr(choice, "finish_reason", None)
    except (AttributeError, IndexError, TypeError) as error:
        what, remedy = "litellm returned no chat completion", "see whether its version is known to work"
        raise Unavailable(what, where=_where(question), remedy=remedy) from error
    if not isinstance(text, str) or not text.strip():
        what = f"the answer holds no text (it ended with {reason!r:.40})"
        raise Unavailable(what, where=_where(question), remedy="try again, or another model")
    counts = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
    tokens = [count if type(count) is int and count > 0 else None for count in counts]
    return Answer(text, tokens[0], tokens[1], cut=reason == "length")


def _translated(error: Exception, question: Question, key: str | None) -> ContextPlaneError:
    status = getattr(error, "status_code", None)
    said = f"{type(error).__name__}: {error}"
    what = f"litellm fails: {hidden(said, key)}"[:500]
    where = _where(question)
    if status in (401, 403):
        variable = question.model.key_env or "the variable that its provider reads, or key_env in models.yaml,"
        return Denied(what, where=where, remedy=f"set {variable} to a key that may use {question.model.model}")
    if not isinstance(status, int) or is_busy(status):
        return Unavailable(what, where=where, remedy="try again later")
    return InputError(what, where=where, remedy="check model and parameters in models.yaml")


def _where(question: Question) -> str:
    return f"model {question.model.name}"
