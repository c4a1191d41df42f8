"""One request of a step, to an address that was checked, with an end in time and in size."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException

from context_plane.processes.registry.builtin.hosts import Target
from context_plane.processes.registry.handler import CancelledStep, StepFailure
from context_plane.web.connection import Cancelled, Connection, Deadline, read


@dataclass(frozen=True)
class Request:
    """What is asked."""

    method: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    cut: bool
    """Whether more came than was asked for."""


def ask(where: Target, request: Request, deadline: Deadline, cancelled: threading.Event, most: int) -> Answer:
    """The answer to a request, at most so many bytes of it. Raises `StepFailure` where none comes in time,
    `CancelledStep` where the step is cancelled."""
    connection = Connection(
        where.host, where.port, deadline=deadline, secure=where.secure, addresses=where.addresses
    )  # fmt: skip
    try:
        with deadline.watched():
            try:
                connection.request(request.method, where.path, request.body, dict(request.headers))
                with connection.getresponse() as answer:
                    body = read(answer, most + 1)
            finally:
                connection.close()
        if deadline.ended:  # what was cut off may look like an answer that is over
            raise TimeoutError
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, headers, body[:most], len(body) > most)
    except (OSError, HTTPException, ValueError, Cancelled) as error:
        if cancelled.is_set():
            raise CancelledStep from error
        late = deadline.ended or deadline.over()
        why = f"nothing within {deadline.seconds:g} s" if late else str(error) or type(error).__name__
        remedy = "check that the server is there; it may have got the request all the same"
        raise StepFailure(f"{where.shown} does not answer: {why}", where="url", remedy=remedy) from error
