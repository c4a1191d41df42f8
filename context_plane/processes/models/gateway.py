"""The gateway: asks the model that fits what a step needs.

Here belongs one request from needs to reply: counting, choosing, framing, asking, and what it cost. What stands in the
context is data and goes to the model as the user's, between tags; only instructions of the process are the system's.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from context_plane.errors import Denied, InputError, Unavailable
from context_plane.processes.linked import ModelNeeds
from context_plane.processes.models.answers import Answer, Question
from context_plane.processes.models.catalog import Model
from context_plane.processes.models.choosing import Choice, choose, is_restricted
from context_plane.processes.registry.framing import free_tag, told
from context_plane.processes.registry.handler import CancelledStep
from context_plane.web.addresses import is_metadata, is_public, look_up
from context_plane.web.connection import Deadline

if TYPE_CHECKING:
    from context_plane.config import Settings

SECONDS: Final = 300.0
"""How long a model may take where the step does not say it."""
_FRAME: Final = "context"
_GIVEN: Final = "given"
_PER_MESSAGE: Final = 8
"""Tokens that a chat's format takes around each message, at most."""


@dataclass(frozen=True)
class Reply:
    """What a model said, and what is to be recorded of that."""

    text: str
    model: str
    """Its name in models.yaml."""
    input_tokens: int
    """As the server counts, else in o200k_base."""
    output_tokens: int
    cost: float | None
    """US dollars; `None` where the price is not known."""
    why: str
    """Why it was this model."""
    seconds: float
    cut: bool = False
    """Whether the limit of tokens ended the answer."""


class Gateway:
    """The models of a plane. Safe for threads."""

    def __init__(self, models: Sequence[Model]) -> None:
        """Nothing is asked or opened yet. Raises `InputError` where there is no model."""
        if not models:
            raise InputError("there are no models", where="models.yaml", remedy="declare one (docs/models.md)")
        self.models = tuple(models)

    def choose(self, needs: ModelNeeds, tokens: int) -> Choice:
        """The model that a request of so many tokens would be sent to. Raises `Infeasible` where none fits."""
        return choose(self.models, needs, tokens)

    def ask(
        self,
        needs: ModelNeeds,
        prompt: str,
        context: str = "",
        *,
        system: str = "",
        data: str = "",
        timeout: float | None = None,
        key: str = "",
        cancelled: threading.Event | None = None,
    ) -> Reply:
        """What the model that fits answers to a prompt, given a context and more `data`, and instructions as `system`.

        `timeout` is for all attempts together; `key` goes with the request, so that a server that knows the same one
        does not work twice. Raises `Infeasible` where no model fits, `Denied` where restricted data would leave for an
        address that is not local, `Unavailable`, `InputError`, `NotFound`, and `CancelledStep`.
        """
        begun = time.monotonic()
        messages = framed(prompt, context, system, data)
        tokens = counted(messages)
        choice = self.choose(needs, tokens)
        until = begun + (SECONDS if timeout is None else timeout)
        addresses = _checked(choice.model, until, cancelled) if is_restricted(needs) else ()
        answer = _provided(Question(choice.model, messages, until, _key(key, messages), cancelled, addresses))
        return _reply(choice, answer, tokens, time.monotonic() - begun)


def open_gateway(settings: Settings) -> Gateway | None:
    """The gateway of a home, `None` where no model is declared. Raises `InputError` for a models.yaml that does not
    read."""
    from context_plane.processes.models.catalog import load_models

    models = load_models(settings.models)
    return Gateway(models) if models else None


def framed(prompt: str, context: str = "", system: str = "", data: str = "") -> list[dict[str, str]]:
    """The messages of a request: instructions as the system's; context, the prompt and further data as the user's. Both
    kinds of data stand between tags that nothing in any of them can close."""
    shown = {_FRAME: context.strip(), _GIVEN: data.strip()}
    tags = {name: free_tag(name, *shown.values(), prompt) for name, text in shown.items() if text}
    said = {name: f"<{tag}>\n{shown[name]}\n</{tag}>" for name, tag in tags.items()}
    instructions = "\n\n".join(filter(None, (system.strip(), *map(told, tags.values()))))
    messages = [{"role": "system", "content": instructions}] if instructions else []
    user = "\n\n".join(filter(None, (said.get(_FRAME), prompt, said.get(_GIVEN))))
    return [*messages, {"role": "user", "content": user}]


def counted(messages: Sequence[Mapping[str, str]]) -> int:
    """Tokens of messages in o200k_base, with what a chat's format takes. Raises `InputError` for what is no text."""
    from context_plane.ctx.tokens import count

    try:
        return sum(count(message["content"]) + _PER_MESSAGE for message in messages)
    except UnicodeEncodeError as error:
        raise InputError("the prompt holds a lone surrogate", where="prompt", remedy="send valid Unicode") from error


def local_addresses(model: Model, over: Callable[[], bool] = lambda: False) -> tuple[str, ...]:
    """The addresses of a model that is declared local, none of them a public one: what is restricted does not leave
    because a file says so. To these the request goes and to no others. Raises `Denied`, and `Unavailable` where none is
    found before it is `over`."""
    parts = urlsplit(model.url)
    if model.provider != "openai" or not parts.hostname:
        what = f"{model.name} is asked through a library that connects to wherever it likes"
        raise Denied(what, where=model.place, remedy="write provider: openai and the url of its server")
    try:
        found = look_up(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), over)
    except OSError as error:
        what = f"the host {parts.hostname} of {model.name} is not found: {error.strerror or error}"
        raise Unavailable(what, where=model.place, remedy="start it, or check the url; then try again") from error
    for address in found:
        if is_public(address) or is_metadata(address):
            what = f"{model.name} is declared local, but {parts.hostname} has the public address {address}"
            raise Denied(what, where=model.place, remedy="write locality: remote, or ask a machine of yours")
    return found


def _checked(model: Model, until: float, cancelled: threading.Event | None) -> tuple[str, ...]:
    deadline = Deadline(until - time.monotonic(), cancelled)
    try:
        return local_addresses(model, deadline.over)
    except Unavailable:
        if cancelled is not None and cancelled.is_set():
            raise CancelledStep from None
        raise


def _provided(question: Question) -> Answer:
    if question.model.provider == "litellm":
        from context_plane.processes.models import through_litellm

        return through_litellm.ask(question)
    from context_plane.processes.models import openai

    return openai.ask(question)


def _key(key: str, messages: Sequence[Mapping[str, str]]) -> str:
    """A key of this request: a step may ask several things, and each of them is one of its own."""
    if not key:
        return ""
    said = "\0".join([key, *(message["content"] for message in messages)])
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def _reply(choice: Choice, answer: Answer, tokens: int, seconds: float) -> Reply:
    from context_plane.ctx.tokens import count

    said = answer.text.encode("utf-8", "replace").decode()
    asked = tokens if answer.input_tokens is None else answer.input_tokens
    given = count(said) if answer.output_tokens is None else answer.output_tokens
    cost = choice.model.cost(asked, given)
    return Reply(said, choice.model.name, asked, given, cost, choice.why, seconds, answer.cut)
