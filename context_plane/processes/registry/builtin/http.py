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
from context_plane.processes.registry.handler import CancelledStep, Step, StepFailure
from context_plane.processes.registry.printed import clean, fitted
from context_plane.processes.registry.secrets import TOKENS, shortened, without_parts
from context_plane.web import is_busy
from context_plane.web.connection import Deadline

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SHOWN: Final = ("content-type", "location", "etag", "last-modified", "retry-after", "link")
"""Headers of an answer that the output holds; others can be long, or hold cookies."""
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS: Final = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding", "idempotency-key")
_HEADER_SHARE: Final = 32
"""One header takes at most so little of an output, the body three quarters: the rest is for what is around them."""
_SAID: Final = 16 << 10
"""Bytes of an answer that an error is made of."""
_DEPTH: Final = 8
"""How much deeper than in the answer its JSON is nested where it is kept."""
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
    limit = number(step, "timeout", 30, 0.001, 3_600)
    deadline = Deadline(min(limit, step.timeout or limit), step.cancelled)
    where = _where(step, deadline)
    asked = Request(method, {**(about if body else {}), **_headers(step, where)}, body)
    most = int(step.settings.output_kb * 1024)
    answer = ask(where, asked, deadline, step.cancelled, most // 4)
    output = _output(answer, most)
    if flag(step, "check", True) and not 200 <= answer.status < 300:
        raise _failed(where, answer, output)
    return output


def _where(step: Step, deadline: Deadline) -> Target:
    try:
        return target(named(step, "url"), step.settings.http_allow, deadline.over)
    except StepFailure:
        if step.cancelled.is_set():
            raise CancelledStep from None
        raise


def _headers(step: Step, where: Target) -> dict[str, str]:
    found = {"accept": "*/*", "user-agent": "context-plane"}
    for name, value in mapping(step, "headers").items():
        if not isinstance(value, str) or not _HEADER.fullmatch(name) or name.lower() in _OURS:
            remedy = f"give text under names of headers; not ours to give are {', '.join(_OURS)}"
            raise InputError(f"header {name!r:.60} is {type(value).__name__}", where="inputs.headers", remedy=remedy)
        if not value.isascii() or not value.isprintable():
            raise InputError(f"header {name} holds what no header may", where="inputs.headers", remedy="correct it")
        found[name.lower()] = value
    if variable := text(step, "token", ""):
        if not where.secure and not where.here:
            remedy = "give an https URL: whoever is on the way could read the token"
            raise StepFailure(f"{where.shown} is not asked with a token", where="url", remedy=remedy, retryable=False)
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


def _output(answer: Answer, most: int) -> dict[str, Any]:
    """What is given back, in at most so many bytes of JSON: the server has acted, and an output that the engine refuses
    would be lost."""
    shown = {
        name: fitted(shortened(clean(answer.headers[name]), 1_000), most // _HEADER_SHARE)
        for name in _SHOWN
        if name in answer.headers
    }
    room = most * 3 // 4
    said = clean(answer.body.decode("utf-8", "replace"))
    kept = fitted(without_parts(said, end=True) if answer.cut else said, room)
    output: dict[str, Any] = {
        "status": answer.status, "headers": shown, "text": kept, "cut": answer.cut or len(kept) < len(said),
    }  # fmt: skip
    if "json" in shown.get("content-type", "") and not answer.cut:
        output["json"] = _json_in(said, room)
        if output["json"] is not None:
            output |= {"text": "", "cut": False}
    return output


def _json_in(text: str, most: int) -> Any:
    """The JSON that a text is, `None` where it is none that the log takes."""
    try:
        found = clean(json.loads(text))
        kept = found
        for _ in range(_DEPTH):
            kept = [kept]
        return found if len(canonical(kept)) <= most else None
    except (ValueError, RecursionError, InputError):
        return None


def _failed(where: Target, answer: Answer, output: dict[str, Any]) -> StepFailure:
    said = shortened(" ".join(answer.body[:_SAID].decode("utf-8", "replace").split()), 300)
    moved = f", and {output['headers']['location']} instead" if "location" in output["headers"] else ""
    what = f"{where.shown} answers {answer.status}{moved}{f': {said}' if said else ''}"
    busy = is_busy(answer.status)
    remedy = "try again later" if busy else "correct the request; redirects are not followed"
    return StepFailure(what, where="url", remedy=remedy, retryable=busy, output=output)
