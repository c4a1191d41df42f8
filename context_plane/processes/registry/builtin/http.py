"""Actions that ask a server over HTTP, as far as the plane allows it.

Redirects are not followed, proxies of the environment are not used, and what comes back is bounded. Here belongs what
is asked and what becomes of the answer; who may be asked is `hosts`' business, the connection is `connection`'s.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Final

from context_plane.canonical import canonical
from context_plane.errors import InputError
from context_plane.processes.linked import Declared
from context_plane.processes.registry.builtin.connection import Answer, Request, ask
from context_plane.processes.registry.builtin.given import flag, mapping, named, number, text
from context_plane.processes.registry.builtin.hosts import Target, target
from context_plane.processes.registry.decorators import action
from context_plane.processes.registry.handler import Step, StepFailure
from context_plane.processes.registry.printed import clean

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TOKENS: Final = "CONTEXT_PLANE_HTTP_"
"""What the name of a variable begins with whose value may be sent as a token."""
_SHOWN: Final = ("content-type", "location", "etag", "last-modified", "retry-after", "link")
"""Headers of an answer that the output holds; others can be long, or hold cookies."""
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS: Final = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding", "idempotency-key")
_BUSY: Final = frozenset({408, 409, 425, 429})
_INPUTS: Final = {
    "url": Declared("text", description="http or https; its host must be in http_allow"),
    "headers": Declared("mapping", False, {}, "header to text"),
    "token": Declared("text", False, "", f"a variable whose value is sent as bearer token; begins with {TOKENS}"),
    "timeout": Declared("number", False, 30, "seconds for all of it"),
    "check": Declared("boolean", False, True, "fail where the status is not 2xx"),
}


@action("http.get", keyed=True, inputs=_INPUTS)
def get(step: Step) -> dict[str, Any]:
    """Asks for a URL: {status, headers, text, cut}, with json instead of the text where the answer is that."""
    return _asked(step, "GET", None, {})


@action(
    "http.request",
    inputs={
        **_INPUTS,
        "method": Declared("text", False, "POST", f"one of {', '.join(METHODS)}"),
        "json": Declared("any", False, None, "what to send as JSON"),
        "body": Declared("text", False, "", "or what to send as it is"),
    },
)
def request(step: Step) -> dict[str, Any]:
    """Sends a request: {status, headers, text, cut}, with json instead of the text where the answer is that. The step's
    key goes with it as `Idempotency-Key`: whether a repetition has a second effect is for the server to say."""
    method, body = text(step, "method", "POST").upper(), text(step, "body", "")
    if method not in METHODS:
        raise InputError(f"method is {method!r:.40}", where="inputs.method", remedy=f"use one of {', '.join(METHODS)}")
    value = step.inputs.get("json")
    if value is not None and body:
        raise InputError("there are json and body", where="inputs", remedy="give one of them")
    if value is not None:
        return _asked(step, method, canonical(value), {"content-type": "application/json"})
    return _asked(step, method, body.encode() if body else None, {"content-type": "text/plain; charset=utf-8"})


def _asked(step: Step, method: str, body: bytes | None, about: Mapping[str, str]) -> dict[str, Any]:
    where = target(named(step, "url"), step.settings.http_allow)
    limit = number(step, "timeout", 30, 0.001, 3_600)
    seconds = min(limit, step.timeout or limit)
    asked = Request(method, {**(about if body else {}), **_headers(step)}, body)
    answer = ask(where, asked, seconds, step.cancelled, int(step.settings.output_kb * 1024) // 4)
    output = _output(answer)
    if flag(step, "check", True) and not 200 <= answer.status < 300:
        raise _failed(where, answer, output)
    return output


def _headers(step: Step) -> dict[str, str]:
    found = {"accept": "*/*", "user-agent": "context-plane"}
    for name, value in mapping(step, "headers").items():
        if not isinstance(value, str) or not _HEADER.fullmatch(name) or name.lower() in _OURS:
            remedy = f"give text under names of headers; not ours to give are {', '.join(_OURS)}"
            raise InputError(f"header {name!r:.60} is {type(value).__name__}", where="inputs.headers", remedy=remedy)
        if not value.isascii() or not value.isprintable():
            raise InputError(f"header {name} holds what no header may", where="inputs.headers", remedy="correct it")
        found[name.lower()] = value
    if variable := text(step, "token", ""):
        found["authorization"] = f"Bearer {_token(variable)}"
    return {**found, "accept-encoding": "identity", **({"idempotency-key": step.key} if step.key else {})}


def _token(variable: str) -> str:
    if not variable.startswith(TOKENS):
        what = f"token names the variable {variable!r:.80}"
        raise InputError(what, where="inputs.token", remedy=f"export it under a name that begins with {TOKENS}")
    value = os.environ.get(variable, "").strip()
    if not value or not (value.isascii() and value.isprintable()):
        what = f"{variable} is not set, or holds what no token has"
        raise StepFailure(what, where="token", remedy="export it before the run", retryable=False)
    return value


def _output(answer: Answer) -> dict[str, Any]:
    shown = {name: answer.headers[name][:1_000] for name in _SHOWN if name in answer.headers}
    said = clean(answer.body.decode("utf-8", "replace"))
    output: dict[str, Any] = {"status": answer.status, "headers": shown, "text": said, "cut": answer.cut}
    if "json" in shown.get("content-type", "") and not answer.cut:
        try:
            output |= {"json": clean(json.loads(said)), "text": ""}
        except (ValueError, RecursionError):
            output["json"] = None
    return output


def _failed(where: Target, answer: Answer, output: dict[str, Any]) -> StepFailure:
    said = " ".join(answer.body[:300].decode("utf-8", "replace").split())
    moved = f", and {output['headers']['location']} instead" if "location" in output["headers"] else ""
    what = f"{where.shown} answers {answer.status}{moved}{f': {said}' if said else ''}"
    busy = answer.status in _BUSY or answer.status >= 500
    remedy = "try again later" if busy else "correct the request; redirects are not followed"
    return StepFailure(what, where="url", remedy=remedy, retryable=busy, output=output)
