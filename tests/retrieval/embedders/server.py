"""A server that speaks OpenAI's ``/embeddings``, with the bad days of a real one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """An answer other than the right one. `body` ``None`` ends the connection instead."""

    status: int = 200
    body: bytes | None = b""
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    """Bytes that the header promises and that do not come."""


@dataclass
class Server:
    """What it was asked, and the replies that it gives before it answers rightly."""

    url: str
    width: int = 4
    replies: list[Reply] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def right(self, asked: dict[str, Any]) -> Reply:
        """A vector for each text, last one first, as the order of rows is the server's to choose."""
        width = asked.get("dimensions", self.width)
        rows = [{"index": at, "embedding": vector(text, width)} for at, text in enumerate(asked["input"])]
        return Reply(body=json.dumps({"data": rows[::-1], "model": asked["model"]}).encode())


def vector(text: str, width: int) -> list[float]:
    """Numbers that say which text they are of; not of length 1."""
    return [byte - 100.5 for byte in hashlib.sha256(text.encode()).digest()[:width]]


def answer(*vectors: Any) -> Reply:
    """A reply with these vectors."""
    rows = [{"index": at, "embedding": each} for at, each in enumerate(vectors)]
    return Reply(body=json.dumps({"data": rows}).encode())


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            state.paths.append(self.path)
            self.send_reply(Reply(404))

        def do_POST(self) -> None:
            state.paths.append(self.path)
            state.keys.append(self.headers.get("Authorization"))
            state.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_reply(state.replies.pop(0) if state.replies else state.right(state.asked[-1]))

        def send_reply(self, reply: Reply) -> None:
            if reply.body is None:
                return
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(reply.body) + reply.missing)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state = Server(f"http://127.0.0.1:{http.server_port}/v1")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        http.shutdown()
        thread.join()
