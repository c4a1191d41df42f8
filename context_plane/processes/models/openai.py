"""Models behind OpenAI's ``POST /chat/completions``: OpenAI itself, vLLM, Ollama, llama.cpp, a LiteLLM proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final

from context_plane.errors import Denied, Unavailable
from context_plane.processes.models.answers import Answer, Question
from context_plane.processes.models.catalog import Model
from context_plane.processes.registry.handler import CancelledStep
from context_plane.web import Server, key_in
from context_plane.web.connection import Cancelled

_SHOWN: Final = 200
_MOST: Final = 16 << 20
"""Bytes of an answer."""
LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""Parameters that limit the answer: where the file gives one, that is the one that is sent."""


def ask(question: Question, wait: Callable[[float], object] = time.sleep) -> Answer:
    """See `Provider`."""
    model = question.model
    server = Server(
        f"model server of {model.name}",
        f"{model.url}/chat/completions",
        keys=(model.key_env,) if model.key_env else (),
        denied=f"set {model.key_env or 'key_env in models.yaml'} to a key that may use {model.model}",
        refused=f"check model, url and parameters of {model.name} in models.yaml",
        seconds=max(question.until - time.monotonic(), 0.001),
        most=_MOST,
        # A proxy is another machine, and what is local is to stay on this one.
        proxies=model.locality != "local",
        addresses=question.addresses,
        cancelled=question.cancelled,
        wait=wait,
    )
    if model.key_env and key_in((model.key_env,)) is None:
        remedy = f"set it to a key that may use {model.model}, or take key_env out"
        raise Denied(f"the key of {model.name} is not set", where=model.key_env, remedy=remedy)
    body = {"model": model.model, "messages": list(question.messages), **_limited(model)}
    headers = {"Idempotency-Key": question.key} if question.key else {}
    try:
        raw = server.post(json.dumps(body).encode(), headers=headers, until=question.until)
    except Cancelled as error:
        raise CancelledStep from error
    return _read(server, raw)


def _limited(model: Model) -> dict[str, Any]:
    given = dict(model.parameters)
    return given if any(name in given for name in LIMITS) else {"max_tokens": model.max_output, **given}


def _read(server: Server, raw: bytes) -> Answer:
    try:
        found = json.loads(raw)
        choice = found["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
        usage = found.get("usage") or {}
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(server, f"the answer is no chat completion{_said(raw)}") from error
    if not isinstance(text, str) or not text.strip():
        refusal = choice["message"].get("refusal")
        refuses = isinstance(refusal, str) and refusal
        said = f"the model refuses: {refusal:.200}" if refuses else "the answer holds no text"
        raise _bad(server, f"{said} (it ended with {reason!r:.40})")
    tokens = [count if type(count) is int and count > 0 else None for count in counts]
    return Answer(text, tokens[0], tokens[1], cut=reason == "length")


def _said(raw: bytes) -> str:
    """What the server says instead, if it says something."""
    try:
        found = json.loads(raw)["error"]
        text = str(found["message"] if isinstance(found, dict) else found)
    except (ValueError, KeyError, TypeError, RecursionError):
        text = raw[:_SHOWN].decode("utf-8", "replace")
    text = " ".join(text.split())[:_SHOWN]
    return f", but: {text}" if text else ""


def _bad(server: Server, what: str) -> Unavailable:
    return server.error(what, "check that the server speaks OpenAI's API; then try again")
